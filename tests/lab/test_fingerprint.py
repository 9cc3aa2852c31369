import pytest
from claim_files import write_claim

from simonides.lab import Plan, code_fingerprint, keyword_fingerprint, local, scan

BASE = '''"""A file."""
import math
SCALE = 2

def helper(x):
    """Help."""
    return x * SCALE

def measure(x):
    # why
    return helper(x)

def unrelated():
    return math.pi
'''


@pytest.fixture
def fingerprint():
    return lambda text: code_fingerprint(text, ["measure"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# why", "# another reason"),
        ('"""Help."""', '"""Help more."""'),
        ("return x * SCALE", "return (x   *  SCALE)"),
        ("math.pi", "math.e"),
        ('"""A file."""', '"""A better file."""'),
        ("import math", "import math, cmath"),
        ("import math", "import math\nfrom os import path, sep"),
    ],
)
def test_words_and_unrelated_code_do_not_count(fingerprint, old, new):
    assert fingerprint(BASE) == fingerprint(BASE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCALE = 2", "SCALE = 3"),
        ("x * SCALE", "x + SCALE"),
        ("return helper(x)", "return x"),
        ("SCALE = 2", "SCALE = 2\nSCALE += 1"),
        ("SCALE = 2", "SCALE = 1\nSCALE = SCALE + 1"),
        ("SCALE = 2", "if True:\n    SCALE = 2"),
        ("SCALE = 2", "SCALE = 2\nSCALE.real"),
        ("import math", "import math\nmath.set_mode(3)"),
    ],
)
def test_what_measure_uses_counts(fingerprint, old, new):
    assert fingerprint(BASE) != fingerprint(BASE.replace(old, new))


def test_a_name_made_at_run_time_makes_the_whole_file_count():
    changed = BASE.replace("math.pi", "math.e")
    assert code_fingerprint(BASE, ["made_elsewhere"]) != code_fingerprint(changed, ["made_elsewhere"])


CLAIM = (
    BASE
    + """
from simonides.lab import Claim, Rule
OFFSET = 1
claim = Claim(predictions={"y": lambda z: z + OFFSET}, rules=[Rule(band=3)])
"""
)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("band=3", "band=4", True),
        ("z + OFFSET", "z - OFFSET", False),
        ("OFFSET = 1", "OFFSET = 2", False),
        ("x * SCALE", "x + SCALE", True),
    ],
)
def test_a_keyword_counts_with_what_it_uses(old, new, same):
    first = keyword_fingerprint(CLAIM, "claim", "predictions")
    assert (keyword_fingerprint(CLAIM.replace(old, new), "claim", "predictions") == first) == same


def test_what_is_judged_or_shown_or_planned_is_not_measured(fingerprint):
    text = CLAIM.replace("return z", "return z")
    for old, new in (("band=3", "band=4"), ("z + OFFSET", "z - OFFSET"), ("OFFSET = 1", "OFFSET = 2")):
        assert fingerprint(text) == fingerprint(text.replace(old, new))


# each changes what `measure` gives without touching what it names
HIDDEN = [
    ("TABLE = {}\n@TABLE.setdefault\ndef entry(x):\n    return 1", "return 1", "return 2"),
    ("from helper import *\nSIZE = 1", "helper", "other_helper"),
    ("D = {}\nunused = D.update(a=1)", "a=1", "a=2"),
    ("D = {}\nA = D\nA['k'] = 1", "= 1", "= 2"),
    ("D = {}\nA = D\nA['k'] = A.setdefault('j', 1)", "1)", "2)"),
    ("B = (SCALE := 3)", "3", "4"),
    ("def set_scale():\n    global SCALE\n    SCALE = 3\nset_scale()", "SCALE = 3", "SCALE = 4"),
    ("def set_scale(to):\n    global SCALE\n    SCALE = to\nunused = set_scale(3)", "(3)", "(4)"),
    (
        "class Base:\n    def __init_subclass__(cls):\n        measure.k = 1\nclass Child(Base):\n    k = 1",
        "k = 1",
        "k = 2",
    ),
    ("import torch\n_ = torch.set_default_dtype(torch.float32)", "float32", "float64"),
    ("globals()['SCALE'] = 3", "3", "4"),
    ("import sys\nsetattr(sys.modules[__name__], 'SCALE', 3)", "3", "4"),
    ("from operator import attrgetter\nx = 1", "x = 1", "x = 2"),
    ("def f(x=print(1)):\n    return x", "(1)", "(2)"),
    ("class C:\n    helper.x = 1", "= 1", "= 2"),
    ("def f() -> print(1):\n    return", "(1)", "(2)"),
    ("x: print(1) = 2", "(1)", "(2)"),
    ("for SCALE in (3,):\n    pass", "3", "4"),
    ("with open('x') as SCALE:\n    pass", "'x'", "'y'"),
    ("del SCALE", "SCALE", "helper"),
    ("claim = Claim(rules=[D.update(a=1)])\nD = {}", "a=1", "a=2"),
    ("claim = Claim(rules=[(SCALE := 1)])", "1", "2"),
    ("claim = Claim(scales={'smoke': grid(1)})\ndef grid(n):\n    D[n] = 1\nD = {}", "(1)", "(2)"),
    ("D = {}\ndef put(k):\n    D[k] = 1\nx = put(1)\ny = put(2)", "put(2)", "put(3)"),
    ("D = {}\ndef f(k):\n    g(k)\n    D[k] = 1\ndef g(k):\n    return f(k)\nx = f(1)\ny = g(2)", "g(2)", "g(3)"),
    ("match 1:\n    case SCALE:\n        pass", "match 1", "match 2"),
    ("async def f():\n    global SCALE", "SCALE", "helper"),
]


@pytest.mark.parametrize(("more", "old", "new"), HIDDEN)
def test_what_may_change_the_numbers_unseen_counts(fingerprint, more, old, new):
    assert old in more
    assert fingerprint(BASE + more) != fingerprint(BASE + more.replace(old, new))


def test_a_docstring_that_is_used_counts(fingerprint):
    text = BASE + "def words():\n    return measure.__doc__\n"
    assert fingerprint(text) != fingerprint(text.replace("Help.", "More."))


def test_files_beside_a_claim_count_with_what_they_import(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    path = write_claim(tmp_path)
    path.write_text(path.read_text().replace("import torch\n", "import torch\nimport helper_of_a_claim\n", 1))
    (tmp_path / "helper_of_a_claim.py").write_text("from package_of_a_claim import inner\nSIZE = 1\n")
    (tmp_path / "package_of_a_claim").mkdir()
    (tmp_path / "package_of_a_claim" / "__init__.py").write_text("")
    (tmp_path / "package_of_a_claim" / "inner.py").write_text("from . import deep\n")
    (tmp_path / "package_of_a_claim" / "deep.py").write_text("DEPTH = 1\n")
    seen = set()
    for name, text in (
        ("helper_of_a_claim.py", "from package_of_a_claim import inner\nSIZE = 1\n"),
        ("helper_of_a_claim.py", "from package_of_a_claim import inner\nSIZE = 2\n"),
        ("package_of_a_claim/deep.py", "DEPTH = 2\n"),
        ("package_of_a_claim/__init__.py", "X = 1\n"),
    ):
        (tmp_path / name).write_text(text)
        seen.add(Plan(local(path), "smoke").points[0].key)
    assert len(seen) == 4
    (tmp_path / "package_of_a_claim" / "deep.py").write_text("DEPTH = 2  # why\n")
    assert Plan(local(path), "smoke").points[0].key in seen


def test_a_claim_of_the_package_counts_with_its_papers_files():
    file = next(file for file in scan() if file.id == "facts/lower-bound")
    assert any("What the claims of this paper share" in text for text in file.local_modules)
    assert not any("class LinearMemory" in text for text in file.local_modules)

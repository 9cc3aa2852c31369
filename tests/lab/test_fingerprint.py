import pytest

from simonides.lab import code_fingerprint, keyword_fingerprint

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

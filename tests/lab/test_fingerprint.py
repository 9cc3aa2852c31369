import pytest

from simonides.lab.fingerprint import code_fingerprint

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
def fingerprint(tmp_path):
    def of(text):
        path = tmp_path / "file.py"
        path.write_text(text)
        return code_fingerprint(path, ["measure"])

    return of


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# why", "# another reason"),
        ('"""Help."""', '"""Help more."""'),
        ("return x * SCALE", "return (x   *  SCALE)"),
        ("math.pi", "math.e"),
        ('"""A file."""', '"""A better file."""'),
    ],
)
def test_words_and_unrelated_code_do_not_count(fingerprint, old, new):
    assert fingerprint(BASE) == fingerprint(BASE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"), [("SCALE = 2", "SCALE = 3"), ("x * SCALE", "x + SCALE"), ("return helper(x)", "return x")]
)
def test_what_measure_uses_counts(fingerprint, old, new):
    assert fingerprint(BASE) != fingerprint(BASE.replace(old, new))


def test_a_name_made_at_run_time_makes_the_whole_file_count(tmp_path):
    path = tmp_path / "file.py"
    path.write_text(BASE)
    first = code_fingerprint(path, ["made_elsewhere"])
    path.write_text(BASE.replace("math.pi", "math.e"))
    assert code_fingerprint(path, ["made_elsewhere"]) != first

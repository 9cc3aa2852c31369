"""What is a number in a text, and texts that come back as they were."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.papers.numbers.documents import PathPattern, Vocabulary, compact, key_of, like, number_paths
from simonides.papers.numbers.grammar import extract_numbers, spelled

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(10**15), 10**15)
    | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5-3", (5.0, 3.0)),
        ("-5--3", (-5.0, -3.0)),
        ("+.5 1e5 -1.5E-3", (0.5, 1e5, -0.0015)),
        ("(2)-3", (2.0, 3.0)),
        ("[1,-2,[3]]", (1.0, -2.0, 3.0)),
        ("planet0 3x 0x1F 1.2.3 '12' \"7\" 007 2_000 ½ ٣", ()),
        ("2024-11-23 3/4/2024 2024/3/4 12:30 12:30:45.5 2024-11-23T10:00:00Z", ()),
        ('"2024-11-23" "12:30"', ()),
        ("NaN Infinity -inf 5.e3 1e5.5", ()),
        ("\u22127 and -0", (-7.0, -0.0)),
        ("1,234 and 50%", (1.0, 234.0, 50.0)),
        ("it is 5.", (5.0,)),
        ("0 0.5 00.5", (0.0, 0.5)),
        ("", ()),
    ],
)
def test_what_a_number_is(text, values):
    found = extract_numbers(text)
    assert found.values == values
    assert found.restored() == text
    assert [math.copysign(1, value) for value in found.values] == [math.copysign(1, value) for value in values]


def test_a_number_too_large_is_named():
    with pytest.raises(SimonidesError, match="1e400 is too large"):
        extract_numbers("[1, 1e400]")
    with pytest.raises(SimonidesError, match="2 numbers for a text of 1"):
        extract_numbers("x 5").filled([1, 2])
    with pytest.raises(SimonidesError, match="cannot be written"):
        spelled(math.nan)


@given(st.text())
def test_any_text_comes_back(text):
    assert extract_numbers(text).restored() == text


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_are_read_as_they_were_written(numbers):
    found = extract_numbers(json.dumps(numbers))
    assert found.values == tuple(numbers)
    again = extract_numbers("[" + ",".join(map(spelled, numbers)) + "]")
    assert again.values == tuple(numbers)


@given(JSON)
def test_documents_come_back_through_any_vocabulary(document):
    text = compact(document)
    for vocabulary in (Vocabulary.learn([text]), Vocabulary.learn([])):
        symbols, numbers = vocabulary.encode(text)
        again = vocabulary.decode(symbols, numbers)
        # numbers may be written otherwise, and say the same
        assert extract_numbers(again).values == extract_numbers(text).values
        assert extract_numbers(again).pieces == extract_numbers(text).pieces


@given(JSON)
def test_each_number_has_its_path(document):
    assert len(number_paths(document)) == len(extract_numbers(compact(document)).values)


def test_lists_are_as_long_as_they_have_numbers():
    vocabulary = Vocabulary.learn(['{"x":[1,2,3]}'])
    symbols, numbers = vocabulary.encode('{"x":[4,5,6,7]}')
    assert len(symbols) == 4 + 4 and numbers == [4.0, 5.0, 6.0, 7.0]
    assert vocabulary.encode(",5,")[0][0] != vocabulary.encode("5")[0][0]  # a comma at an end is no separator
    with pytest.raises(SimonidesError, match="1 numbers for 4"):
        vocabulary.decode(symbols, [1.0])


def test_paths(unchecked):
    assert key_of("a[3].b[0]") == "a[*].b[*]"
    assert PathPattern('"my key"').meets('"my key"[2]')
    assert PathPattern("*.x").meets("a.x") and not PathPattern("*.x").meets("a[0].x")
    assert PathPattern("my key").meets('"my key"') and not PathPattern('"*"').meets("a")
    assert PathPattern("*").meets('"[x]"') and not PathPattern("a[0]").meets('a."[0]"')
    assert key_of('"x[0]"') == '"x[0]"'
    assert number_paths({"top 5 x": 1, "a": {"3 b": 2}}) == ["", '"top 5 x"', 'a."3 b"']
    for wrong in ("", "a..b", "a[", "[x]", "a]", '"\\x"', '"a\tb"', 5):
        with pytest.raises(SimonidesError, match="path"):
            PathPattern(wrong)


def test_what_is_no_json_is_told():
    with pytest.raises(SimonidesError, match="NaN or an infinite"):
        compact({"x": math.nan})
    with pytest.raises(SimonidesError, match="is no JSON"):
        compact({"x": {1, 2}})


def test_sequences_of_one_form():
    import torch

    sequences = like({"x": [0, 0], "y": 0}, torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    assert sequences.values[sequences.is_number].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    with pytest.raises(SimonidesError, match="2 numbers for a document of 3"):
        like({"x": [0, 0], "y": 0}, torch.zeros(1, 2))

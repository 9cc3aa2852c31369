import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.lab import Point, cells, digest_of, product, zipped


def point(**changes):
    definition = {"claim": "a/b", "version": 1, "code": "c0de", "parameters": (("d", 8),), "seed": 0}
    return Point(**{**definition, **changes})


def test_product_and_zip_combine():
    grid = product(kind=["a", "b"]) * zipped(d=[1, 2], facts=[3, 4]) + cells([{"kind": "c", "d": 9, "facts": 9}])
    assert len(grid.cells) == 5
    assert grid.cells[1] == {"kind": "a", "d": 2, "facts": 4}
    assert set(grid.axes) == {"kind", "d", "facts"}


def test_override_merges_cells_that_become_equal():
    assert product(d=[1, 2], n=[3, 4]).override({"d": 7}).cells == ({"d": 7, "n": 3}, {"d": 7, "n": 4})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: zipped(d=[1], n=[1, 2]), "different lengths"),
        (lambda: product(d=[1]) * product(d=[2]), "different parameters"),
        (lambda: cells([{"d": 1}, {"n": 2}]), "name different parameters"),
        (lambda: cells([{"d": 1}, {"d": 1}]), "same cell twice"),
        (lambda: product(d=[[1, 2]]), "is no int, float, str or bool"),
        (lambda: product(seed=[1]), "cannot name a parameter"),
        (lambda: product(d=[1]).with_seeds(0), "seeds = 0 is too small"),
    ],
)
def test_bad_grids(build, message, unchecked):
    with pytest.raises(SimonidesError, match=message):
        build()


@pytest.mark.parametrize(
    "changes",
    [{"claim": "a/c"}, {"version": 2}, {"code": "x"}, {"parameters": (("d", 9),)}, {"seed": 1}],
)
def test_whatever_can_change_a_number_changes_the_key(changes):
    assert point(**changes).key != point().key


def test_the_key_is_that_of_the_stored_definition():
    assert digest_of(point().definition) == point().key


@given(first=st.integers(0, 200), second=st.integers(0, 200))
def test_seeds_of_a_cell_never_share_a_stream(first, second):
    same = torch.equal(
        torch.rand(8, generator=point(seed=first).generator()),
        torch.rand(8, generator=point(seed=second).generator()),
    )
    assert same == (first == second)


def test_an_edited_measure_meets_the_same_draws():
    a, b = point().generator(), point(code="other", version=3).generator()
    assert torch.equal(torch.rand(4, generator=a), torch.rand(4, generator=b))

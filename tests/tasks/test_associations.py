import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError, zipf
from simonides.tasks import identity, injective, many_to_one, permutation, random_function


@given(inputs=st.integers(1, 60), extra=st.integers(0, 20), seed=st.integers(0, 99))
def test_injective_uses_no_answer_twice(inputs, extra, seed):
    targets = injective(inputs, inputs + extra, torch.Generator().manual_seed(seed))
    assert len(set(targets.tolist())) == inputs
    assert targets.max() < inputs + extra


def test_permutations_are_uniform():
    """All 6 permutations of 3, 6,000 draws: chi-square with 5 degrees of freedom, 0.1 % point 20.5."""
    g = torch.Generator().manual_seed(0)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(6000):
        key = tuple(permutation(3, g).tolist())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 6
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5


def test_random_function_covers_its_answers(generator):
    assert random_function(2000, 5, generator).unique().tolist() == [0, 1, 2, 3, 4]


def test_runs_are_independent_of_their_stack():
    gs = [torch.Generator().manual_seed(seed) for seed in range(3)]
    stack = random_function(10, 4, gs)
    assert torch.equal(stack[2], random_function(10, 4, torch.Generator().manual_seed(2)))


def test_identity_and_mod():
    assert identity(3).tolist() == [0, 1, 2]
    assert many_to_one(5, 3).tolist() == [0, 1, 2, 0, 1]


@given(inputs=st.integers(1, 300), exponent=st.floats(0, 3))
def test_zipf(inputs, exponent):
    p = zipf(inputs, exponent)
    assert p.sum().item() == pytest.approx(1, abs=1e-4)
    assert (p[0] / p[-1]).item() == pytest.approx(inputs**exponent, rel=1e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda g: identity(0),
        lambda g: many_to_one(3, 0),
        lambda g: injective(3, 2, g),
        lambda g: random_function(0, 2, g),
        lambda g: zipf(3, -1.0),
    ],
)
def test_bad_sizes(call, generator):
    with pytest.raises(SimonidesError):
        call(generator)

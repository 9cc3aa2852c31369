import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.memories import embed, embeddings
from simonides.memories.quantised import quantised


@given(count=st.integers(1, 12), extra=st.integers(0, 5), seed=st.integers(0, 1000))
def test_orthonormal_is_orthonormal(count, extra, seed):
    e = embed("orthonormal", count, count + extra, torch.Generator().manual_seed(seed))
    torch.testing.assert_close(e @ e.T, torch.eye(count), atol=1e-5, rtol=0)


def test_sphere_has_unit_norms(generator):
    torch.testing.assert_close(embed("sphere", 50, 7, generator).norm(dim=1), torch.ones(50))


def test_gaussian_has_unit_norms_on_average(generator):
    assert abs(embed("gaussian", 4000, 32, generator).square().sum(1).mean() - 1) < 0.02


@pytest.mark.parametrize("kind", embeddings.KINDS)
def test_a_run_does_not_depend_on_its_stack(kind):
    def generators(seeds):
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    stack = embed(kind, 5, 9, generators(range(4)))
    for seed in range(4):
        assert torch.equal(stack[seed], embed(kind, 5, 9, generators([seed])[0]))


@pytest.mark.parametrize("kind", ["orthonormal", "one_hot"])
def test_more_vectors_than_dimensions(kind, generator):
    with pytest.raises(SimonidesError, match="do not fit in d = 3"):
        embed(kind, 4, 3, generator)


@pytest.mark.parametrize(("kind", "count", "d"), [("sphere", 0, 3), ("sphere", 3, 0), ("sfere", 3, 3)])
def test_bad_arguments(kind, count, d, generator):
    with pytest.raises(SimonidesError):
        embed(kind, count, d, generator)


@pytest.mark.parametrize("bits", range(1, 9))
def test_quantised_keeps_that_many_levels_and_errs_as_published(bits, generator):
    """Mean squared errors of the best uniform quantiser of a Gaussian: Max (1960), table II."""
    published = {1: 0.3634, 2: 0.1188, 3: 0.03744, 4: 0.01154, 5: 0.003495, 6: 0.00104, 7: 3.04e-4, 8: 8.77e-5}
    weight = torch.randn(500, 500, generator=generator)
    rounded = quantised(weight, bits)
    assert len(rounded.unique()) <= 2**bits
    assert (weight - rounded).square().mean().item() == pytest.approx(published[bits], rel=0.05)


def test_quantised_zero_stays_zero():
    assert torch.equal(quantised(torch.zeros(2, 2), 4), torch.zeros(2, 2))

"""Low rank: the best approximation, its error, its controls."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.probes import decompose, decompose_leading


def matrix(m, n, seed=0):
    return torch.randn(m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 12), st.integers(0, 99))
@settings(max_examples=40)
def test_the_error_is_that_of_the_best_approximation(m, n, rank, seed):
    """Eckart & Young (1936), and what is kept and what is left add up."""
    weight = matrix(m, n, seed)
    parts = decompose(weight)
    rank = min(rank, m, n)
    cut = parts.at_rank(rank)
    assert torch.linalg.matrix_rank(cut) <= rank
    left = torch.linalg.svdvals(weight)[rank:].square().sum() ** 0.5
    assert float((weight - cut).norm()) == pytest.approx(float(left), abs=1e-9)
    assert parts.error(rank) == pytest.approx(float(left / weight.norm()), abs=1e-7)
    torch.testing.assert_close(cut + parts.rest(rank), weight)
    narrow, wide = parts.factors(rank)
    torch.testing.assert_close(narrow @ wide, cut)


def test_ranks_of_shares_and_energies():
    parts = decompose(torch.diag(torch.tensor([2.0, 1.0, 1.0, 1.0])))
    assert [parts.rank_of_share(share) for share in (0.0, 0.24, 0.25, 0.999, 1.0)] == [0, 0, 1, 3, 4]
    assert [parts.rank_of_energy(energy) for energy in (0.0, 0.5, 4 / 7, 0.6, 1.0)] == [0, 1, 1, 2, 4]
    assert decompose(torch.eye(4096)[:, :4096][:100]).rank_of_share(0.29) == 29  # 0.29 * 100 is below 29 in floats
    assert not decompose(torch.eye(3)).at_rank(0).any()


def test_random_projection_finds_the_leading_directions(generator):
    weight = matrix(80, 3) @ torch.diag(torch.tensor([9.0, 5.0, 2.0]).double()) @ matrix(3, 60) + 0.01 * matrix(
        80, 60
    )
    exact, found = decompose(weight), decompose_leading(weight, 3, generator)
    torch.testing.assert_close(found.values, exact.values[:3])
    torch.testing.assert_close(found.at_rank(3), exact.at_rank(3), atol=1e-6, rtol=1e-5)
    assert found.error(3) == pytest.approx(exact.error(3), rel=1e-4)
    with pytest.raises(SimonidesError, match="3 directions are decomposed"):
        found.at_rank(4)


def test_the_control_removes_as_many_directions(generator):
    parts = decompose(matrix(9, 7))
    assert torch.linalg.matrix_rank(parts.without_random(3, generator)) == 4
    torch.testing.assert_close(parts.without_random(0, generator), matrix(9, 7))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: p.rank_of_share(1.5), "no share of the rank"),
        (lambda p: p.rank_of_energy(-0.1), "no share of"),
        (lambda p: p.at_rank(8), "7 directions"),
    ],
)
def test_bad_arguments(call, said):
    with pytest.raises(SimonidesError, match=said):
        call(decompose(matrix(9, 7)))


def test_what_is_not_finite_is_refused():
    with pytest.raises(SimonidesError, match="NaN or infinite"):
        decompose(torch.full((2, 2), torch.nan))


def test_half_precision_is_decomposed_in_float32():
    assert decompose(matrix(4, 4).to(torch.bfloat16)).values.dtype == torch.float32

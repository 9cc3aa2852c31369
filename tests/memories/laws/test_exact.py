"""Exact laws and bounds against simulation, enumeration and scipy."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.memories import embed
from simonides.memories.laws import bounds, orthogonality, scores


@pytest.mark.parametrize("d", [2, 3, 16, 200])
@pytest.mark.parametrize("t", [-0.5, 0.0, 0.1, 0.7])
def test_inner_product_tail_is_a_beta_law(d, t):
    """(1 + <e_i, e_j>)/2 is Beta((d-1)/2, (d-1)/2)."""
    expected = scipy.stats.beta((d - 1) / 2, (d - 1) / 2).sf((1 + t) / 2)
    assert orthogonality.inner_product_tail(t, d) == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_largest_inner_product_is_the_median(generator):
    e = embed("sphere", 64 * 300, 24, generator).reshape(300, 64, 24)
    cosines = (e @ e.mT).abs() - 2 * torch.eye(64)
    predicted = orthogonality.largest_inner_product(24, 64)
    assert (cosines.amax((1, 2)) < predicted).float().mean().item() == pytest.approx(0.5, abs=0.09)


@pytest.mark.parametrize("kind", ["sphere", "gaussian"])
@pytest.mark.parametrize("correct", [True, False])
def test_score_variance_is_exact(kind, correct):
    """200,000 independent memories: input 0 with answer 0, two more with answer 0, three with answer 1."""
    g = torch.Generator().manual_seed(1)
    d, targets = 6, torch.tensor([0, 0, 0, 1, 1, 2])
    weights = torch.tensor([1.5, 1.0, 0.5, 2.0, 1.0, 1.0])
    e = embed(kind, 6 * 200_000, d, g).reshape(-1, 6, d)
    u = embed(kind, 3 * 200_000, d, g).reshape(-1, 3, d)
    coefficients = weights * (e * e[:, :1]).sum(-1)
    answer = 0 if correct else 1
    score = (coefficients * (u[:, targets] * u[:, answer : answer + 1]).sum(-1)).sum(-1)
    others = weights[1:].square()
    same = others[targets[1:] == answer].sum().item()
    variance = scores.score_variance(d, same, others.sum().item() - same, correct, 1.5, kind)
    assert score.mean().item() == pytest.approx(scores.score_mean(correct, 1.5), abs=0.03)
    assert score.var().item() == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize("both", [False, True])
def test_remapped_variance_is_exact(both):
    g = torch.Generator().manual_seed(2)
    d = 5
    e = embed("sphere", 2 * 200_000, d, g).reshape(-1, 2, d)
    w = torch.randn(200_000, d, d, generator=g) / d**0.5
    moved = e @ w.mT
    found = (moved[:, 0] * (moved if both else e)[:, 1]).sum(-1).square().mean().item()
    assert found == pytest.approx(orthogonality.remapped_inner_product_variance(d, both), rel=0.03)


@pytest.mark.parametrize("facts", [1, 2, 5, 20, 100])
def test_permutation_bits(facts):
    assert bounds.permutation_bits(facts) == pytest.approx(math.log2(math.factorial(facts)), abs=1e-9)


def test_fano_is_below_the_best_code_found_by_enumeration():
    """Every way to keep 2 of 3 random bits, or none: no code errs less than the bound allows."""
    facts = 3
    functions = list(itertools.product([0, 1], repeat=facts))
    for stored in range(facts + 1):
        # the code that keeps the first bits and guesses 0 for the rest errs in half of the others
        error = np.mean([sum(f[stored:]) / facts for f in functions])
        assert bounds.fano_bits(facts, 2, float(error)) <= stored + 1e-9


@given(facts=st.integers(1, 500), answers=st.integers(2, 500), error=st.floats(0, 1), step=st.floats(0, 0.2))
def test_fano_falls_with_error(facts, answers, error, step):
    more = min(1.0, error + step)
    assert bounds.fano_bits(facts, answers, more) <= bounds.fano_bits(facts, answers, error) + 1e-9
    assert 0 <= bounds.fano_bits(facts, answers, error) <= bounds.function_bits(facts, answers)


@given(facts=st.integers(1, 500), answers=st.integers(2, 500), share=st.floats(0, 1))
def test_largest_recall_inverts_fano(facts, answers, share):
    bits = share * bounds.function_bits(facts, answers)
    recall = bounds.largest_recall(facts, answers, bits)
    assert bounds.fano_bits(facts, answers, 1 - recall) == pytest.approx(bits, abs=1e-5 * (1 + bits))


def test_permutation_fano_at_its_ends():
    assert bounds.permutation_fano_bits(50, 0.0) == bounds.permutation_bits(50)
    assert bounds.permutation_fano_bits(50, 1.0) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: bounds.permutation_bits(0),
        lambda: bounds.fano_bits(3, 2, 1.5),
        lambda: bounds.bits_per_parameter(1.0, 0),
        lambda: scores.score_variance(4, -1, 0, True),
        lambda: orthogonality.largest_inner_product(1, 5),
        lambda: orthogonality.norm_variance(3, "cube"),
    ],
)
def test_bad_arguments_are_refused(call):
    with pytest.raises(SimonidesError):
        call()

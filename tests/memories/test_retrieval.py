"""Recall is the exact argmax, whatever screens it and however it is cut into blocks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.memories import margins, recall, top_answers


def brute(queries, candidates):
    return (queries.double() @ candidates.double().mT).argmax(-1)


@given(
    seed=st.integers(0, 10**6),
    queries=st.integers(1, 40),
    candidates=st.integers(1, 300),
    d=st.integers(1, 70),
    screen=st.sampled_from([None, torch.bfloat16, torch.float32]),
    scale=st.sampled_from([1e-12, 1.0, 1e12]),
)
@settings(max_examples=60)
def test_equals_the_float64_argmax(seed, queries, candidates, d, screen, scale):
    g = torch.Generator().manual_seed(seed)
    v, u = torch.randn(queries, d, generator=g) * scale, torch.randn(candidates, d, generator=g)
    assert torch.equal(recall(v, u, screen), brute(v, u))


@pytest.mark.parametrize("screen", [None, torch.bfloat16, torch.float32])
def test_near_ties_below_the_resolution_of_the_screen(screen, generator):
    """All candidates are one vector up to a few float32 steps: the screen sees them as equal."""
    base = torch.randn(64, generator=generator)
    u = base.expand(500, 64).clone()
    u += torch.randn(500, 64, generator=generator) * 1e-6
    v = torch.randn(20, 64, generator=generator)
    assert torch.equal(recall(v, u, screen), brute(v, u))


@pytest.mark.parametrize("screen", [None, torch.bfloat16, torch.float32])
def test_the_lowest_of_equal_candidates_wins_across_blocks(screen, generator, monkeypatch):
    monkeypatch.setattr("simonides.memories.retrieval._BLOCK", 2**9)
    u = torch.randn(8, 16, generator=generator).repeat(40, 1)
    v = torch.randn(30, 16, generator=generator)
    assert torch.equal(recall(v, u, screen), brute(v, u[:8]))


def test_block_size_changes_nothing(generator, monkeypatch):
    v, u = torch.randn(3, 50, 24, generator=generator), torch.randn(3, 700, 24, generator=generator)
    whole = recall(v, u)
    monkeypatch.setattr("simonides.memories.retrieval._BLOCK", 2**8)
    assert torch.equal(recall(v, u), whole)
    assert torch.equal(whole, brute(v, u))


def test_large_table_takes_the_short_format_and_agrees(generator):
    v, u = torch.randn(300, 128, generator=generator), torch.randn(5000, 128, generator=generator)
    assert torch.equal(recall(v, u), brute(v, u))


def test_many_leading_axes(generator):
    v, u = torch.randn(2, 3, 5, 8, generator=generator), torch.randn(2, 3, 9, 8, generator=generator)
    assert torch.equal(recall(v, u), brute(v, u))


def test_reduced_matmul_precision_is_covered(generator):
    v, u = torch.randn(100, 64, generator=generator), torch.randn(2000, 64, generator=generator)
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(recall(v, u, torch.float32), brute(v, u))
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_no_silent_argmax_of_nan(bad):
    with pytest.raises(SimonidesError, match="NaN or an infinity"):
        recall(torch.tensor([[bad, 1.0]]), torch.eye(2))


def test_widths_must_agree(unchecked):
    with pytest.raises(SimonidesError, match="width 3 and candidates 2"):
        recall(torch.ones(1, 3), torch.eye(2))


def test_top_answers_equal_topk(generator, monkeypatch):
    monkeypatch.setattr("simonides.memories.retrieval._BLOCK", 64)
    v, u = torch.randn(4, 8, generator=generator), torch.randn(100, 8, generator=generator)
    scores, index = top_answers(v, u, 7)
    expected = (v @ u.T).topk(7)
    torch.testing.assert_close(scores, expected.values, check_dtype=False)
    assert torch.equal(index, expected.indices)


def test_margins_equal_brute_force_and_sign_says_recalled(generator, monkeypatch):
    monkeypatch.setattr("simonides.memories.retrieval._BLOCK", 2**8)
    v, u = torch.randn(2, 30, 8, generator=generator), torch.randn(2, 12, 8, generator=generator)
    targets = torch.randint(12, (2, 30), generator=generator)
    scores = v @ u.mT
    right = scores.gather(-1, targets[..., None])[..., 0]
    rival = scores.scatter(-1, targets[..., None], -torch.inf).amax(-1)
    found = margins(v, u, targets)
    torch.testing.assert_close(found, right - rival, check_dtype=False)
    assert torch.equal(found > 0, recall(v, u) == targets)


def test_margin_with_one_candidate_is_infinite():
    assert margins(torch.ones(1, 2), torch.ones(1, 2), torch.tensor([0])).item() == float("inf")


@pytest.mark.parametrize("screen", [None, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("scales", [(1e20, 1.0), (1e25, 1e12), (1e-24, 1.0), (1e-30, 1e-8), (1e-40, 1e30)])
def test_scales_at_which_squares_overflow_or_vanish(scales, screen, generator):
    v = torch.randn(50, 128, generator=generator) * scales[0]
    u = torch.randn(2000, 128, generator=generator) * scales[1]
    assert torch.equal(recall(v, u, screen), brute(v, u))


@pytest.mark.parametrize("screen", [torch.bfloat16, torch.float32])
def test_candidates_of_very_different_lengths(screen, generator):
    u = torch.randn(600, 32, generator=generator) * torch.logspace(0, -30, 600)[:, None]
    v = -u[:1].expand(20, 32) + 1e-3 * torch.randn(20, 32, generator=generator)
    assert torch.equal(recall(v, u, screen), brute(v, u))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_formats(dtype, generator):
    v = (torch.randn(50, 64, generator=generator) * 100).to(dtype)
    u = (torch.randn(3000, 64, generator=generator) * 100).to(dtype)
    assert torch.equal(recall(v, u), brute(v, u))


@pytest.mark.parametrize("d", [1, 5, 17, 64])
@pytest.mark.parametrize("candidates", [2, 5, 500, 700])
def test_the_lowest_of_identical_candidates_wins_whatever_the_kernel(d, candidates, generator):
    u = torch.randn(1, d, generator=generator).expand(candidates, d).clone()
    v = torch.randn(9, d, generator=generator)
    assert recall(v, u).eq(0).all()


def test_large_finite_entries_are_no_infinity():
    assert recall(torch.full((1, 100), 1e37), torch.full((2, 100), 1e37)).tolist() == [0]


@pytest.mark.parametrize("candidates", [3, 900])
def test_no_queries(candidates):
    assert recall(torch.empty(0, 4), torch.ones(candidates, 4)).shape == (0,)


@pytest.mark.parametrize("candidates", [40, 900])
def test_of_tensors_that_are_being_trained(candidates, generator):
    v = torch.randn(5, 8, generator=generator, requires_grad=True)
    u = torch.randn(candidates, 8, generator=generator, requires_grad=True)
    assert torch.equal(recall(v, u), brute(v, u))


@pytest.mark.parametrize("candidates", [40, 900])
def test_of_two_formats(candidates, generator):
    v = torch.randn(5, 8, generator=generator)
    u = torch.randn(candidates, 8, generator=generator, dtype=torch.float64)
    assert torch.equal(recall(v, u), brute(v, u))
    assert torch.equal(recall(v.half(), u.float()), brute(v.half(), u.float()))

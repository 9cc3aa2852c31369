"""Zipf's exponent on draws of a known law, and advice by rule."""

import pytest
import torch

from simonides.base import SimonidesError, zipf
from simonides.papers.imbalance.corpus import corpus_report, zipf_exponent


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 1.6])
def test_the_exponent_of_draws(alpha):
    p = zipf(200, alpha)
    counts = torch.bincount(
        torch.multinomial(p, 400_000, replacement=True, generator=torch.Generator().manual_seed(0)), minlength=200
    )
    found = corpus_report(counts)
    # sorting by what was drawn makes equal classes look unequal by their standard deviation, 2 % here
    assert found.exponent.value == pytest.approx(alpha, abs=0.03)


def test_intervals_cover_the_truth_where_order_is_known():
    p = zipf(50, 1.0)
    inside = 0
    for seed in range(200):
        draws = torch.multinomial(p, 5000, replacement=True, generator=torch.Generator().manual_seed(seed))
        low, high = zipf_exponent(torch.bincount(draws, minlength=50).double(), 1, 50).interval
        inside += low <= 1.0 <= high
    assert 182 <= inside <= 198  # 95 % of 200, within what chance allows


def test_advice_is_by_rule():
    assert corpus_report([100] * 20).advice[0].startswith("Balanced")
    assert corpus_report([100] * 20).median_ratio == 1.0
    heavy = corpus_report((1e6 * zipf(5000, 1.0)).round())
    assert heavy.advice[0].startswith("Heavy-tailed")
    assert f"{heavy.median_ratio:.3g} times rarer" in heavy.advice[0]
    assert corpus_report([5, 0]).unseen == 1
    assert "one class" in corpus_report([5, 0]).advice[0]
    assert any("fewer than ten samples" in line for line in corpus_report([1000, *[2] * 9]).advice)


def test_exponents_by_decades_of_ranks():
    counts = torch.cat([1e6 / torch.arange(1, 11), 1e5 * (torch.arange(11, 101) / 10.0) ** -2.0]).round()
    local = corpus_report(counts).local
    assert [one.ranks for one in local] == [(1, 10), (10, 100)]
    assert local[0].value == pytest.approx(1.0, abs=0.01) and local[1].value == pytest.approx(2.0, abs=0.05)


def test_shares_and_too_few_ranks_are_refused():
    with pytest.raises(SimonidesError, match="whole numbers"):
        corpus_report([0.5, 0.5])
    with pytest.raises(SimonidesError, match="two or more"):
        zipf_exponent(torch.tensor([3.0, 2.0]), 1, 1)
    assert corpus_report([3, 2]).exponent is None

"""Intervals cover as often as they say, and agree with scipy's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simonides.base import Estimate, combination, holm, lack_of_fit, mean_estimate, runs_needed, share_interval

EXACT = Estimate(value=0.0, error=0.0, freedom=math.inf)
VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20).filter(lambda v: np.ptp(v) > 1e-6)


@given(VALUES)
def test_means_are_student_s(values):
    expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert mean_estimate(values).interval() == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(VALUES, VALUES)
def test_differences_are_welch_s(first, second):
    n = min(len(first), len(second))
    runs = np.array([first[:n], second[:n]])
    if min(np.ptp(first[:n]), np.ptp(second[:n])) < 1e-6:
        return
    error, freedom = combination(np.array([1.0, -1.0]), runs, (0, 1))
    found = stats.ttest_ind(*runs, equal_var=False)
    assert freedom == pytest.approx(found.df, rel=1e-6)
    assert (runs[0].mean() - runs[1].mean()) / error == pytest.approx(found.statistic, rel=1e-6)


@given(VALUES)
def test_cells_that_share_their_runs_are_paired(values):
    runs = np.array([values, np.roll(values, 1)])
    error, freedom = combination(np.array([1.0, -1.0]), runs, (0, 0))
    if np.ptp(runs[0] - runs[1]) > 1e-6:
        assert error == pytest.approx(stats.sem(runs[0] - runs[1]), rel=1e-6)
        assert freedom == pytest.approx(len(values) - 1)


@pytest.mark.parametrize("n", [5, 8, 16])
def test_a_mean_is_covered_as_often_as_it_says(n):
    draws = np.random.default_rng(0).standard_normal((20_000, n))
    ends = np.array([mean_estimate(row).interval() for row in draws])
    assert np.mean((ends[:, 0] <= 0) & (ends[:, 1] >= 0)) == pytest.approx(0.95, abs=0.005)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_shares_are_clopper_s_and_pearson_s(counted):
    found = stats.binomtest(*counted).proportion_ci(0.95, "exact")
    assert share_interval(*counted) == pytest.approx((found.low, found.high), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_none_and_bonferroni(p_values):
    corrected = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1.0, p * len(p_values)) + 1e-12
    order = np.argsort(p_values, kind="stable")
    assert all(a <= b for a, b in zip(np.array(corrected)[order], np.array(corrected)[order][1:], strict=False))
    assert min(corrected) == pytest.approx(min(1.0, len(p_values) * min(p_values)))


def test_exact_numbers_are_inside_or_outside():
    one = Estimate(value=1.0, error=0.0, freedom=math.inf)
    assert one.interval() == (1.0, 1.0) and one.inside(1.0, 2.0) and not one.inside(1.1, 2.0)
    assert one.p_outside(1.1, 2.0) == 0.0 and one.p_outside(0.0, 1.0) == 1.0
    unknown = mean_estimate([math.nan])
    assert math.isnan(unknown.value) and not unknown.inside(-math.inf, math.inf) and unknown.p_outside(0, 1) == 1.0
    assert mean_estimate([2.0]).interval() == (-math.inf, math.inf)


def test_points_that_scatter_as_they_should_fit():
    rng = np.random.default_rng(1)
    p = [lack_of_fit(rng.standard_normal(8) * 0.3, np.full(8, 0.3), 0, 1e6) for _ in range(500)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert lack_of_fit(np.full(8, 3.0), np.full(8, 0.3), 1, 20) < 1e-6


def test_runs_needed_shrink_the_interval_into_the_room():
    estimate = mean_estimate(np.random.default_rng(2).standard_normal(8))
    n = runs_needed(estimate, 8, 0.1, 0.95)
    per_run = estimate.error * math.sqrt(8)
    assert n is not None and stats.t.ppf(0.95, n - 1) * per_run / math.sqrt(n) <= 0.1
    assert runs_needed(estimate, 8, 0.0, 0.95) is None and runs_needed(EXACT, 1, 0.1, 0.95) == 1

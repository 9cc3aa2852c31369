"""Intervals, slopes and corrections: every interval that is shown anywhere is made here.

Letters: `n` values of one quantity, one for each run, question or sequence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

# resamples of a bootstrap
RESAMPLES = 2000
# a deterministic number is as exact as float64 sums are
_ROUNDING = 1e-12
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its standard error and the degrees of freedom that the error is known with.

    An exact number has error 0 and infinite freedom; of one run alone the error is infinite.
    """

    value: float
    error: float
    freedom: float

    def interval(self, confidence: float = 0.95) -> Interval:
        """Two-sided, by Student's t.

        >>> low, high = Estimate(value=1.0, error=0.1, freedom=4).interval()
        >>> round(low, 3), round(high, 3)
        (0.722, 1.278)
        """
        if not math.isfinite(self.value):
            return (-math.inf, math.inf)
        if self.error == 0:
            return self.value, self.value
        reach = quantile((1 + confidence) / 2, self.freedom) * self.error
        return self.value - reach, self.value + reach

    def p_outside(self, low: float, high: float) -> float:
        """One-sided p-value of the hypothesis that the truth lies in [low, high]: small where it lies beyond an end."""
        beyond = max(low - self.value, self.value - high)
        slack = _ROUNDING * max(1.0, abs(self.value))
        if not math.isfinite(self.value) or beyond <= slack:
            return 1.0
        if self.error == 0:
            return 0.0
        return tail(beyond / self.error, self.freedom)

    def inside(self, low: float, high: float, confidence: float = 0.90) -> bool:
        """Whether the two-sided interval lies in [low, high]: two one-sided tests, each of size (1 - confidence)/2."""
        if not math.isfinite(self.value):
            return False
        bottom, top = self.interval(confidence)
        slack = _ROUNDING * max(1.0, abs(self.value))
        return low - slack <= bottom and top <= high + slack


# of a number that there is none of
UNKNOWN = Estimate(value=math.nan, error=math.inf, freedom=0)


def quantile(share: float, freedom: float) -> float:
    """The quantile of Student's t, or of the normal law where the freedom is infinite."""
    from scipy.special import ndtri, stdtrit

    if freedom <= 0:
        return math.inf
    return float(ndtri(share)) if math.isinf(freedom) else float(stdtrit(freedom, share))


def tail(t: float, freedom: float) -> float:
    """P(T > t)."""
    from scipy.special import ndtr, stdtr

    if freedom <= 0 or not math.isfinite(t):
        return 1.0 if freedom <= 0 else 0.0
    return float(ndtr(-t)) if math.isinf(freedom) else float(stdtr(freedom, -t))


def combination(
    coefficients: Float[np.ndarray, " cells"], runs: Float[np.ndarray, "cells n"], groups: Sequence[object]
) -> tuple[float, float]:
    """Standard error of sum_i c_i mean_i, and its degrees of freedom (Welch 1947, Satterthwaite 1946).

    Arguments:
        coefficients: c.
        runs: values of the runs of each cell; NaN where there is none.
        groups: cells of one group share their runs, as the rows of a training do; groups are independent.
    """
    variances, freedoms = [], []
    for group in dict.fromkeys(groups):
        place = np.array([other == group for other in groups])
        weights = coefficients[place]
        if not np.any(weights):
            continue
        used = runs[place][weights != 0]
        whole = np.isfinite(used).all(0)
        n = int(whole.sum())
        if n < 2:
            return math.inf, 0.0
        values = weights[weights != 0] @ used[:, whole]
        variances.append(float(np.var(values, ddof=1)) / n)
        freedoms.append(n - 1)
    total = sum(variances)
    if total <= 0:
        return 0.0, float(sum(freedoms)) or math.inf
    freedom = total**2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    return math.sqrt(total), freedom


def mean_estimate(values: Sequence[float] | Float[np.ndarray, " n"]) -> Estimate:
    """The mean of independent values; those that are not finite are left out.

    >>> estimate = mean_estimate([1.0, 2.0, 3.0])
    >>> estimate.value, round(estimate.error, 3), estimate.freedom
    (2.0, 0.577, 2.0)
    """
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    if len(array) == 0:
        return UNKNOWN
    error, freedom = combination(np.ones(1), array[None], (0,))
    return Estimate(value=float(array.mean()), error=error, freedom=freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected so that among all of them any false one is found with the stated probability (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected, largest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def runs_needed(estimate: Estimate, runs: int, room: float, share: float, most: int = 100_000) -> int | None:
    """How many runs would bring t(share) times the standard error under `room`; None where no number would.

    Arguments:
        estimate: of `runs` runs.
        room: from the value to the end of the band.
        share: of the one-sided interval, such as 0.95.
    """
    if not (math.isfinite(estimate.error) and room > 0):
        return None
    if estimate.error == 0:
        return runs
    per_run = estimate.error * math.sqrt(runs)
    freedom_per_run = max(estimate.freedom, 1.0) / max(runs - 1, 1)
    n = runs
    while n <= most:
        if quantile(share, freedom_per_run * (n - 1)) * per_run / math.sqrt(n) <= room:
            return n
        n = n + max(1, n // 50)
    return None


def log_mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, Interval]:
    """The geometric mean of positive values and its interval, by Student's t for their logarithms.

    The interval of a single value is (0, infinity).

    >>> mean, (low, high) = log_mean_interval([9.0, 10.0, 11.0])
    >>> round(mean, 2), round(low, 1), round(high, 1)
    (9.97, 7.8, 12.8)
    """
    if len(values) < 2:
        return float(values[0]), (0.0, math.inf)
    estimate = mean_estimate([math.log(value) for value in values])
    low, high = estimate.interval(confidence)
    return math.exp(estimate.value), (math.exp(low), math.exp(high))


def share_interval(count: float, total: int, confidence: float = 0.95) -> Interval:
    """The interval of a share, of which `count` of `total` independent draws were seen (Clopper & Pearson 1934).

    >>> low, high = share_interval(0, 100)
    >>> low, round(high, 3)
    (0.0, 0.036)
    """
    from scipy.special import betaincinv

    rest = (1 - confidence) / 2
    low = 0.0 if count <= 0 else float(betaincinv(count, total - count + 1, rest))
    high = 1.0 if count >= total else float(betaincinv(count + 1, total - count, 1 - rest))
    return low, high


def mean_interval(values: Float[Tensor, " n"], generator: torch.Generator) -> Interval:
    """The 95 % percentile bootstrap of a mean over many values, such as one for each question."""
    rows = torch.randint(len(values), (RESAMPLES, len(values)), generator=generator)
    low, high = values.double()[rows].mean(1).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    return float(low), float(high)


def log_slope(
    x: Float[np.ndarray, " points"], y: Float[np.ndarray, "*draws points"]
) -> Float[np.ndarray, "*draws"]:
    """The exponent b of y ~ x^b: the least-squares slope of log y against log x, for each row of y.

    Entries of y that are not positive make a row's slope NaN or infinite.

    >>> bool(log_slope(np.array([1.0, 2.0, 4.0]), np.array([3.0, 12.0, 48.0])).round(6) == 2.0)
    True
    """
    centred = np.log(x) - np.log(x).mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.log(y) @ centred / (centred @ centred))


def lack_of_fit(
    residuals: Float[np.ndarray, " points"], errors: Float[np.ndarray, " points"], fitted: int, freedom: float
) -> float:
    """p-value of points that scatter about a fitted line by no more than their standard errors (F test).

    Arguments:
        residuals: of the points.
        errors: their standard errors.
        fitted: numbers of the line that were fitted.
        freedom: that the errors are known with.
    """
    from scipy.special import fdtrc

    more = len(residuals) - fitted
    if more < 1 or not (np.all(errors > 0) and np.all(np.isfinite(errors))):
        return math.nan
    return float(fdtrc(more, freedom, float(np.sum((residuals / errors) ** 2)) / more))

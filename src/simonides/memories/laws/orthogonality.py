"""Near-orthogonality: the laws of norms and inner products of random embeddings.

Random vectors of R^d are nearly orthogonal: their inner products are of order 1/sqrt(d), so many more than d
of them can be told apart. All functions but `largest_inner_product` are exact at finite d.
"""

import numpy as np
from scipy.special import betainc, betaincinv

from simonides.base import check_at_least, check_name

KINDS = ("sphere", "gaussian")


def norm_variance(d: int, kind: str = "sphere") -> float:
    """Variance of |e|^2, whose mean is 1: zero on the sphere, 2/d for entries N(0, 1/d) (a chi-square law).

    >>> norm_variance(64, "gaussian")
    0.03125
    """
    _check(d, kind)
    return 0.0 if kind == "sphere" else 2 / d


def inner_product_variance(d: int) -> float:
    """Variance of <e_i, e_j>, i != j, whose mean is 0: 1/d for either kind."""
    check_at_least("d", d, 1)
    return 1 / d


def inner_product_tail(threshold: float, d: int) -> float:
    """P(<e_i, e_j> > t) on the unit sphere of R^d: I_{1 - t^2}((d - 1)/2, 1/2) / 2 for t >= 0.

    The square of a coordinate of a uniform unit vector is Beta(1/2, (d - 1)/2) distributed.

    >>> round(inner_product_tail(0.0, 10), 3)
    0.5
    """
    check_at_least("d", d, 2)
    inside = min(threshold * threshold, 1.0)
    half = 0.5 * float(betainc((d - 1) / 2, 0.5, 1 - inside))
    return half if threshold >= 0 else 1 - half


def largest_inner_product(d: int, count: int, quantile: float = 0.5) -> float:
    """Quantile of max_{i<j} |<e_i, e_j>| over `count` vectors of the unit sphere of R^d.

    Solves P(|<e_i, e_j>| <= t)^{pairs} = quantile with pairs = count (count - 1)/2. The pairs are pairwise
    independent and treated as independent; the law of the maximum then holds up to terms that vanish with
    the tail (Cai, Fan & Jiang 2013, for its limit). About sqrt(4 log(count)/d) for large count.
    """
    check_at_least("d", d, 2)
    check_at_least("count", count, 2)
    pairs = count * (count - 1) / 2
    outside = -np.expm1(np.log(quantile) / pairs)
    return float(np.sqrt(1 - betaincinv((d - 1) / 2, 0.5, outside)))


def remapped_inner_product_variance(d: int, both: bool) -> float:
    """Variance of <W e_i, e_j>, or of <W e_i, W e_j> when `both`, for W with entries N(0, 1/d), unit vectors.

    A random matrix maps embeddings to fresh, nearly orthogonal ones ("remapping", Bietti et al. 2023,
    section 3): <W e_i, e_j> ~ N(0, 1/d) exactly, also for i = j. For both remapped,
    E <W a, W b>^2 = rho^2 + (1 + rho^2)/d with rho = <a, b>, whose mean over rho is (2 + 1/d)/d.

    >>> round(remapped_inner_product_variance(100, both=True), 4)
    0.0201
    """
    check_at_least("d", d, 1)
    return (2 + 1 / d) / d if both else 1 / d


def _check(d: int, kind: str) -> None:
    check_at_least("d", d, 1)
    check_name("embedding", kind, KINDS)

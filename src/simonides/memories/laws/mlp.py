"""Finite-size recall of the two-layer memories that `MLPMemory.store` and `store_tokens` construct.

With pairs = m/2 of hidden units, the memory returns c_k sum_x u_{f(x)} <e, e_x>^{k+1} and noise from the finite
number of random units. Two limits follow, each a variance in units of the signal (here with its constants):

crosstalk, of one other fact:  E<e, e_x>^{2k+2} = (2k+1)!! / (d (d+2) ... (d+2k))
finite width, in each direction:  (E[s'^2] (N-1)/d + E[s'^2 h_k^2]) / (pairs c_k^2)
and more along the right answer:  (2 E[s'^2 h_k^2] - c_k^2) / (pairs c_k^2)

The signal is a mean over pairs of g^2 s' h_k / c_k, g normal; a shifted Gamma law takes over its first three
moments.

So N of about m d facts fit, until the crosstalk of the degree sets an end at about d^{k+2}. Nichani, Lee & Bietti
(2025), theorem 2.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_share, coefficient, largest, normal_mean
from simonides.base.hermite import hermite
from simonides.memories.laws.interference import (
    Input,
    Output,
    coordinate_nodes,
    expected_recall,
    gamma_nodes,
    normal_nodes,
    one_node,
    recall_among,
)
from simonides.memories.mlp import check_width

# shares of answers below this are left out
_RARE = 1e-6
Derivative = Callable[[Float[Tensor, " n"]], Float[Tensor, " n"]]


def step(z: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The derivative of ReLU."""
    return (z > 0).to(z)


def relu_coefficient(degree: int) -> float:
    """c_k of the derivative of ReLU: 1/2, then h_{k-1}(0) / sqrt(2 pi k), which is zero for even k >= 2.

    >>> relu_coefficient(0), relu_coefficient(2), round(relu_coefficient(1), 4)
    (0.5, 0.0, 0.3989)
    """
    check_at_least("degree", degree, 0)
    if degree == 0:
        return 0.5
    if degree % 2 == 0:
        return 0.0
    at_zero = float(hermite(degree - 1, torch.zeros((), dtype=torch.float64)))
    return at_zero / math.sqrt(2 * math.pi * degree)


def overlap_moment(d: int, power: int) -> float:
    """E<e, e'>^{2p} of independent uniform unit vectors: (2p - 1)!! / (d (d+2) ... (d+2p-2)).

    >>> overlap_moment(4, 1), overlap_moment(4, 2)
    (0.25, 0.125)
    """
    return math.prod((2 * j + 1) / (d + 2 * j) for j in range(power))


def mlp_recall(d: int, facts: int, width: int, degree: int = 1, derivative: Derivative = step) -> float:
    """Expected recall of N facts with an answer each in `width` hidden units; unit-sphere embeddings.

    Arguments:
        d: width of inputs and outputs.
        facts: N.
        width: m, hidden units, half as many pairs.
        degree: k, whose coefficient in `derivative` must not be zero.
        derivative: s', of ReLU unless given.

    Raises:
        SimonidesError: when the coefficient is zero, a size makes no sense, or the law was not checked there.

    >>> mlp_recall(32, 100, 256) < mlp_recall(32, 100, 1024)
    True
    """
    check_at_least("d", d, 2)
    check_at_least("facts", facts, 1)
    check_width(width)
    if degree > 1 or 2 * width < d:
        raise SimonidesError(
            f"degree = {degree} with {width} hidden units at d = {d}: this law is known to be near for degrees 0 and 1 "
            "with at least d/2 hidden units; simulate with MLPMemory.store."
        )
    return _recall(d, facts, width, degree, derivative)


def _recall(d: int, facts: int, width: int, degree: int, derivative: Derivative) -> float:
    """The same at any degree and width."""
    scale = coefficient(derivative, degree)
    if abs(scale) < 1e-6:
        raise SimonidesError(f"the derivative has no Hermite coefficient of degree {degree}; give another.")
    flat = normal_mean(lambda z: derivative(z) ** 2) / scale**2
    square = normal_mean(lambda z: (derivative(z) * hermite(degree, z) / scale) ** 2)
    cube = normal_mean(lambda z: (derivative(z) * hermite(degree, z) / scale) ** 3)
    pairs = width // 2
    noise = flat * (facts - 1) / d / pairs
    # an even power of the overlaps has a mean, which lifts every rival and pushes all answers one way
    mean = overlap_moment(d, (degree + 1) // 2) if degree % 2 else 0.0
    crosstalk = overlap_moment(d, degree + 1) - mean**2
    noise += (facts - 1) * mean**2 / d
    inputs, output = _laws(d, crosstalk, noise, pairs, (1.0, square, cube), 1 - mean)
    return expected_recall([1] * facts, d, inputs, output)


@cache
def token_recall(d: int, subjects: int, relations: int, answers: int, width: int) -> float:
    """Expected recall of S R facts of two tokens, as `MLPMemory.store_tokens` keeps them with s' = z^2 - 1.

    For a fact whose tokens overlap by rho = <e_s, e_r>, of variance 1/d, the signal is
    (1 + rho)(1 + 2 rho + 2 rho^2). A fact that shares a token adds E[x^2 (1 + x)^2]/4 = (1 + 6/d)/(2 d) to the
    crosstalk, x ~ N(0, 2/d) the overlaps of its other token; one that shares none 4/d^3; both times (1 + rho)^4. How
    many of an answer's facts share a token is binomial. The finite width adds the moments of `_token_moments`, over
    pairs.

    Against memories that were built it is too low where pairs are few, whose noise has heavier tails than a normal
    one (0.65 for 0.725 +- 0.006 at d = 64, 9 x 7 facts, 40 answers, m = 600; 0.82 for 0.869 +- 0.006 at 8 x 8, 64,
    1024), and too high where a fact has many rivals (0.84 for 0.798 +- 0.003 at d = 48, 20 x 20, 60 answers, m = 3000);
    within 0.01 at the four other sizes measured, of m >= 2000.

    Arguments:
        d: width.
        subjects: S.
        relations: R.
        answers: how many there are to draw each fact's answer from.
        width: m, hidden units, half as many pairs.
    """
    for name, value in (("d", d), ("subjects", subjects), ("relations", relations), ("answers", answers)):
        check_at_least(name, value, 1)
    check_width(width)
    facts, sharing = subjects * relations, subjects + relations - 2
    apart = facts - 1 - sharing
    pairs = width // 2
    weak, strong = 4 / d**3, (1 + 6 / d) / (2 * d)
    distinct = min(answers, facts)
    few = facts / distinct  # facts to an answer
    # an answer is a stronger rival for each of its facts that shares a token with the one asked for
    shares = _binomial(sharing, 1 / distinct)
    rivals = {
        max(few - k, 0.0) + k * strong / weak: (distinct - 1) * share
        for k, share in enumerate(shares)
        if share > _RARE
    }
    overlap, weights = coordinate_nodes(d, 9)
    recall = 0.0
    for rho, weight in zip(overlap / d**0.5, weights, strict=True):
        signal = (1 + rho) * (1 + 2 * rho + 2 * rho**2)
        flat, one, both, cube = _token_moments(rho)
        noise = (flat * apart * (1 + rho) / d + one * sharing * (1 + rho) ** 2 / 4) / pairs
        terms = (signal, both * (1 + rho) ** 2, cube * (1 + rho) ** 3)
        inputs, output = _laws(d, weak * (1 + rho) ** 4, noise, pairs, terms, signal)
        for k, share in enumerate(shares):  # facts of the right answer that share a token
            if share > _RARE:
                own = 1 + max(few - 1 - k, 0.0) + k * strong / weak
                recall += weight * share * recall_among(own, rivals, d, inputs, output)
    return float(recall) if distinct > 1 else 1.0


def _binomial(count: int, share: float) -> list[float]:
    return [math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)]


def _token_moments(rho: float) -> tuple[float, float, float, float]:
    """E[s'^2], E[s'^2 a^2], E[s'^2 a^2 b^2], E[(s' a b)^3]: s' = z^2 - 1, z = (a + b)/sqrt(2), normal a, b.

    Of correlation rho: z and c = (a - b)/sqrt(2) are independent, of variances 1 + rho and 1 - rho. Seven nodes of
    each are exact for these polynomials.
    """
    nodes, weights = normal_nodes(7)
    z, c = (1 + rho) ** 0.5 * nodes[:, None], (1 - rho) ** 0.5 * nodes
    a, b, derivative = (z + c) / 2**0.5, (z - c) / 2**0.5, z**2 - 1
    one, both = derivative * a, derivative * a * b
    integrands = (derivative**2 + 0 * c, one**2, both**2, both**3)
    flat, square, fourth, cube = (float(weights @ values @ weights) for values in integrands)
    return flat, square, fourth, cube


@cache
def mlp_capacity(d: int, width: int, degree: int = 1, accuracy: float = 0.99) -> int:
    """The largest N whose expected recall is at least `accuracy`; ReLU.

    >>> mlp_capacity(32, 64) < mlp_capacity(32, 256)
    True
    """
    check_share("accuracy", accuracy)
    return largest(lambda facts: mlp_recall(d, facts, width, degree) >= accuracy, resolution=1 / 200)


def degree_for(d: int, facts: int) -> int:
    """The least degree of ReLU, of 0, 1, 3, 5, ..., whose crosstalk lets N facts through, about log N / log d.

    Whose 99 % recall at infinite width is above N.

    >>> degree_for(32, 20), degree_for(32, 250)
    (0, 1)
    """
    check_at_least("d", d, 3)
    check_at_least("facts", facts, 1)
    degree = 0
    while _recall(d, facts, 2**60, degree, step) < 0.99:
        degree += 1 if degree == 0 else 2
    return degree


def _laws(
    d: int, crosstalk: float, noise: float, pairs: int, terms: tuple[float, float, float], signal: float
) -> tuple[Input, Output]:
    """The laws of signal and noise, from the first three moments of what a pair adds to the signal, g left out.

    The fact's own term adds noise in other directions too, which is weak where the signal is.
    """
    mean, square, cube = terms
    spread = ((3 * square - mean**2) / pairs) ** 0.5
    skewness = (15 * cube - 9 * mean * square + 2 * mean**3) / pairs**2 / spread**3
    strength, weights = gamma_nodes(1.0, skewness**2 / 4)
    strength = signal + spread * (strength - 1) * 2 / skewness
    inputs = Input(
        signal=strength,
        variance=np.full(len(strength), crosstalk),
        weights=weights,
        dimension=d,
        isotropic=d * noise,
        own=square / pairs * np.maximum(strength, 0) / signal,
    )
    return inputs, Output(norms=one_node(1.0), coordinate=1 / d, spread=0.0, bounded=True)

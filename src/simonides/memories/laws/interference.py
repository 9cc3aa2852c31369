"""How interference costs recall: the expectation behind every curve of stored sums.

Letters: `d` width, `N` facts (stored inputs), `K` answers, n_y inputs that share answer y.

The argument, for unit-sphere embeddings. Query the memory with a stored input x whose answer is y. With
a_k = sum_{x': f(x') = k} <e_x', e_x>, the memory returns v = sum_k a_k u_k, where a_y = 1 + noise and a_k is
noise of variance n_k/d. For one rival k write rho = <u_k, u_y>, g = sum_{j != y, k} a_j u_j, z = <u_y, g>
and G for the length of g orthogonal to u_y. Then, without approximation::

    score_y - score_k = (1 - rho) (a_y + z - a_k) - sqrt(1 - rho^2) G s

with s a coordinate of a uniform unit vector of R^{d-1}. Treating the rivals as independent given
(a_y + z, G) gives recall = E[prod_k (1 - p_k)], p_k = P(score_y < score_k). Keeping rho is what matters: a
rival that resembles u_y raises the right score along with its own, and leaving that out underrates the recall
near its fall by 0.02 to 0.07 at d <= 160.

What is approximate: the independence of rivals, |g|^2 taken Gamma distributed with its true mean and
variance, and sums of bounded variables replaced by the Pearson law (a coordinate of a sphere, or Student's t)
of the same variance and kurtosis. Largest error against simulation, d = 8 .. 256 and N up to 4 d^2:
unit sphere with own answers 0.01; with shared answers 0.025 at d <= 16 and 0.015 above; Gaussian embeddings
0.03 at d = 8 and 0.02 above; pseudo-inverse past N = d 0.035; orthonormal directions and Gaussian ones on the
input side 0.02; Gaussian directions on the output side are underrated by up to 0.05 where the recall has
fallen below 0.6. Nearly all errors are on the low side and shrink as d grows. The tests compare with brute
force.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh_tridiagonal
from scipy.special import betainc, ndtr, ndtri, roots_gegenbauer, roots_hermitenorm, stdtr

Nodes = tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]

# variance that a fact's own class adds to its signal of one, above which its law is taken in many nodes
_WIDE = 1.0

# weight of nodes that are left out of an integral of a probability
_NEGLIGIBLE = 1e-8

# more different sizes than this are grouped: each up to _ALONE by itself, above it those within a factor _LIKE
_SIZES, _ALONE, _LIKE = 24, 4, 1.3


@dataclass(frozen=True, kw_only=True)
class Input:
    """Law of the a_k: the signal in a_y, and the variance that one interfering input adds, at weighted nodes."""

    signal: Float[np.ndarray, " n"]
    variance: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    dimension: float  # of the sphere that the inputs lie on; infinite for Gaussian entries
    # mean squared length of further noise, in all directions: that of a finite number of random hidden units
    isotropic: float = 0.0
    # variance that the fact's own term adds to the score of every rival, at the nodes
    own: Float[np.ndarray, " n"] | float = 0.0


@dataclass(frozen=True, kw_only=True)
class Output:
    """Law of the answers' embeddings as the read-out sees them."""

    norms: Nodes  # |u_y|^2
    coordinate: float  # variance of <u_k, u_y>/|u_y|
    spread: float  # relative variance of |u_k|^2
    bounded: bool  # on the unit sphere
    size: float = 1.0  # mean of |u_k|^2


def expected_recall(class_sizes: Sequence[int], dimension: int, inputs: Input, output: Output) -> float:
    """E_x prod_k (1 - p_k), the mean over facts: classes of equal size, or of like ones, are computed once."""
    facts, answers = sum(class_sizes), len(class_sizes)
    if answers == 1:
        return 1.0
    squares = sum(size**2 for size in class_sizes)
    sizes = _like_sizes(class_sizes)
    total = 0.0
    for own, owners in sizes.items():
        others = facts - own
        unevenness = (squares - own**2) / others**2 * (answers - 1) / max(answers - 2, 1)
        rivals = {size: count - (size == own) for size, count in sizes.items()}
        total += owners * own * recall_among(own, rivals, dimension, inputs, output, unevenness)
    return float(min(1.0, total / facts))


def _like_sizes(class_sizes: Sequence[int]) -> dict[float, int]:
    """How many classes there are of each size; where sizes are many, like ones count as classes of their mean."""
    sizes = Counter(class_sizes)
    if len(sizes) <= _SIZES:
        return {float(size): count for size, count in sizes.items()}
    groups: dict[int, list[int]] = {}
    for size in class_sizes:
        groups.setdefault(size if size <= _ALONE else _ALONE + round(math.log(size / _ALONE, _LIKE)), []).append(
            size
        )
    return {sum(group) / len(group): len(group) for group in groups.values()}


def recall_among(
    own: float,
    rivals: Mapping[float, float],
    dimension: int,
    inputs: Input,
    output: Output,
    unevenness: float = 0.0,
) -> float:
    """Recall of an input whose answer has `own` inputs, among rivals: so many for each size of a class.

    A rival's size is its variance in units of `inputs.variance`, so that it need not be a whole number.
    """
    answers = 1 + sum(rivals.values())
    # of the other answers all but one rival interfere
    crowd = sum(size * count for size, count in rivals.items()) * (answers - 2) / (answers - 1)
    recall = 0.0
    from_own = np.broadcast_to(inputs.own, inputs.signal.shape)
    for signal, variance, weight, more in zip(
        inputs.signal, inputs.variance, inputs.weights, from_own, strict=True
    ):
        noise = gamma_nodes(crowd * variance + inputs.isotropic, 2 * unevenness + 2 / dimension)
        for norm, share in zip(*output.norms, strict=True):
            given = _given(own, rivals, signal, variance, noise, norm, inputs.dimension, output, more)
            recall += weight * share * given
    return recall


def _given(
    own: float,
    rivals: Mapping[float, float],
    signal: float,
    variance: float,
    noise: Nodes,
    norm: float,
    dimension: float,
    output: Output,
    more: float,
) -> float:
    """Recall given the input's signal and |u_y|^2 = norm: the integral over z, |g|^2 and rho."""
    crowd, crowd_weights = noise  # |g|^2
    root = norm**0.5
    # on the sphere z is a coordinate of g in a random direction, and G what is left of g; the noise that
    # inputs of the same answer add to a_y, and all of it off the sphere, is close to normal
    alone = output.bounded and own == 1
    if (own - 1) * variance > _WIDE:  # recall steps from 0 to 1 within few of Gauss's nodes
        standard, z_weights = _quantile_nodes()
    else:
        standard, z_weights = _heavy(coordinate_nodes(dimension if alone else np.inf, 25), _NEGLIGIBLE)
    z = standard[:, None] * np.sqrt(norm * (own - 1) * variance + crowd * output.coordinate)
    right = root * signal + z  # score_y / |u_y|, at [z, |g|^2]
    rest = np.maximum(1 - standard**2 * output.coordinate, 0) if alone else np.ones_like(standard)
    # among many rivals, one that is likely to win counts even where such rivals are few
    least = _NEGLIGIBLE / max(1.0, sum(rivals.values()))
    overlap, overlap_weights = _heavy(coordinate_nodes(dimension if output.bounded else np.inf), least)
    overlap = overlap * output.coordinate**0.5
    if output.bounded:
        rival_norm = np.ones_like(overlap)
        across = np.maximum(1 - overlap**2, 0) / (dimension - 1)
    else:
        rival_norm = output.size - output.coordinate + overlap**2
        across = np.full_like(overlap, output.coordinate)
    from_crowd = output.size * rest[:, None, None] * crowd[:, None] * across  # [z, |g|^2, rho]
    log_recall = np.zeros_like(right)
    for size, count in rivals.items():
        if count == 0:
            continue
        from_rival = (rival_norm - root * overlap) ** 2 * size * variance * (1 + output.spread)
        spread = from_rival + from_crowd + more + 1e-300
        kurtosis = from_rival**2 * (-6 / (size * (dimension + 2)) + 3 * _excess(output.spread))
        if output.bounded:
            kurtosis = kurtosis - from_crowd**2 * 6 / (dimension + 1)
        lost = _tail((root - overlap) * right[:, :, None], spread, kurtosis / spread**2)
        lost = np.clip((lost * overlap_weights).sum(-1), 0, 1 - 1e-16)
        log_recall += count * np.log1p(-lost)
    return float((np.exp(log_recall) * z_weights[:, None] * crowd_weights).sum())


def _excess(spread: float) -> float:
    """E t^4 / (E t^2)^2 - 1 for t Gamma distributed with mean 1 and variance `spread`."""
    return (1 + 2 * spread) * (1 + 3 * spread) / (1 + spread) - 1


def _tail(
    threshold: Float[np.ndarray, "z G rho"],
    variance: Float[np.ndarray, "z G rho"],
    kurtosis: Float[np.ndarray, "z G rho"],
) -> Float[np.ndarray, "z G rho"]:
    """P(X > t) for the symmetric Pearson law of this variance and excess kurtosis."""
    if np.all(np.abs(kurtosis) < 1e-6):
        return np.asarray(ndtr(-threshold / np.sqrt(variance)))
    if np.all(kurtosis <= 0):  # a coordinate of the sphere of R^D has excess kurtosis -6/(D + 2)
        dimension = np.maximum(-6 / np.minimum(kurtosis, -1e-9) - 2, 1.0 + 1e-9)
        x = np.clip(threshold / np.sqrt(dimension * variance), -1, 1)
        half = 0.5 * betainc((dimension - 1) / 2, 0.5, 1 - x * x)
        return np.asarray(np.where(x > 0, half, 1 - half))
    # the sphere's part of a mixed sum is the smaller one; what is left of it is heavier than normal
    freedom = 4 + 6 / np.maximum(kurtosis, 1e-9)
    return np.asarray(stdtr(freedom, -threshold * np.sqrt(freedom / (freedom - 2) / variance)))


def one_node(value: float) -> Nodes:
    """A law with one value."""
    return np.full(1, value), np.ones(1)


def _heavy(nodes: Nodes, least: float) -> tuple[Float[np.ndarray, " kept"], Float[np.ndarray, " kept"]]:
    """The nodes with at least this weight: those of a Gauss rule far out weigh next to nothing."""
    values, weights = nodes
    kept = weights >= least
    return values[kept], weights[kept]


@cache
def normal_nodes(count: int) -> Nodes:
    """Nodes for the standard normal law."""
    nodes, weights = roots_hermitenorm(count)
    return nodes, weights / weights.sum()


@cache
def _quantile_nodes(count: int = 200) -> Nodes:
    """Nodes of one weight for the standard normal law: a step is integrated to half a weight."""
    return ndtri((np.arange(count) + 0.5) / count), np.full(count, 1 / count)


@cache
def coordinate_nodes(dimension: float, count: int = 24) -> Nodes:
    """Nodes for a coordinate of the unit sphere of R^D, scaled to variance one."""
    if not 3 <= dimension <= 2000:
        return normal_nodes(count)
    nodes, weights = roots_gegenbauer(count, (dimension - 2) / 2)
    return nodes * dimension**0.5, weights / weights.sum()


def gamma_nodes(mean: float, relative_variance: float, count: int = 5) -> Nodes:
    """Nodes for a Gamma law."""
    if mean <= 0:
        return one_node(0.0)
    shape, step = 1 / relative_variance, np.arange(count)
    nodes, weights = _gauss(2 * step + shape, step[1:] * (step[1:] + shape - 1))  # Laguerre's recurrence
    return mean * nodes / shape, weights


def beta_nodes(a: float, b: float, count: int = 7) -> Nodes:
    """Nodes for a Beta law."""
    step, total = np.arange(1, count), a + b - 2
    twice = 2 * step + total
    # Jacobi's recurrence; the first off-diagonal is written without the factor that may be 0/0
    diagonal = np.append((a - b) / (a + b), ((a - 1) ** 2 - (b - 1) ** 2) / (twice * (twice + 2)))
    ratio = np.append(1.0, (step[1:] + total) / (twice[1:] - 1))
    squares = 4 * step * (step + a - 1) * (step + b - 1) * ratio / (twice**2 * (twice + 1))
    nodes, weights = _gauss(diagonal, squares)
    return (1 + nodes) / 2, weights


def _gauss(diagonal: Float[np.ndarray, " n"], squares: Float[np.ndarray, " n-1"]) -> Nodes:
    """Gauss's rule of a weight of total 1, by the recurrence of its polynomials (Golub & Welsch 1969)."""
    nodes, vectors = eigh_tridiagonal(diagonal, np.sqrt(squares))
    return nodes, vectors[0] ** 2

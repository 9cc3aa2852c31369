"""Finite-size recall of linear memories: the curves that measurements are laid upon.

Letters: `d` width, `N` facts (stored inputs), `K` answers, n_y inputs that share answer y, `m` rank.

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

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import betainc, betaincinv, gammaincinv, ndtr, roots_gegenbauer, roots_hermitenorm, stdtr

from simonides.errors import SimonidesError, check_at_least, check_name, check_share
from simonides.theory.orthogonality import KINDS

RULES = ("outer_products", "pseudo_inverse")
_Nodes = tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]


def linear_recall(
    d: int, facts: int, answers: int | None = None, kind: str = "sphere", rule: str = "outer_products"
) -> float:
    """Expected recall of N facts in one d x d matrix, N/K facts to an answer.

    The finite-size form of theorem 1 of Nichani, Lee & Bietti (2025): with one input per answer all N facts
    are recalled while d^2 >> N log N, with a fixed number K of answers while d >> N/K.

    Arguments:
        d: width of inputs and outputs.
        facts: N.
        answers: K; by default K = N, every input with an answer of its own.
        kind: "sphere" or "gaussian" embeddings, independent for inputs and outputs.
        rule: "outer_products", or "pseudo_inverse", which is exact while N <= d.

    Raises:
        SimonidesError: when a size is below one or K exceeds N.

    >>> round(linear_recall(64, 30), 3), round(linear_recall(64, 1000), 2)
    (1.0, 0.1)
    """
    check_at_least("facts", facts, 1)
    return recall_of_classes(d, _even_classes(facts, answers), kind, rule)


def recall_of_classes(
    d: int, class_sizes: Sequence[int], kind: str = "sphere", rule: str = "outer_products"
) -> float:
    """Expected recall when answer k belongs to class_sizes[k] inputs: `linear_recall` for uneven tables.

    >>> recall_of_classes(64, [20, 3, 3, 1]) < recall_of_classes(64, [7, 7, 7, 6])
    True
    """
    check_at_least("d", d, 2)
    check_name("embedding", kind, KINDS)
    check_name("writing rule", rule, RULES)
    facts = _check_classes(class_sizes)
    if kind == "gaussian":
        q, weights = _gamma_nodes(1.0, 2 / d, 9)  # |e_x|^2
        norms = _gamma_nodes(1.0, 2 / d, 9)  # |u_y|^2
        output = _Output(norms=norms, coordinate=1 / d, spread=2 / d, bounded=False)
        inputs = _Input(signal=q, variance=q / d, weights=weights, dimension=np.inf)
    else:
        output = _Output(norms=_one(1.0), coordinate=1 / d, spread=0.0, bounded=True)
        inputs = _Input(signal=np.ones(1), variance=np.full(1, 1 / d), weights=np.ones(1), dimension=d)
    if rule == "pseudo_inverse":
        if facts <= d:
            return 1.0
        # the hat matrix projects R^N on d dimensions: diagonal d/N, so off-diagonal squares sum to d/N (1 - d/N)
        inputs = _Input(
            signal=inputs.signal,
            variance=inputs.signal * (facts / d - 1) / (facts - 1),
            weights=inputs.weights,
            dimension=inputs.dimension,
        )
    return _expected(class_sizes, d, inputs, output)


def low_rank_recall(
    d: int,
    facts: int,
    rank: int,
    answers: int | None = None,
    side: str = "input",
    factor: str = "gaussian",
) -> float:
    """Expected recall of N facts when W passes through m random directions; unit-sphere embeddings.

    Nichani, Lee & Bietti (2025, section 3): N of about m d facts, up to logs. Through m orthonormal
    directions on the input side, |P e_x|^2 = m/d up to its Beta law and the interference of one other fact
    has variance 1/m in units of the signal; Gaussian directions add 1/d to that, which costs a factor two
    at m = d. On the output side the same happens to the scores of the answers.

    Arguments:
        d: width of inputs and outputs.
        facts: N.
        rank: m <= d.
        answers: K; by default K = N.
        side: "input" or "output", where the random directions stand.
        factor: "gaussian" or "orthonormal" directions.

    Raises:
        SimonidesError: when a size does not fit or a name is unknown.

    >>> low_rank_recall(64, 64, 64, factor="orthonormal") == linear_recall(64, 64)
    True
    """
    check_at_least("d", d, 2)
    check_name("side", side, ("input", "output"))
    check_name("factor", factor, ("gaussian", "orthonormal"))
    if not 1 <= rank <= d:
        raise SimonidesError(f"rank = {rank} does not fit d = {d}; give 1 <= rank <= d.")
    classes = _even_classes(facts, answers)
    inputs = _Input(signal=np.ones(1), variance=np.full(1, 1 / d), weights=np.ones(1), dimension=d)
    output = _Output(norms=_one(1.0), coordinate=1 / d, spread=0.0, bounded=True)
    if factor == "orthonormal" and rank == d:
        return _expected(classes, d, inputs, output)
    if side == "input":
        if factor == "orthonormal":
            signal, weights = _beta_nodes(rank / 2, (d - rank) / 2, 9)  # |P e_x|^2
            variance = signal / d
        else:
            signal, weights = _gamma_nodes(1.0, 2 / rank, 9)  # |V e_x|^2
            # |V^T V e_x|^2 is |V e_x|^4 along e_x and |V e_x|^2 chi^2_{d-1}/m across it
            variance = (signal**2 + signal * (d - 1) / rank) / d
        inputs = _Input(signal=signal, variance=variance, weights=weights, dimension=d)
    elif factor == "orthonormal":
        shares = _beta_nodes(rank / 2, (d - rank) / 2, 9)  # |P u_y|^2
        spread = 2 / rank * (d - rank) / (d + 2)
        output = _Output(norms=shares, coordinate=1 / d, spread=spread, bounded=False, size=rank / d)
    else:
        # V u_y is Gaussian in R^m; <V u_k, V u_y> adds the overlap of u_k and u_y to that of R^m
        norms = _gamma_nodes(1.0, 2 / rank, 9)
        output = _Output(norms=norms, coordinate=1 / rank + 1 / d, spread=2 / rank, bounded=False)
    return _expected(classes, rank if side == "output" else d, inputs, output)


def linear_capacity(d: int, accuracy: float = 0.99, inputs_per_answer: int = 1, kind: str = "sphere") -> int:
    """The largest N whose expected recall is at least `accuracy`, in steps of `inputs_per_answer`.

    It is at least one step, since a single answer is always recalled.

    >>> linear_capacity(64)
    113
    """
    check_share("accuracy", accuracy)
    check_at_least("inputs_per_answer", inputs_per_answer, 1)

    def enough(answers: int) -> bool:
        return linear_recall(d, answers * inputs_per_answer, answers, kind) >= accuracy

    high = 1
    while enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low * inputs_per_answer


def width_for(class_sizes: Sequence[int], accuracy: float = 0.99, kind: str = "sphere") -> int:
    """The least d at which a table with these numbers of inputs per answer is recalled to `accuracy`.

    >>> width_for([1] * 113)
    64
    """
    check_share("accuracy", accuracy)
    _check_classes(class_sizes)
    high = 2
    while recall_of_classes(high, class_sizes, kind) < accuracy:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        enough = recall_of_classes(max(middle, 2), class_sizes, kind) >= accuracy
        low, high = (low, middle) if enough else (middle, high)
    return high


@dataclass(frozen=True, kw_only=True)
class _Input:
    """Law of the a_k: the signal in a_y, and the variance that one interfering input adds, at weighted nodes."""

    signal: Float[np.ndarray, " n"]
    variance: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    dimension: float  # of the sphere that the inputs lie on; infinite for Gaussian entries


@dataclass(frozen=True, kw_only=True)
class _Output:
    """Law of the answers' embeddings as the read-out sees them."""

    norms: _Nodes  # |u_y|^2
    coordinate: float  # variance of <u_k, u_y>/|u_y|
    spread: float  # relative variance of |u_k|^2
    bounded: bool  # on the unit sphere
    size: float = 1.0  # mean of |u_k|^2


def _expected(class_sizes: Sequence[int], dimension: int, inputs: _Input, output: _Output) -> float:
    """E_x prod_k (1 - p_k), the mean over facts: classes of equal size are computed once."""
    sizes = Counter(class_sizes)
    facts, answers = sum(class_sizes), len(class_sizes)
    if answers == 1:
        return 1.0
    squares = sum(size**2 * count for size, count in sizes.items())
    total = 0.0
    for own, owners in sizes.items():
        others = facts - own
        # of the other answers all but one rival interfere
        crowd = others * (answers - 2) / (answers - 1)
        unevenness = (squares - own**2) / others**2 * (answers - 1) / max(answers - 2, 1)
        rivals = {size: count - (size == own) for size, count in sizes.items()}
        recall = 0.0
        for signal, variance, weight in zip(inputs.signal, inputs.variance, inputs.weights, strict=True):
            noise = _gamma_nodes(crowd * variance, 2 * unevenness + 2 / dimension, 12)
            for norm, share in zip(*output.norms, strict=True):
                recall += (
                    weight * share * _given(own, rivals, signal, variance, noise, norm, inputs.dimension, output)
                )
        total += owners * own * recall
    return float(min(1.0, total / facts))


def _given(
    own: int,
    rivals: dict[int, int],
    signal: float,
    variance: float,
    noise: _Nodes,
    norm: float,
    dimension: float,
    output: _Output,
) -> float:
    """Recall given the input's signal and |u_y|^2 = norm: the integral over z, |g|^2 and rho."""
    crowd, crowd_weights = noise  # |g|^2
    root = norm**0.5
    # on the sphere z is a coordinate of g in a random direction, and G what is left of g; the noise that
    # inputs of the same answer add to a_y, and all of it off the sphere, is close to normal
    alone = output.bounded and own == 1
    standard, z_weights = _coordinate_nodes(dimension if alone else np.inf, 25)
    z = standard[:, None] * np.sqrt(norm * (own - 1) * variance + crowd * output.coordinate)
    right = root * signal + z  # score_y / |u_y|, at [z, |g|^2]
    rest = np.maximum(1 - standard**2 * output.coordinate, 0) if alone else np.ones_like(standard)
    overlap, overlap_weights = _coordinate_nodes(dimension if output.bounded else np.inf)
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
        spread = from_rival + from_crowd + 1e-300
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


def _one(value: float) -> _Nodes:
    return np.full(1, value), np.ones(1)


def _normal_nodes(count: int) -> _Nodes:
    nodes, weights = roots_hermitenorm(count)
    return nodes, weights / weights.sum()


def _coordinate_nodes(dimension: float, count: int = 24) -> _Nodes:
    """Nodes for a coordinate of the unit sphere of R^D, scaled to variance one."""
    if not 3 <= dimension <= 2000:
        return _normal_nodes(count)
    nodes, weights = roots_gegenbauer(count, (dimension - 2) / 2)
    return nodes * dimension**0.5, weights / weights.sum()


def _gamma_nodes(mean: float, relative_variance: float, count: int) -> _Nodes:
    if mean <= 0:
        return _one(0.0)
    shape = 1 / relative_variance
    nodes = gammaincinv(shape, (np.arange(count) + 0.5) / count)
    return mean * nodes / nodes.mean(), np.full(count, 1 / count)


def _beta_nodes(a: float, b: float, count: int) -> _Nodes:
    nodes = betaincinv(a, b, (np.arange(count) + 0.5) / count)
    return nodes * (a / (a + b)) / nodes.mean(), np.full(count, 1 / count)


def _even_classes(facts: int, answers: int | None) -> list[int]:
    check_at_least("facts", facts, 1)
    if answers is None:
        return [1] * facts
    check_at_least("answers", answers, 1)
    if answers > facts:
        raise SimonidesError(f"{answers} answers for {facts} facts; give at most one answer a fact.")
    few, extra = divmod(facts, answers)
    return [few + 1] * extra + [few] * (answers - extra)


def _check_classes(class_sizes: Sequence[int]) -> int:
    if len(class_sizes) == 0 or min(class_sizes) < 1:
        raise SimonidesError("class_sizes must hold at least one answer, each with at least one input.")
    return int(sum(class_sizes))

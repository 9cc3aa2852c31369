"""Scaling laws of linear memories of Zipf data: exponents, bounds, and the error at finite sizes.

The memory is W = sum_x q(x) u_{f(x)} e_x^T with e_x ~ N(0, I/d) and u_y uniform on the unit sphere; input x
comes with probability p(x), falling as x^-alpha, and the error is E = sum_x p(x) 1{f_q(x) != f(x)}.
Cabannes, Dohmatob & Bietti (2024). Letters: `N` inputs, `M` answers, `T` samples, `d` width.

Finite sizes: given e_x of length r, the scores of the M answers are those of c_y = r^2 q(x) 1{y = f(x)} + r z_y
with independent z_y ~ N(0, Q_y/d), where Q_y is the sum of q^2 over the other inputs of class y, exactly; what is
approximate is the overlap of the u_y, which adds c_z <u_z, u_y> of third classes, taken as independent normals.
"""

import math

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_ndtr, ndtr
from scipy.stats import binom, chi2

from simonides.base import SimonidesError, check_at_least, largest, log_slope

# nodes of the averages over the target's own noise, the length of an embedding and a token's count
_NODES, _LENGTHS, _COUNTS = 24, 8, 8

Vector = Float[np.ndarray, " N"]
Targets = Int[np.ndarray, " N"]


def _check_law(probabilities: Vector) -> None:
    """Raise `SimonidesError` unless probabilities are such, and add up to one."""
    total = float(np.sum(probabilities))
    if not np.all(np.asarray(probabilities) >= 0) or abs(total - 1) > 1e-3:
        raise SimonidesError(f"probabilities add up to {total:g}, or one is below zero; divide them by their sum.")


def unseen_mass(probabilities: Vector, samples: int) -> float:
    """sum_x p(x) (1 - p(x))^T: the expected probability of what T samples did not show.

    The error of a memory without interference (proposition 1, after Hutter 2021): any q > 0 on what was seen
    recalls it. For Zipf data it falls as T^(-1 + 1/alpha).

    >>> from simonides.base import zipf
    >>> round(unseen_mass(zipf(100, 2.0).numpy(), 1024), 4)
    0.0157
    """
    _check_law(probabilities)
    return float((probabilities * np.exp(samples * np.log1p(-np.minimum(probabilities, 1 - 1e-16)))).sum())


def data_exponent(alpha: float) -> float:
    """1 - 1/alpha, with which the error falls in the number of samples where memory is ample."""
    _check_alpha(alpha)
    return 1 - 1 / alpha


def width_exponent(alpha: float, rho: float, threshold: bool = False) -> float:
    """The power of 1/d with which the error falls in the width where data are ample; up to logarithms.

    For q = p^rho it is (alpha - 1)/(2 rho alpha) while 2 rho alpha >= 1; below that the bound depends on N and
    d (d/N^(1 - 2 rho alpha) in place of d), and this refuses. With only the P most frequent kept, and the best
    P, it is (alpha - 1)/(2 rho alpha + 1). Theorem 1's corollaries; alpha - 1 (rho = 0) is the best of all
    (theorem 2).

    >>> width_exponent(2.0, 1.0), width_exponent(2.0, 0.0, threshold=True)
    (0.25, 1.0)
    """
    _check_alpha(alpha)
    if threshold:
        return (alpha - 1) / (2 * rho * alpha + 1)
    if 2 * rho * alpha < 1:
        raise SimonidesError(
            f"rho = {rho} is below 1/(2 alpha) = {1 / (2 * alpha):g}: without a threshold the error then grows "
            "with N and has no power of d alone; give a larger rho, or threshold=True."
        )
    return (alpha - 1) / (2 * rho * alpha)


def threshold_rank(d: int, alpha: float, rho: float = 0.0) -> int:
    """P = (d / log d)^(1/(2 alpha rho + 1)), how many of the most frequent to keep, up to a constant."""
    check_at_least("d", d, 2)
    return max(1, int((d / math.log(d)) ** (1 / (2 * alpha * rho + 1))))


def upper_bound(probabilities: Vector, weights: Float[np.ndarray, " _"], targets: Targets, d: int) -> float:
    """Theorem 1's bound from above on the mean error of a memory that knows its data.

    inf_g { 2 d^-g + p{x : d q(x)^2 <= 16 c_g (Q_inf + 8 c_g |q|^2/d)} } with c_g = log M + g log d and
    Q_inf = max_y sum_{x: f(x) = y} q(x)^2; never above one.
    """
    worst, total = _class_energies(weights, targets).max(), float((weights**2).sum())
    answers = int(targets.max()) + 1
    order = np.argsort(weights)
    mass = np.concatenate([[0.0], np.cumsum(probabilities[order])])
    g = np.linspace(0.01, 10, 1000)
    c = math.log(answers) + g * math.log(d)
    below = np.searchsorted(d * weights[order] ** 2, 16 * c * (worst + 8 * c * total / d), side="right")
    return float(min(1.0, (2 * d**-g + mass[below]).min()))


def lower_bound(probabilities: Vector, weights: Float[np.ndarray, " _"], targets: Targets, d: int) -> float:
    """Theorem 1's bound from below: p{x : 3 (d + 1) q(x)^2 <= Q_inf} / 20.

    With q = 1 it says something only where 3 (d + 1) <= max_y |f^-1(y)|: where the memory overflows.
    """
    worst = _class_energies(weights, targets).max()
    return float(probabilities[3 * (d + 1) * weights**2 <= worst].sum()) / 20


def weighted_error(probabilities: Vector, weights: Float[np.ndarray, " _"], targets: Targets, d: int) -> float:
    """The mean error at finite N, M and d of a memory of weights q; see the module's derivation.

    Checked against simulation for d = 10 .. 1000 and M = 5: within 0.01.

    Raises:
        SimonidesError: when probabilities do not add up to one, or weights are not finite, or all zero.

    >>> from simonides.base import zipf
    >>> p = zipf(1000, 2.0).numpy()
    >>> round(weighted_error(p, p, np.arange(1000) % 5, 200), 3)
    0.089
    """
    _check_law(probabilities)
    if not np.all(np.isfinite(weights)) or not np.any(weights):
        raise SimonidesError("weights hold NaN or infinite numbers, or are all zero; nothing is stored.")
    energies = _class_energies(weights, targets)
    return float((probabilities * _wrong(weights, targets, energies, weights**2, d)).sum())


def recovered_facts(weights: Vector, d: int) -> float:
    """The expected number of inputs recalled where each has an answer of its own; embeddings on the unit sphere.

    Answer y scores q(x) 1{y = x} + q(y) <e_y, e_x> + sum_z q(z) <e_z, e_x> <u_z, u_y>, taken as independent
    normals of variances q(y)^2/d and |q|^2/d^2. One step of gradient descent from zero writes q = p. Rivals that
    share the noise of the most frequent make it 5 to 16 % low at d = 16 .. 96.

    >>> from simonides.base import zipf
    >>> round(recovered_facts(zipf(512, 1.5).numpy(), 32), 1)
    4.8
    """
    check_at_least("d", d, 2)
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(_COUNTS)
    crosstalk = float((weights**2).sum()) / d**2
    spread = np.sqrt(weights**2 / d + crosstalk)
    total = 0.0
    for node, share in zip(nodes, node_weights / node_weights.sum(), strict=True):
        mine = weights + math.sqrt(crosstalk) * node
        ahead = log_ndtr(mine[:, None] / spread)
        total += share * float(np.exp(ahead.sum(1) - ahead.diagonal()).sum())
    return float(total)


def sampled_error(
    probabilities: Vector, targets: Targets, d: int, samples: int, rho: float = 0.0, keep: int | None = None
) -> float:
    """The mean error when q is taken from T samples: q = (n_x/T)^rho on what was seen (proposition 4).

    Each count is binomial on its own, and the noise is that of the mean square weights. `keep` keeps as many of
    the most often seen, taken as those seen at least s times, with the s that keeps as many on average.
    Without interference this is `unseen_mass`, less the share 1/M that is guessed.
    """
    check_at_least("samples", samples, 1)
    p = probabilities
    shares = np.ones_like(p)
    least = 1.0
    if keep is not None:
        least, shares = _count_threshold(p, samples, keep)
    nothing = binom.cdf(least - 1, samples, p)
    ends = nothing[:, None] + (1 - nothing[:, None]) * (np.arange(_COUNTS) + 0.5) / _COUNTS
    counts = np.maximum(binom.ppf(np.minimum(ends, 1 - 1e-12), samples, p[:, None]), least)
    q = (counts / samples) ** rho
    stored = shares * (1 - nothing)
    squares = stored * (q**2).mean(1)
    energies = np.bincount(targets, squares, int(targets.max()) + 1)
    wrong = np.stack([_wrong(q[:, j], targets, energies, squares, d) for j in range(_COUNTS)], 1).mean(1)
    guessed = _wrong(np.zeros_like(p), targets, energies, squares, d)
    return float((p * (stored * wrong + (1 - stored) * guessed)).sum())


def stored_by_steps(visits: int, rate: float, answers: int) -> float:
    """q_gamma after n visits, f^n(0) with f(q) = q + gamma / (1 + e^q/(M - 1)): one stochastic gradient step each.

    Cabannes, Dohmatob & Bietti (2024), section 5: interference is left out, so it is right while N is well below
    d. Small rates give q ~ n, as the frequencies; large ones q ~ log n, nearly flat.

    >>> round(stored_by_steps(1, 1.0, 10), 2), stored_by_steps(0, 1.0, 10)
    (0.9, 0.0)
    """
    check_at_least("answers", answers, 2)
    q = 0.0
    for _ in range(visits):
        q += rate / (1 + math.exp(min(q, 700.0)) / (answers - 1))
    return q


def fitted_power(probabilities: Vector, weights: Vector) -> float:
    """rho of the best fit q ~ p^rho, by least squares in the logarithms over what has q > 0."""
    stored = weights > 0
    return float(log_slope(probabilities[stored], weights[stored]))


def _class_energies(weights: Float[np.ndarray, " _"], targets: Targets) -> Float[np.ndarray, " M"]:
    if weights.shape != targets.shape:
        raise SimonidesError(f"{len(weights)} weights for {len(targets)} targets; give one for every input.")
    return np.bincount(targets, weights**2, int(targets.max()) + 1)


def _wrong(weights: Vector, targets: Targets, energies: Float[np.ndarray, " M"], own: Vector, d: int) -> Vector:
    """The probability that an input of weight q(x) is answered wrongly, given the noise Q_y of each class."""
    check_at_least("d", d, 2)
    answers = len(energies)
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(_NODES)
    node_weights = node_weights / node_weights.sum()
    lengths = np.sqrt(chi2.ppf((np.arange(_LENGTHS) + 0.5) / _LENGTHS, d) / d)
    mine_alone = np.maximum(energies[targets] - own, 0)
    others = energies.sum() - energies[targets]
    # of a pair's third classes each side takes its half; the right answer the mean over its rivals
    own_noise = np.sqrt((mine_alone + others * max(answers - 2, 0) / max(answers - 1, 1) / d) / d)
    # rows: inputs; then lengths and nodes of the target's own noise
    mine = weights[:, None, None] * lengths[:, None] + own_noise[:, None, None] * nodes
    right = np.ones_like(mine)
    union = np.zeros((len(weights), _LENGTHS))
    for y in range(answers):
        third = np.maximum(others - energies[y], 0)
        spread = np.sqrt((energies[y] + third / d) / d)
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = np.where(spread[:, None, None] > 0, mine / spread[:, None, None], np.sign(mine) * np.inf)
        beaten = np.where(np.isnan(ahead), 0.0, ndtr(ahead))
        right *= np.where((targets == y)[:, None, None], 1.0, beaten)
        apart = np.sqrt(own_noise**2 + spread**2)[:, None]
        behind = -np.divide(weights[:, None] * lengths, apart, out=np.full_like(union, np.inf), where=apart > 0)
        union += np.where((targets == y)[:, None], 0.0, ndtr(behind))
    wrong = 1 - right @ node_weights
    # where it is small the union bound is exact, and the quadrature no longer
    return np.where(union < 1e-3, union, wrong).mean(1)


def _count_threshold(probabilities: Vector, samples: int, keep: int) -> tuple[float, Vector]:
    """The least count s whose expected number of tokens is at least `keep`, and the share of each to keep."""
    check_at_least("keep", keep, 1)
    low = largest(lambda s: s <= samples and binom.sf(s - 1, samples, probabilities).sum() >= keep)
    reached = binom.sf(low - 1, samples, probabilities).sum()
    above = binom.sf(low, samples, probabilities)
    # those above s are kept all, those at s as many as find room
    at = np.maximum(binom.sf(low - 1, samples, probabilities) - above, 1e-300)
    room = 1.0 if reached <= keep else max(keep - above.sum(), 0.0) / at.sum()
    shares = (above + min(room, 1.0) * at) / (above + at)
    return float(low), shares


def _check_alpha(alpha: float) -> None:
    if not alpha > 1:
        raise SimonidesError(
            f"alpha = {alpha}: the error has a power law in the limit of many inputs only above 1."
        )

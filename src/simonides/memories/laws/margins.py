"""How margins move when a linear memory is trained: Cabannes, Simsek & Bietti (2024).

Gradient flow, or small steps, on the cross-entropy of deterministic labels; time is eta times the steps.
"""

import math

import numpy as np
from jaxtyping import Float
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq, minimize
from scipy.special import expit

from simonides.base import SimonidesError, check_at_least

Points = Float[np.ndarray, "N 2"]
Vector = Float[np.ndarray, " N"]


def orthonormal_margin(answers: int, probability: float, time: float) -> float:
    """The margin m(t) of a token of probability p among orthonormal embeddings, from W = 0.

    Tokens decouple, and e^m + (M - 1) m = 1 + M p t: margins grow as log t, rare tokens behind by log(p/p').

    >>> round(orthonormal_margin(2, 0.3, 10.0), 4)
    1.6728
    """
    check_at_least("answers", answers, 2)
    total = 1 + answers * probability * time

    def off(m: float) -> float:
        return math.exp(m) + (answers - 1) * m - total

    return 0.0 if total <= 1 else float(brentq(off, 0.0, math.log(total) + 1e-12))


def competition_time(cosine: float, frequent: float) -> float:
    """When the rarer of two tokens of different answers is recalled for good, by gradient flow from W = 0.

    Two answers and unit inputs at cosine c move by dm_1/dt = 2 (p_1 s(-m_1) - c p_2 s(-m_2)) and its mirror image, s
    the logistic function. The rarer one is recalled at once where p_2 >= c p_1; else its margin first falls, and
    the time is that of its return through 0, followed numerically (Cabannes, Simsek & Bietti 2024, section 4).

    Arguments:
        cosine: c, in [0, 1).
        frequent: p_1, in [1/2, 1).

    Returns:
        The step size times the number of steps; 0 where nothing stands in the way.

    >>> round(competition_time(0.95, 0.75), 2), competition_time(0.3, 0.6)
    (52.12, 0.0)
    """
    if not 0 <= cosine < 1 or not 0.5 <= frequent < 1:
        raise SimonidesError(f"cosine = {cosine} must be in [0, 1) and frequent = {frequent} in [1/2, 1).")
    rare = 1 - frequent
    if rare >= cosine * frequent:
        return 0.0

    def moves(_: float, margins: np.ndarray) -> np.ndarray:
        pull = 2 * np.array([frequent, rare]) * expit(-margins)
        return pull - cosine * pull[::-1]

    def returns(_: float, margins: np.ndarray) -> float:
        return float(margins[1])

    returns.terminal, returns.direction = True, 1.0  # type: ignore[attr-defined]
    # the limit c -> 1 gives the order of magnitude
    longest = 100 + 100 * competition_limit(frequent) / (1 - cosine)
    flow = solve_ivp(moves, (0.0, longest), np.zeros(2), method="LSODA", rtol=1e-10, atol=1e-12, events=returns)
    if not len(flow.t_events[0]):
        raise SimonidesError(f"no time was found for cosine = {cosine}, frequent = {frequent}; give others.")
    return float(flow.t_events[0][-1])


def competition_limit(frequent: float) -> float:
    """K(p_1) = lim (1 - c) t for c -> 1, of `competition_time`.

    After a fast balance p_1 s(-m_1) = p_2 s(-m_2), v = m_1 + m_2 drifts until m_2 = 0: the integral of
    dv / (4 p_1 s(-m_1(v))) from 0 to log(2 p_1/p_2 - 1).

    Arguments:
        frequent: p_1, in (1/2, 1).

    >>> round(competition_limit(0.75), 3)
    2.602
    """
    if not 0.5 < frequent < 1:
        raise SimonidesError(f"frequent = {frequent} must be in (1/2, 1).")
    rare = 1 - frequent

    def first(total: float) -> float:
        # p_1 s(-m_1) = p_2 s(-(v - m_1)) in m_1
        return float(brentq(lambda m: frequent * expit(-m) - rare * expit(m - total), -50.0, 50.0 + total))

    end = math.log(2 * frequent / rare - 1)
    value, _ = quad(lambda v: 1 / (4 * frequent * expit(-first(v))), 0.0, end)
    return float(value)


def competition_spread(cosine: float, frequent: float) -> float:
    """lambda_max(sum p e e^T) of two unit tokens at cosine c: (1 + sqrt(1 - 4 p_1 p_2 (1 - c^2)))/2."""
    return (1 + math.sqrt(1 - 4 * frequent * (1 - frequent) * (1 - cosine**2))) / 2


def cross_entropy_minimiser(points: Points, signs: Vector, probabilities: Vector) -> Float[np.ndarray, " 2"]:
    """The gamma in the plane of least sum_x p(x) log(1 + exp(-s_x <gamma, e_x>)).

    For two orthonormal answers this is the memory's cross-entropy, gamma = W^T (u_1 - u_2).

    Raises:
        SimonidesError: when the tokens are separable: the loss then falls for ever, and no minimiser exists.
    """
    if best_error(points, signs, probabilities) == 0:
        raise SimonidesError("these tokens are separable, so their cross-entropy has no finite minimiser.")
    signed = points * signs[:, None]

    def loss(gamma: np.ndarray) -> tuple[float, np.ndarray]:
        margins = signed @ gamma
        pull = probabilities * expit(-margins)
        return float((probabilities * np.logaddexp(0, -margins)).sum()), -pull @ signed

    def curvature(gamma: np.ndarray) -> np.ndarray:
        s = expit(signed @ gamma)
        return (signed * (probabilities * s * (1 - s))[:, None]).T @ signed

    solution = minimize(loss, np.zeros(2), jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-10})
    return solution.x


def linear_error(gamma: Float[np.ndarray, " 2"], points: Points, signs: Vector, probabilities: Vector) -> float:
    """The probability of the tokens on the wrong side of gamma."""
    return float(probabilities[signs * (points @ gamma) <= 0].sum())


def best_error(points: Points, signs: Vector, probabilities: Vector) -> float:
    """The least error of any linear rule through the origin of the plane, exactly.

    The error changes only where gamma is at right angles to a token, so one direction between each two
    neighbours of those is enough.
    """
    angles = np.arctan2(points[:, 1], points[:, 0])
    edges = np.sort(np.mod(np.concatenate([angles + np.pi / 2, angles - np.pi / 2]), 2 * np.pi))
    middles = (edges + np.append(edges[1:], edges[0] + 2 * np.pi)) / 2
    rules = np.stack([np.cos(middles), np.sin(middles)], 1)
    wrong = signs * (rules @ points.T) <= 0
    return float((wrong * probabilities).sum(1).min())

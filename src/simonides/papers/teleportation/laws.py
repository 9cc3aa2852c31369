"""What theory says of descent with teleports, as functions of measured constants.

The rates are derived here from the descent lemma and Hessian stability; they agree with what the abstract of Mishkin,
Bietti & Gower (2025) states.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError


def eigenvector_cosine(g: Float[Tensor, "R p"], pulled: Float[Tensor, "R p"]) -> Float[Tensor, " R"]:
    """cos(g, H g): one where the gradient is an eigenvector of the Hessian, as at a point of largest gradient.

    There the directions of gradient descent and of Newton's method are one (the conditions of Karush, Kuhn and Tucker:
    H g = lambda g).
    """
    return torch.nn.functional.cosine_similarity(g, pulled, dim=1, eps=1e-30)


def curvature_along(g: Float[Tensor, "R p"], pulled: Float[Tensor, "R p"]) -> Float[Tensor, " R"]:
    """lambda = g^T H g/|g|^2: a step of 1/lambda along -g is Newton's where the gradient is an eigenvector."""
    return (g * pulled).sum(1) / g.square().sum(1)


def stable_rate(lower: float, upper: float) -> float:
    """The factor 1 - m/L by which a step of 1/(L lambda) after an exact teleport shrinks f - f*.

    It does not depend on the condition number. L and m bound the change of the Hessian on the sub-level set: f(y) lies
    between f(x) + <g, y - x> + c |y - x|_H^2/2 for c = m and c = L. At the teleport's point |g|_H^2 = lambda |g|^2, so
    the step gains at least |g|^2/(2 L lambda), and f - f* is at most |g|^2/(2 m lambda). For a quadratic m = L = 1, and
    one step ends at the minimum.

    Arguments:
        lower: m.
        upper: L.

    Raises:
        SimonidesError: unless 0 < m <= L.
    """
    if not 0 < lower <= upper:
        raise SimonidesError(f"m = {lower}, L = {upper}: give 0 < m <= L.")
    return 1 - lower / upper


def fixed_step_rate(lower: float, curvature: float, smoothness: float) -> float:
    """The factor 1 - m lambda/L of a step of 1/L after an exact teleport, L being the largest curvature anywhere.

    Raises:
        SimonidesError: unless 0 < lambda <= L and 0 < m <= 1.
    """
    if not 0 < curvature <= smoothness or not 0 < lower <= 1:
        raise SimonidesError(f"m = {lower}, lambda = {curvature}, L = {smoothness}: give 0 < m <= 1, lambda <= L.")
    return 1 - lower * curvature / smoothness


def combined_bound(
    gap: float, diameter: float, smoothness: float, rate: float, steps: int, teleports: int
) -> float:
    """A bound on f - f* after so many steps of 1/L on a convex f, some of which are teleports with factor `rate`.

    The smaller of the two: the plain one, 2 L D^2/(steps + 4) with D the diameter of the first sub-level set (teleports
    keep to it, though they may move away from the minimum), and rate^teleports times the first gap.

    Raises:
        SimonidesError: when a number is negative, or there are more teleports than steps.
    """
    if min(gap, diameter, smoothness, rate) < 0 or not 0 <= teleports <= steps:
        raise SimonidesError("gap, diameter, L and rate are not negative, and teleports at most the steps.")
    return min(2 * smoothness * diameter**2 / (steps + 4), rate**teleports * gap)

"""What theory says of descent under imbalance, at finite size: margins and losses in time, gradients and curvature.

Letters: `C` classes, `n` samples, `d` features, `pi` the shares of the classes.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import wrightomega
from torch import Tensor

from simonides.base import SimonidesError, check_at_least


def quadratic_descent(
    start: Float[Tensor, " C"], shares: Float[Tensor, " C"], rate: float, steps: int
) -> Float[Tensor, " C"]:
    """w_k after descent on sum_k pi_k w_k^2 / 2: (1 - rate pi_k)^steps w_k(0) (Kunstner et al. 2024, section 3).

    It is stable for rate < 2/max pi, which leaves rare coordinates where they were for about 1/(rate pi_k) steps.
    """
    return start * (1 - rate * shares) ** steps


def quadratic_sign(start: Float[Tensor, " C"], rate: float, steps: int) -> Float[Tensor, " C"]:
    """w_k after sign descent on the same: |w_k| falls by `rate` a step, whatever pi, until it steps over zero.

    From there it goes back and forth between two values of opposite sign; one that meets zero stays there.
    """
    size = start.abs()
    whole = (size / rate).floor()
    inside = size - rate * whole
    # steps beyond the last on the same side alternate between `inside` and inside - rate
    over = (steps - whole).clamp_min(0)
    oscillating = torch.where(over % 2 == 0, inside, inside - rate)
    left = torch.where(over > 0, torch.where(inside > 0, oscillating, 0.0), size - rate * steps)
    return start.sign() * left


def descent_margin(
    time: Float[np.ndarray, "*times"] | float, share: Float[np.ndarray, "*times"] | float, classes: int
) -> Float[np.ndarray, "*times"]:
    """u(t) of exp(u) + (C - 1) u = 1 + C pi t: the margin of a class under gradient flow from W = 0.

    For one-hot inputs, x = e_k for all samples of class k, the flow of the softmax cross-entropy keeps all wrong
    logits of a class equal, and u = W_kk - W_jk solves this; with F = (1 + C pi t)/(C - 1), u = F - W(e^F/(C - 1)),
    W being Lambert's function. The statement is that of Kunstner et al. (2024, theorem 1); the constants are ours.

    Arguments:
        time: of the flow, that is learning rate times steps.
        share: pi of the class.
        classes: C, at least two.
    """
    check_at_least("classes", classes, 2)
    shares, times = np.asarray(share, dtype=float), np.asarray(time, dtype=float)
    if not (np.all(times >= 0) and np.all((shares >= 0) & (shares <= 1))):
        raise SimonidesError("times are not negative, and shares lie in [0, 1].")
    scaled = (1 + classes * shares * times) / (classes - 1)
    # W(e^x) is Wright's omega function of x, which does not overflow; F - W(e^x) is log W(e^x) + log(C - 1), which
    # does not cancel
    return np.asarray(np.log(wrightomega(scaled - math.log(classes - 1)).real) + math.log(classes - 1))


def descent_loss(
    time: Float[np.ndarray, "*times"] | float, share: Float[np.ndarray, "*times"] | float, classes: int
) -> Float[np.ndarray, "*times"]:
    """log(1 + (C - 1) e^-u(t)) of a class under gradient flow, in nats: Theta(1/(pi t)).

    For pi t >= 1 it lies between (C - 1)/(2 C pi t) and (C - 1)/(pi t), and pi t times it tends to (C - 1)/C.

    >>> round(float(descent_loss(0.0, 0.1, 10)), 4)  # log C at first
    2.3026
    """
    margin = descent_margin(time, share, classes)
    return np.asarray(np.logaddexp(0.0, math.log(classes - 1) - margin))


def sign_loss(time: Float[np.ndarray, "*times"] | float, classes: int) -> Float[np.ndarray, "*times"]:
    """log(1 + (C - 1) e^-2t) of every class under the flow of sign descent, whatever its share.

    Kunstner et al. (2024, theorem 2) print e^-Ct; with C the number of classes that does not hold, as the right logit
    rises and each wrong one falls at rate 1, so the margin grows at rate 2.

    >>> round(float(sign_loss(0.0, 10)), 4), bool(sign_loss(20.0, 10) < 1e-15)
    (2.3026, True)
    """
    check_at_least("classes", classes, 2)
    return np.asarray(np.logaddexp(0.0, math.log(classes - 1) - 2 * np.asarray(time, dtype=float)))


def gradient_at_zero(x: Float[Tensor, "n d"], targets: Int[Tensor, " n"], classes: int) -> Float[Tensor, "C d"]:
    """The gradient in W of the mean cross-entropy at W = 0: mean(x)/C - pi_k mean of x in class k."""
    one_hot = torch.nn.functional.one_hot(targets, classes).to(x)
    return x.mean(0) / classes - one_hot.mT @ x / len(x)


def curvature_at_zero(x: Float[Tensor, "n d"], classes: int) -> Float[Tensor, ""]:
    """Tr H_kk at W = 0, the same for all classes: (1/C)(1 - 1/C) mean |x|^2."""
    return (1 - 1 / classes) / classes * x.square().sum(1).mean()


def class_gradients(
    logits: Float[Tensor, "*runs n C"], x: Float[Tensor, "n d"], targets: Int[Tensor, " n"]
) -> Float[Tensor, "*runs C"]:
    """|gradient row k| of the mean cross-entropy: |mean_i (p_k(x_i) - 1{y_i = k}) x_i|."""
    probabilities = logits.softmax(-1)
    away = probabilities - torch.nn.functional.one_hot(targets, logits.shape[-1]).to(logits)
    return (away.mT @ x / len(x)).norm(dim=-1)


def class_curvatures(logits: Float[Tensor, "*runs n C"], x: Float[Tensor, "n d"]) -> Float[Tensor, "*runs C"]:
    """Tr H_kk of the mean cross-entropy: mean_i p_k (1 - p_k) |x_i|^2.

    The released code of Kunstner et al. (2024) sums p (1 - p) x in place of x^2; this is the trace.
    """
    probabilities = logits.softmax(-1)
    return (probabilities * (1 - probabilities)).mT @ x.square().sum(1) / len(x)


def curvature_block(
    logits: Float[Tensor, "n C"], x: Float[Tensor, "n d"], row: int, column: int
) -> Float[Tensor, "d d"]:
    """Block (k, j) of the Hessian: mean_i p_k (1{k = j} - p_j) x_i x_i^T. Blocks of a row sum to zero."""
    probabilities = logits.softmax(-1)
    weights = probabilities[:, row] * (float(row == column) - probabilities[:, column])
    return x.mT @ (weights[:, None] * x) / len(x)


def gradient_over_curvature(
    right: float, shares: Float[Tensor, " C"], means: Float[Tensor, " C"], squares: Float[Tensor, " C"]
) -> Float[Tensor, " C"]:
    """|gradient row k| over Tr H_kk where samples are put right with probability p: |mean x| / (p mean |x|^2).

    Both are proportional to pi_k then, and so to each other (Kunstner et al. 2024, proposition on gradient and
    Hessian): (1 - p) pi_k |mean x| over p (1 - p) pi_k mean |x|^2. It is asymptotic in rare wrong probabilities: what
    other classes' samples add must be small beside pi_k.

    Arguments:
        right: p.
        shares: pi, which cancels; classes without samples give NaN.
        means: |mean of x| of each class.
        squares: mean |x|^2 of each class.

    Raises:
        SimonidesError: when p is not in (0, 1).
    """
    if not 0 < right < 1:
        raise SimonidesError(f"right = {right} is no probability inside (0, 1).")
    return torch.where(shares > 0, means / (right * squares), torch.nan)

"""Descent and sign descent on a linear bigram model: how many steps a vocabulary costs (Kunstner & Bach 2025).

f(W) = 1/2 sum_k pi_k |w_k - p(. | k)|^2 over the d words k, from W = 0: row k of W predicts the word after word k.
Frequencies pi are ordered, and every row p(. | k) holds the same numbers in another order. So |p(. | k)| is the same
for all k, descent sees pi alone, and sign descent a single row.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import exp1
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, least


def descent_error(frequencies: Float[Tensor, " d"], steps: int | float) -> float:
    """f(W_t)/f(0) of descent with step 1/max pi: sum_k pi_k (1 - pi_k/max pi)^(2t).

    At pi_k proportional to 1/k it is about 1 - log(2t)/log d: a relative error e needs d^(1 - e)/2 steps.
    """
    pi = _checked(frequencies)
    return float((pi * (1 - pi / pi.max()) ** (2 * steps)).sum())


def descent_steps(frequencies: Float[Tensor, " d"], error: float) -> int:
    """The least t with `descent_error` at most `error`."""
    _check_error(error)
    return least(lambda t: descent_error(frequencies, t) <= error)


def sign_error(row: Float[Tensor, " d"], rate: float, steps: int) -> float:
    """f(W_t)/f(0) of sign descent with a constant rate, run entry by entry: the same for every row.

    Entry p is left at |p - rate t| until it is passed, and then goes back and forth about p.
    """
    p = _checked(row)
    passed = (p / rate).floor()
    inside = p - rate * passed  # before the step that passes it
    over = (steps - passed).clamp_min(0)
    left = torch.where(
        over > 0, torch.where((over % 2 == 0) | (inside == 0), inside, inside - rate), p - rate * steps
    )
    return float(left.square().sum() / p.square().sum())


def best_sign_error(row: Float[Tensor, " d"], steps: int) -> float:
    """The least error over constant rates, the worse of steps t and t + 1, on a grid of 60 rates a decade.

    Entries that are below the rate lie on their start after every even step, so the error of one step alone would
    depend on its parity.
    """
    p = _checked(row)
    rates = float(p.max()) / steps * np.geomspace(0.1, 10.0, 121)
    return min(max(sign_error(p, float(rate), t) for t in (steps, steps + 1)) for rate in rates)


def sign_steps(row: Float[Tensor, " d"], error: float) -> int:
    """The least t for which some constant rate brings the relative error down to `error`, so that it stays there."""
    _check_error(error)
    return least(lambda t: best_sign_error(row, t) <= error)


def zipf_descent_steps(words: int, error: float) -> float:
    """Descent's steps at pi_k = 1/(k H_d), by an integral in place of the sum: E_1(2t/d) = e H_d.

    E_1 is the exponential integral. As d grows this tends to d^(1 - e) times a constant: almost linear in d.

    >>> round(zipf_descent_steps(10_000, 0.1)), descent_steps(1 / torch.arange(1, 10_001), 0.1)
    (1361, 1361)
    """
    check_at_least("words", words, 2)
    _check_error(error)
    harmonic = float((1 / np.arange(1, words + 1)).sum())
    return 0.5 * words * float(brentq(lambda x: exp1(x) - error * harmonic, 1e-300, 700.0))


def _checked(frequencies: Float[Tensor, " d"]) -> Float[Tensor, " d"]:
    p = frequencies.double()
    if not bool(torch.isfinite(p).all()) or bool((p < 0).any()) or not bool(p.any()):
        raise SimonidesError("frequencies must be finite, not negative, and not all zero.")
    return p / p.sum()


def _check_error(error: float) -> None:
    if not 0 < error < 1:
        raise SimonidesError(f"error = {error} is no share inside (0, 1) of the first error.")

"""What theory says of a target before anything is run: which directions are found in which order, and when.

Letters: `d` dimensions, `s` exponents. Directions are the target's coordinates.
"""

import math
from dataclasses import dataclass

from simonides.base import SimonidesError, check_at_least
from simonides.papers.multi_index.targets import HermiteTarget


@dataclass(frozen=True, kw_only=True)
class Saddle:
    """A point at which the flow is slow until it finds new directions.

    Arguments:
        known: coordinates that were found before.
        found: those that are found next, at the same time.
        exponent: s, the least degree in directions not yet known.
        loss: of the plateau, 1/2 of the variance that the known directions leave.
        duration: time until the next are found, from an overlap of d^(-1/2): d^(s - 1)/((2s - 2) a) or, for s = 1,
            log(d)/(2a), with a the sum of squared coefficients times the degree in the new coordinate.
    """

    known: tuple[int, ...]
    found: tuple[int, ...]
    exponent: int
    loss: float
    duration: float


def information_exponent(target: HermiteTarget) -> int:
    """The least degree of a Hermite polynomial in the target, the constant apart."""
    return min(map(sum, target.active))


def predict_saddles(target: HermiteTarget, d: int) -> tuple[Saddle, ...]:
    """The saddles that the flow on two time scales passes from a random start in d dimensions.

    After the directions in U are known, the next exponent is the least degree in other directions among the terms of
    the target that have any, what is known counting as constant (Bietti, Bruna & Pillaud-Vivien 2023, theorem 3.25, as
    we read it; constants are ours, exact as d grows for one direction). Of directions of one exponent the strongest is
    found first. Coordinates must be the target's own: of z_1 + z_2, which depends on one direction, two would be told.

    Arguments:
        target: in coordinates along its directions.
        d: dimensions.

    Raises:
        SimonidesError: when d is below the number of directions.

    >>> target = HermiteTarget(coefficients={(1, 0): 1.0, (0, 3): 1.0})
    >>> [(saddle.found, saddle.exponent) for saddle in predict_saddles(target, d=100)]
    [((0,), 1), ((1,), 3)]
    """
    check_at_least("d", d, 2)
    if d < target.q:
        raise SimonidesError(f"d = {d} dimensions hold no {target.q} directions.")
    known: set[int] = set()
    saddles: list[Saddle] = []
    while True:
        left = {
            beta: value
            for beta, value in target.active.items()
            if any(degree for variable, degree in enumerate(beta) if variable not in known)
        }
        if not left:
            return tuple(saddles)
        degrees = {beta: sum(k for variable, k in enumerate(beta) if variable not in known) for beta in left}
        exponent = min(degrees.values())
        next_terms = [beta for beta, degree in degrees.items() if degree == exponent]
        candidates = sorted({v for beta in next_terms for v, k in enumerate(beta) if k and v not in known})
        rates = {v: sum(beta[v] * left[beta] ** 2 for beta in next_terms) for v in candidates}
        rate = max(rates.values())
        # of one exponent the strongest come first, with those that share a term with them
        found = [v for v in candidates if rates[v] > (1 - 1e-9) * rate]
        found = sorted(
            {v for beta in next_terms if any(beta[w] for w in found) for v in candidates if beta[v]} | set(found)
        )
        duration = d ** (exponent - 1) / ((2 * exponent - 2) * rate) if exponent > 1 else math.log(d) / (2 * rate)
        saddles.append(
            Saddle(
                known=tuple(sorted(known)),
                found=tuple(found),
                exponent=exponent,
                loss=0.5 * sum(value**2 for value in left.values()),
                duration=duration,
            )
        )
        known |= set(found)

"""Searching monotone conditions over the whole numbers: doubling until one end is passed, then bisection."""

from collections.abc import Callable


def largest(holds: Callable[[int], bool], start: int = 1, resolution: float = 0.0) -> int:
    """The largest n at least `start` at which a condition holds that fails from some n on.

    Arguments:
        holds: the condition; taken to hold at `start`.
        start: the least n, at least 1.
        resolution: the answer may be too small by this share of itself; 0 finds it exactly.

    >>> largest(lambda n: n * n <= 50)
    7
    """
    high = 2 * start
    while holds(high):
        high *= 2
    low = high // 2
    while high - low > max(1, low * resolution):
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def least(holds: Callable[[int], bool], start: int = 1) -> int:
    """The least n above `start` at which a condition holds that holds from some n on.

    >>> least(lambda n: n * n > 50)
    8
    """
    return largest(lambda n: not holds(n), start) + 1

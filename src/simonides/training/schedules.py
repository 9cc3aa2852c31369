"""Schedules: by what the learning rate is multiplied at each step."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from simonides.base import SimonidesError, check_at_least

Schedule = Callable[[int], float]


@dataclass(frozen=True, kw_only=True)
class Constant:
    """1 after a linear warm-up.

    Arguments:
        warmup: steps until the full rate.

    >>> Constant(warmup=4)(0), Constant(warmup=4)(9)
    (0.25, 1.0)
    """

    warmup: int = 0

    def __post_init__(self) -> None:
        check_at_least("warmup", self.warmup, 0)

    def __call__(self, step: int) -> float:
        """The factor of the update after `step` updates."""
        return min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Half a cosine from 1 to `floor` after a linear warm-up (Loshchilov & Hutter 2017, without restarts).

    Arguments:
        steps: at which the floor is reached.
        warmup: steps until the full rate.
        floor: the last factor.

    >>> cosine = Cosine(steps=100, warmup=10)
    >>> round(cosine(9), 2), round(cosine(55), 2), cosine(100)
    (1.0, 0.5, 0.0)
    """

    steps: int
    warmup: int = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_at_least("steps", self.steps, 1)
        if not 0 <= self.warmup < self.steps or not 0 <= self.floor <= 1:
            raise SimonidesError(
                f"warmup = {self.warmup} of {self.steps} steps, floor = {self.floor}; give a shorter warm-up, and a "
                "floor in [0, 1]."
            )

    def __call__(self, step: int) -> float:
        """The factor of the update after `step` updates."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        share = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True, kw_only=True)
class InverseRoot:
    """1/sqrt(step) after a linear warm-up (Vaswani et al. 2017).

    Arguments:
        warmup: steps until the full rate, at least 1.
    """

    warmup: int = 1

    def __post_init__(self) -> None:
        check_at_least("warmup", self.warmup, 1)

    def __call__(self, step: int) -> float:
        """The factor of the update after `step` updates."""
        return min((step + 1) / self.warmup, math.sqrt(self.warmup / (step + 1)))

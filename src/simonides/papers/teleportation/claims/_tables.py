"""Problems on tables that several claims of this paper solve alike, each with its least loss."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.papers.teleportation.base_methods import NewtonCG, Trace, descend
from simonides.papers.teleportation.problems import Function, logistic, packaged_table

# iterations that are told apart; a method that needs more has failed
MOST = 400


@dataclass(frozen=True, kw_only=True, eq=False)
class LogisticProblem:
    """Logistic regression from w = 0 on a packaged table."""

    f: Function
    start: Float[Tensor, "1 p"]
    least: Float[Tensor, "1"]


@cache
def logistic_problem(table: str, penalty: float) -> LogisticProblem:
    """With its least loss, by 60 steps of Newton's method."""
    data = packaged_table(table)
    f = logistic(data, penalty)
    start = torch.zeros(1, data.x.shape[1] + 1, dtype=torch.float64)
    return LogisticProblem(f=f, start=start, least=descend(f, start, NewtonCG(), 60).f.min(0).values)


def spaced(first: int, every: int) -> Callable[[int], bool]:
    """Teleports after `first` iterations and then every so many."""
    return lambda done: done >= first and (done - first) % every == 0


def always(done: int) -> bool:
    """A teleport before every iteration."""
    return done >= 0


def only_first(done: int) -> bool:
    """One before the first iteration."""
    return done == 0


def log_ratio(own: float, other: float, most: float) -> float:
    """log of own over other, both cut at `most`: what is not reached counts as that much."""
    return math.log(min(own, most) / min(other, most))


def reached(trace: Trace, gap: float, least: Tensor) -> tuple[float, float]:
    """Iterations and units of work to a relative gap, of one problem; at least one iteration."""
    iterations, work = float(trace.iterations_to(gap, least)), float(trace.cost_to(gap, least))
    return max(iterations, 1.0), work


def constant(values: dict[str, float], runs: int) -> dict[str, Tensor]:
    """The columns of runs that do not differ."""
    return {name: torch.full((runs,), value, dtype=torch.float64) for name, value in values.items()}

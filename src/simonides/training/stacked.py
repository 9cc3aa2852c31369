"""Training many runs as one: parameters with the runs on their first axis, one product for all.

A run leaves the stack as soon as its outcome is known: when it has reached its goal, or when what it gained
lately leaves no hope that it will. The others do not notice: no number of one run depends on another.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim import Optimizer

from simonides.base import SimonidesError, check_at_least

# a run is given up where its errors, falling as 1/t from now on, would at the end still be this many times too
# many; of 100 runs of memories that reached 99 %, none would have been lost, and at half of it one
_HOPE = 4.0

Parameters = list[Tensor]


@runtime_checkable
class Problem(Protocol):
    """R runs that are trained together: what they minimise, and how good they are."""

    def start(self) -> Parameters:
        """The initial parameters, each of shape (runs, ...)."""

    def gradient(self, parameters: Parameters) -> Parameters:
        """The gradient of every run's own loss, in the same shapes."""

    def accuracy(self, parameters: Parameters) -> Float[Tensor, " runs"]:
        """How good every run is now."""

    def keep(self, runs: Int[Tensor, " kept"]) -> "Problem":
        """The same problem for some of its runs."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What became of R runs.

    Arguments:
        best: the best accuracy of every run over its checkpoints.
        steps: when it reached that.
        parameters: those of that moment, as `Problem.start` gives them.
        hopeless: runs that were given up early.
    """

    best: Float[Tensor, " runs"]
    steps: Int[Tensor, " runs"]
    parameters: Parameters
    hopeless: tuple[int, ...]


def train(
    problem: Problem,
    optimiser: Callable[[Sequence[Tensor]], Optimizer],
    steps: int,
    checkpoints: int = 128,
    goal: float = math.inf,
    give_up: bool = False,
) -> Trained:
    """Minimise the loss of every run by full-batch steps; the best of its checkpoints counts.

    Arguments:
        problem: the runs.
        optimiser: makes an optimiser of entry-wise updates (SGD, Adam, ...) from the stacked parameters.
        steps: at most.
        checkpoints: how often accuracy is measured, evenly spaced, the last after the last step.
        goal: a run stops at the first checkpoint that reaches this accuracy.
        give_up: whether to stop a run that will hardly reach the goal: where, with b(t) the best accuracy up
            to step t, (1 - b(t)) t/steps > 4 (1 - goal). Errors of runs that got there fell at least as 1/t. It
            is a forecast, not a proof.

    Raises:
        SimonidesError: when steps are fewer than checkpoints, or runs are to be given up with a goal of one.
    """
    check_at_least("checkpoints", checkpoints, 1)
    check_at_least("steps", steps, checkpoints)
    if give_up and not goal < 1:
        raise SimonidesError(f"goal = {goal}: only runs with a goal below one can be given up.")
    parameters = [p.clone() for p in problem.start()]
    if len({len(p) for p in parameters}) != 1:
        raise SimonidesError("the parameters of stacked runs differ in their number of runs.")
    method = optimiser(parameters)
    runs = torch.arange(len(parameters[0]))
    best = torch.full((len(runs),), -math.inf)
    at, kept = torch.zeros(len(runs), dtype=torch.int64), [p.clone() for p in parameters]
    hopeless: list[int] = []
    done = 0
    for checkpoint in range(1, checkpoints + 1):
        upto = steps * checkpoint // checkpoints
        for _ in range(done, upto):
            for parameter, grad in zip(parameters, problem.gradient(parameters), strict=True):
                parameter.grad = grad
            method.step()
        done = upto
        found = problem.accuracy(parameters).cpu().float()
        better = found > best[runs]
        best[runs[better]], at[runs[better]] = found[better], done
        for place, parameter in zip(kept, parameters, strict=True):
            place[runs[better]] = parameter[better]
        reached = best[runs] >= goal
        lost = ~reached & ((1 - best[runs]) * done / steps > _HOPE * (1 - goal)) & give_up
        hopeless += runs[lost].tolist()
        alive = ~(reached | lost)
        if not alive.any():
            break
        if not alive.all():
            index = alive.nonzero()[:, 0]
            problem, runs = problem.keep(index), runs[index]
            parameters, method = _compact(parameters, method, optimiser, index)
    return Trained(best=best, steps=at, parameters=kept, hopeless=tuple(sorted(hopeless)))


def _compact(
    parameters: Parameters,
    method: Optimizer,
    optimiser: Callable[[Sequence[Tensor]], Optimizer],
    index: Tensor,
) -> tuple[Parameters, Optimizer]:
    """The parameters of some runs, and an optimiser that goes on with what it remembers of them."""
    smaller = [p.detach()[index].clone() for p in parameters]
    other = optimiser(smaller)
    for old, new in zip(parameters, smaller, strict=True):
        state = method.state.get(old, {})
        other.state[new] = {
            name: value[index].clone() if isinstance(value, Tensor) and value.shape == old.shape else value
            for name, value in state.items()
        }
    return smaller, other

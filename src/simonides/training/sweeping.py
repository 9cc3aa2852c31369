"""Sweeps: every learning rate for every seed as one stack of runs, and whether the best rate is inside the grid."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer

from simonides.base import SimonidesError
from simonides.training.fitting import Loss, fit
from simonides.training.settings import Records, Update
from simonides.training.stacking import StackedModel
from simonides.training.state import History


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What became of each rate.

    Arguments:
        rates: the grid, rising.
        losses: at the last record, a row for each seed and a column for each rate; infinite where a run diverged.
        history: of the whole stack, the rates of the first seed first.
    """

    rates: tuple[float, ...]
    losses: Float[Tensor, "seeds rates"]
    history: History

    @property
    def best(self) -> Int[Tensor, " seeds"]:
        """Which rate is best for each seed."""
        return self.losses.argmin(1)

    @property
    def on_edge(self) -> Bool[Tensor, " seeds"]:
        """Whether the best rate lies on the grid's edge, so that a better one may lie beyond it."""
        return (self.best == 0) | (self.best == len(self.rates) - 1)

    def warning(self) -> str:
        """What to say of the grid; empty where the best rate lies inside for every seed."""
        count = int(self.on_edge.sum())
        if not count:
            return ""
        return (
            f"the best rate is the grid's {'lowest' if bool((self.best == 0).any()) else 'highest'} for {count} of "
            f"{len(self.losses)} seeds: a better one may lie outside {self.rates[0]:g} .. {self.rates[-1]:g}."
        )


def sweep(
    models: Sequence[nn.Module],
    loss: Loss,
    batches: Callable[[torch.Generator], Any],
    optimiser: Callable[[list[nn.Parameter], Tensor], Optimizer],
    rates: Sequence[float],
    steps: int,
    generators: Sequence[torch.Generator],
    update: Update | None = None,
    records: Records | None = None,
) -> Sweep:
    """Train a model of each seed at every rate, all as one stack; runs of a seed see the same batches.

    Arguments:
        models: one for each seed.
        loss: `loss(model, batch)` of one run's model and batch.
        batches: draws one run's batch.
        optimiser: makes the optimiser from the parameters and a rate for each run.
        rates: the grid; at least three, rising.
        steps: updates.
        generators: one for each seed; they are left as they were.
        update, records: as in `fit`.

    Raises:
        SimonidesError: when the grid is too small or does not rise.
    """
    if len(rates) < 3 or any(not low < high for low, high in pairwise(rates)):
        raise SimonidesError(
            f"rates {list(rates)}: give at least three that rise, so that the best can lie inside."
        )
    stack = StackedModel([model for model in models for _ in rates])
    copies = [
        torch.Generator(generator.device).set_state(generator.get_state())
        for generator in generators
        for _ in rates
    ]

    def draw(own: Sequence[torch.Generator], runs: Sequence[int]) -> Any:
        return stacked_batches([batches(generator) for generator in own])

    history = fit(
        stack,
        lambda model, batch: model.each(loss, batch),
        draw,
        lambda parameters: optimiser(parameters, torch.tensor(rates).repeat(len(models))),
        steps,
        copies,
        update,
        records,
    )
    last = history.column("loss")[-1].reshape(len(models), len(rates))
    return Sweep(rates=tuple(rates), losses=torch.where(torch.isfinite(last), last, torch.inf), history=history)


def stacked_batches(batches: Sequence[Any]) -> Any:
    """Batches of several runs as one, with the runs in front: of tensors, tuples and mappings of such."""
    first = batches[0]
    if isinstance(first, Tensor):
        return torch.stack(list(batches))
    if isinstance(first, dict):
        return {name: stacked_batches([batch[name] for batch in batches]) for name in first}
    return tuple(stacked_batches([batch[place] for batch in batches]) for place in range(len(first)))

"""Counters that several claims of this paper train alike."""

from dataclasses import dataclass

import torch
from torch import Tensor

from simonides.lab import Runs
from simonides.nn import EncoderDecoder
from simonides.papers.counting.model import counter_config
from simonides.papers.counting.strings import ContextualCounting
from simonides.papers.counting.training import CounterTraining, TrainedCounters, train_counters

# a region is solved where so many strings are answered right
SOLVED = 0.9


@dataclass(frozen=True, kw_only=True)
class Counter:
    """The counter of a run, and the region that is looked at, from 0, with its accuracy at the end."""

    model: EncoderDecoder
    region: int
    accuracy: float


def counters(
    runs: Runs, task: ContextualCounting, steps: int, restarts: int = 1, **model: object
) -> TrainedCounters:
    """A stack of counters: for each run so many, one after the other."""
    config = counter_config(task, **model)  # type: ignore[arg-type]
    training = CounterTraining(steps=steps, every=max(1, steps // 10), tested=1000)
    seeds = [int(torch.randint(2**31, (1,), generator=own)) for own in runs.generators for _ in range(restarts)]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return train_counters(task, config, generators, training, runs.device, runs.scratch / "counters.safetensors")


def best_counters(
    runs: Runs, task: ContextualCounting, steps: int, restarts: int = 2, region: int | None = None
) -> list[Counter]:
    """For each run the restart that answers a region best, a given one or any."""
    trained = counters(runs, task, steps, restarts)
    accuracies = trained.accuracies[-1].unflatten(0, (len(runs), restarts))
    looked_at = accuracies if region is None else accuracies[..., region : region + 1]
    chosen = []
    for run, own in enumerate(looked_at):
        restart, place = divmod(int(own.flatten().argmax()), own.shape[-1])
        number = place if region is None else region
        model = trained.models[run * restarts + restart]
        chosen.append(Counter(model=model, region=number, accuracy=float(own[restart, place])))
    return chosen


def columns(rows: list[dict[str, float]]) -> dict[str, Tensor]:
    """Numbers of each run as columns."""
    return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]}

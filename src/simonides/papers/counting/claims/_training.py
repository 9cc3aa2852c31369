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
    """The counter of a run, and the accuracy of its worst region at the end."""

    model: EncoderDecoder
    worst: float


def counters(
    runs: Runs, task: ContextualCounting, steps: int, restarts: int = 1, **model: object
) -> TrainedCounters:
    """A stack of counters: for each run so many, one after the other."""
    config = counter_config(task, **model)  # type: ignore[arg-type]
    training = CounterTraining(steps=steps, every=max(1, steps // 10), tested=1000)
    seeds = [int(torch.randint(2**31, (1,), generator=own)) for own in runs.generators for _ in range(restarts)]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return train_counters(task, config, generators, training, runs.device, runs.scratch / "counters.safetensors")


def best_counters(runs: Runs, task: ContextualCounting, steps: int, restarts: int = 3) -> list[Counter]:
    """For each run the restart whose worst region is answered best.

    The paper looks at its best model, which answers all regions. One that answers a single region need not know
    contextual position.
    """
    trained = counters(runs, task, steps, restarts)
    worst = trained.worst.unflatten(0, (len(runs), restarts))
    return [
        Counter(model=trained.models[run * restarts + int(own.argmax())], worst=float(own.max()))
        for run, own in enumerate(worst)
    ]


def columns(rows: list[dict[str, float]]) -> dict[str, Tensor]:
    """Numbers of each run as columns."""
    return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]}

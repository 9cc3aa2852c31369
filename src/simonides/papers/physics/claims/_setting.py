"""Simulations and models that several claims of this paper make alike."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from simonides.lab import Runs
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.avit_config import paper_config
from simonides.papers.physics.finetuning import finetune
from simonides.papers.physics.pretraining import PhysicsTraining, Trained, pretrain
from simonides.papers.physics.simulating import simulate
from simonides.papers.physics.simulations import Simulations
from simonides.papers.physics.windows import vocabulary

PRETRAINED = ("shallow-water", "incompressible", "diffusion-reaction")
# of the columns that are named after a system
SHORT = {
    "shallow-water": "shallow",
    "incompressible": "incompressible",
    "diffusion-reaction": "reaction",
    "compressible": "compressible",
}
_HELD_OUT = 8


class Draws:
    """Generators of one run: the same name gives the same draws, whatever else was drawn.

    Arguments:
        generator: of the run.
    """

    def __init__(self, generator: Generator) -> None:
        self._base = int(torch.randint(2**30, (1,), generator=generator))

    def __call__(self, name: str) -> Generator:
        """A generator of this name."""
        return torch.Generator().manual_seed(
            self._base + sum(ord(letter) * 31**n for n, letter in enumerate(name)) % 2**30
        )


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Sizes of a claim's models, data and training.

    Arguments:
        size: of the model, a name in `SIZES`.
        cells: along each side of the grid.
        trajectories: of each system in training.
        steps: updates.
    """

    size: str
    cells: int
    trajectories: int
    steps: int

    @property
    def large(self) -> bool:
        """Whether the model is one of the paper's."""
        return self.size in ("Ti", "S", "B", "L")

    def data(
        self, system: str, draws: Draws, count: int | None = None, **parameters: Any
    ) -> tuple[Simulations, Simulations]:
        """Trajectories for training, and others held out, of 21 frames over the system's time."""
        count = count or self.trajectories
        every = simulate(
            system, count + _HELD_OUT, draws(f"data {system}"), cells=self.cells, frames=21, **parameters
        )
        return (
            dataclasses.replace(every.part(slice(count)), split="train"),
            dataclasses.replace(every.part(slice(count, None)), split="valid"),
        )

    def model(self, sources: Sequence[Simulations], draws: Draws, device: torch.device, **changes: Any) -> AViT:
        """A model that knows the fields of some sources."""
        patch = 16 if self.large else 8
        config = paper_config(self.size, vocabulary(sources), **{"patch": patch, "predict": "delta", **changes})
        return AViT(config, draws("weights")).to(device)

    def training(self, **changes: Any) -> PhysicsTraining:
        """How it is trained: at the paper's sizes with its batches, rate of Adam and frames."""
        large = {"batch": 1, "accumulate": 5, "frames": 16, "rate": 5e-4, "warmup": 1000}
        small = {"batch": 4, "accumulate": 2, "frames": 4, "rate": 2e-3}
        chosen: dict[str, Any] = {
            "steps": self.steps,
            "stride": 1,
            "validation": 64,
            **(large if self.large else small),
            **changes,
        }
        return PhysicsTraining(**chosen)

    def pretrained(
        self, model: AViT, sources: Sequence[Simulations], draws: Draws, file: Path, **changes: Any
    ) -> Trained:
        """A model trained on several systems."""
        return pretrain(model, sources, self.training(**changes), draws("batches"), file)

    def finetuned(
        self,
        model: AViT,
        sources: Sequence[Simulations],
        draws: Draws,
        file: Path,
        tuned: str = "full",
        **changes: Any,
    ) -> Trained:
        """A model trained on from where it is."""
        return finetune(model, sources, self.training(**changes), draws("tuning"), tuned, checkpoint=file)


def folder_of(runs: Runs, generator: Generator) -> Path:
    """The folder of the run that a generator belongs to."""
    return runs.scratch_of(next(place for place, one in enumerate(runs.generators) if one is generator))


def all_sources(pairs: Iterable[tuple[Simulations, Simulations]]) -> tuple[Simulations, ...]:
    """Training and held-out simulations in one list."""
    return tuple(one for pair in pairs for one in pair)

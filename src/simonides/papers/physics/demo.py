"""All of it, small: data of four systems, pretraining on three, fine-tuning on the fourth, a rollout with its page."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import polars as pl
from torch import Generator

from simonides.papers.physics.avit import AViT
from simonides.papers.physics.avit_config import paper_config
from simonides.papers.physics.finetuning import finetune
from simonides.papers.physics.physics_page import RolledOut, blow_up_text, write_rollouts
from simonides.papers.physics.pretraining import PhysicsTraining, pretrain
from simonides.papers.physics.rollout import roll_out
from simonides.papers.physics.simulating import simulate
from simonides.papers.physics.simulations import Simulations
from simonides.papers.physics.windows import pools, vocabulary

_SEEN = ("shallow-water", "incompressible", "diffusion-reaction")
_CELLS, _FRAMES, _TRAJECTORIES, _HELD_OUT, _AHEAD = 32, 21, 40, 8, 10


def run_demo(out: Path, seed: int, progress: bool = False) -> Path:
    """Simulate, pretrain, fine-tune with 4 and 32 trajectories, roll out; returns the page's path.

    Arguments:
        out: a folder.
        seed: draws all that is random.
        progress: whether bars are shown.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    generator = Generator().manual_seed(seed)
    seen = [part for system in _SEEN for part in _parts(system, generator, progress)]
    train, held_out = _parts("compressible", generator, progress, mach=0.5)
    model = AViT(paper_config("micro", vocabulary(seen), patch=4), generator)
    begin = copy.deepcopy(model)
    training = PhysicsTraining(steps=300, batch=4, stride=1, every=50)
    pretrained = pretrain(model, seen, training, generator, progress=progress)
    tuning = dataclasses.replace(training, steps=120, rate=1e-3)
    rows: list[dict[str, float | str]] = []
    histories = {"pretraining": pretrained.history}
    for count in (4, 32):
        few = [train.part(slice(count)), held_out]
        for kind, start in (("pretrained", model), ("from scratch", begin)):
            own = copy.deepcopy(start)
            tuned = finetune(own, few, tuning, Generator().manual_seed(seed), progress=progress)
            rows.append({"kind": kind, "samples": float(count), "error": tuned.scores["compressible"].nrmse})
            histories[f"compressible, {kind}, {count} trajectories"] = tuned.history
            if kind == "pretrained":
                best, best_scores = own, tuned.scores
    last = tuned.scores["compressible"].persistence
    rows += [{"kind": "last frame", "samples": float(count), "error": last} for count in (4, 32)]
    rolled = [
        RolledOut(system=pool.source.system, rollout=roll_out(own, pool))
        for own, sources in ((model, seen), (best, [held_out]))
        for pool in pools(sources, "valid", training.frames, 1, _AHEAD)
    ]
    scores = pretrained.scores
    return write_rollouts(
        out,
        "Multiple physics pretraining, small",
        rolled,
        {name: history for name, history in histories.items() if name == "pretraining" or "32" in name},
        pl.DataFrame(rows),
        summary=[
            *(
                (
                    f"{system}: NRMSE of one step",
                    f"{one.nrmse:.4g}; of the last frame {one.persistence:.4g}, of the last increment repeated "
                    f"{one.extrapolation:.4g}",
                )
                for system, one in {**scores, **best_scores}.items()
            ),
            *((f"{one.system}: when VRMSE exceeds 1", blow_up_text(one.rollout)) for one in rolled),
        ],
    )


def _parts(
    system: str, generator: Generator, progress: bool, **parameters: Any
) -> tuple[Simulations, Simulations]:
    """Trajectories for training, and others held out."""
    every = simulate(
        system,
        _TRAJECTORIES + _HELD_OUT,
        generator,
        cells=_CELLS,
        frames=_FRAMES,
        device="cpu",
        progress=progress,
        **parameters,
    )
    return (
        dataclasses.replace(every.part(slice(_TRAJECTORIES)), split="train"),
        dataclasses.replace(every.part(slice(_TRAJECTORIES, None)), split="valid"),
    )

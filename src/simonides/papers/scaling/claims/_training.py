"""Training runs of the scaling claims: fresh embeddings e, u ~ N(0, I/d) and Zipf tokens, several in each run."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.lab import Runs
from simonides.memories import embeddings
from simonides.papers.scaling.claims._setting import ANSWERS
from simonides.tasks import many_to_one
from simonides.training import Particles, batch_counts


def draw(
    runs: Runs, repeats: int, inputs: int, d: int, outputs: str = "gaussian", answers: int = ANSWERS
) -> tuple[Float[Tensor, "all N d"], Float[Tensor, "all M d"]]:
    """Embeddings of `repeats` trainings in each run, one run after the other."""
    e = embeddings.embed("gaussian", repeats * inputs, d, runs.generators).to(runs.device)
    u = embeddings.embed(outputs, repeats * answers, d, runs.generators).to(runs.device)
    return e.reshape(-1, inputs, d), u.reshape(-1, answers, d)


def counts(
    runs: Runs, repeats: int, probabilities: Float[Tensor, " N"], steps: int, batch: int
) -> Float[Tensor, "all steps N"]:
    """Batches as shares n_x/B for every training."""
    drawn = batch_counts(probabilities, steps * repeats, batch, runs.generators)
    return drawn.reshape(len(runs) * repeats, steps, -1).to(runs.device)


def in_order(batches: Float[Tensor, "all steps N"]) -> Callable[[torch.Generator], Tensor]:
    """Batches that were drawn beforehand, one after the other, for `fit`."""
    steps = iter(batches.unbind(1))
    return lambda _: next(steps)


def particles(
    e: Float[Tensor, "all N d"],
    u: Float[Tensor, "all M d"],
    probabilities: Float[Tensor, " N"],
    weight: Float[Tensor, "all d d"] | None = None,
) -> Particles:
    """The trainings of one stack, answers x mod M."""
    targets = many_to_one(e.shape[1], u.shape[1]).to(e.device)
    return Particles.of(e, u, targets, probabilities.to(e.device), weight)


def by_run(values: Float[Tensor, "..."], runs: Runs) -> Float[Tensor, "runs ..."]:
    """Means over the trainings of each run, of values with all trainings on the first axis."""
    return values.unflatten(0, (len(runs), -1)).mean(1)

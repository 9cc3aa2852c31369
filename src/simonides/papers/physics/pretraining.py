"""Pretraining over several systems, with errors by system along the way."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from simonides.base import SimonidesError, check_at_least, check_name, check_not_negative
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.metrics import nmse
from simonides.papers.physics.patches import check_patches
from simonides.papers.physics.scoring import Scores, evaluate
from simonides.papers.physics.simulations import Source
from simonides.papers.physics.splitting import split_trajectories
from simonides.papers.physics.windows import SAMPLINGS, Mixture, Pool, Windows, pools, vocabulary
from simonides.training import AdamW, Adan, Checkpoint, Cosine, History, Records, Update, fit

OPTIMISERS = ("adamw", "adan")
LOSSES = ("normalised", "plain")
# may change when a training goes on: how long it is changes its schedule, what is looked at changes nothing
_FREE = ("steps", "every", "validation")


@dataclass(frozen=True, kw_only=True)
class PhysicsTraining:
    """How a model is trained.

    Arguments:
        steps: updates.
        batch: windows of a micro-batch, all of one source.
        accumulate: micro-batches of an update, which mixes systems (5 in the paper).
        frames: T, frames that are seen (16 in the paper).
        stride: frames of a source from one to the next.
        rate: the highest learning rate.
        optimiser: "adamw", or "adan" (Xie et al. 2022).
        weight_decay: decoupled, of tensors with more than one axis.
        warmup: updates until the highest rate, at most a tenth of all; then half a cosine down to a hundredth.
        clip: the largest norm of a gradient; None for no limit.
        loss: "normalised", the mean of `nmse`, as in the paper; or "plain", the mean squared error in physical units.
        sampling: "systems" or "sources", as of `Mixture`.
        jitter: whether windows of periodic systems are shifted by a random number of cells along their axes, so that
            patches do not always cut at the same places.
        every: updates between records; 0 for two alone.
        validation: windows of each source that are looked at in a record.
    """

    steps: int = 1000
    batch: int = 8
    accumulate: int = 2
    frames: int = 4
    stride: int = 5
    rate: float = 2e-3
    optimiser: str = "adamw"
    weight_decay: float = 1e-3
    warmup: int = 50
    clip: float | None = 1.0
    loss: str = "normalised"
    sampling: str = "systems"
    jitter: bool = False
    every: int = 0
    validation: int = 16

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "frames", "stride", "validation"):
            check_at_least(name, getattr(self, name), 1)
        for name in ("warmup", "every"):
            check_at_least(name, getattr(self, name), 0)
        for name in ("rate", "weight_decay"):
            check_not_negative(name, getattr(self, name))
        if not self.rate:
            raise SimonidesError("rate = 0 trains nothing; give a learning rate such as 1e-3.")
        check_name("optimiser", self.optimiser, OPTIMISERS)
        check_name("loss", self.loss, LOSSES)
        check_name("sampling", self.sampling, SAMPLINGS)
        if self.clip is not None and not self.clip > 0:
            raise SimonidesError(f"clip = {self.clip} makes no sense; give a norm above zero, or None.")

    def optimiser_of(self, parameters: list[nn.Parameter]) -> Optimizer:
        """The optimiser of what is trained."""
        make = AdamW if self.optimiser == "adamw" else Adan
        return make(parameters, self.rate, weight_decay=self.weight_decay)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What came of a training.

    Arguments:
        model: as it is afterwards.
        history: what was recorded; a column of each system holds its NRMSE on windows for validation.
        scores: errors on windows for validation, by system.
        skipped: windows that were passed over since the training began or went on, because a frame was constant in
            every field.
    """

    model: AViT
    history: History
    scores: Mapping[str, Scores]
    skipped: int


def pretrain(
    model: AViT,
    sources: Sequence[Source],
    training: PhysicsTraining,
    generator: Generator,
    checkpoint: Path | None = None,
    progress: bool = False,
    tuned: str = "",
) -> Trained:
    """Train a model in place on the training split of several systems.

    Under `torchrun`, micro-batches of an update are shared among processes, with the same result as one process.

    Arguments:
        model: knows all fields of the sources.
        sources: simulations of any systems and grids.
        training: how.
        generator: draws batches.
        checkpoint: a file that the training goes on from, to the bit, and is written to.
        progress: whether a bar shows errors by system.
        tuned: which parameters are trained, in words, where not all are; a resume under other words is refused.

    Raises:
        SimonidesError: when a field is not known, or a grid does not part into patches; before anything is trained.
        DivergedTraining: when the loss is no longer finite.
    """
    check_sources(model, sources, training)
    mixture = Mixture(
        pools=pools(sources, "train", training.frames, training.stride),
        batch=training.batch,
        sampling=training.sampling,
        skipped=[0],
    )
    watched = validation_pools(sources, training)
    history = fit(
        model,
        _Loss(training.loss, training.jitter),
        mixture,
        training.optimiser_of,
        training.steps,
        generator,
        Update(
            accumulate=training.accumulate,
            clip=training.clip,
            schedule=Cosine(steps=training.steps, warmup=min(training.warmup, training.steps // 10), floor=0.01),
        ),
        Records(
            every=training.every,
            probes={"errors": lambda trained: _watched(trained, watched, training.validation)},
            progress=progress,
        ),
        None
        if checkpoint is None
        else Checkpoint(
            path=checkpoint, every=max(training.every, 50), about=_told(model, sources, training, tuned)
        ),
    )
    scores = evaluate(model, watched, training.validation)
    return Trained(model=model, history=history, scores=scores, skipped=mixture.skipped[0])


def check_sources(model: AViT, sources: Sequence[Source], training: PhysicsTraining) -> None:
    """Raise `SimonidesError` unless a model knows the fields of all sources and can be trained on them."""
    check_shapes(model, sources, training)
    model.labels(vocabulary(sources))


def check_shapes(model: AViT, sources: Sequence[Source], training: PhysicsTraining) -> None:
    """Raise `SimonidesError` unless grids part into a model's patches, and each system trains and validates."""
    if not isinstance(sources, Sequence) or not sources:
        raise SimonidesError(f"sources came as {type(sources).__name__}; give a list of at least one.")
    for source in sources:
        if len(source.shape) != model.config.dimensions:
            raise SimonidesError(
                f"{source.place} has {len(source.shape)} axes of space; the model has {model.config.dimensions}. "
                "Train a model of each."
            )
        check_patches(source.shape, model.config.patch, source.place)
    pools(sources, "train", training.frames, training.stride)
    validation_pools(sources, training)


def _told(model: AViT, sources: Sequence[Source], training: PhysicsTraining, tuned: str) -> dict[str, str]:
    """All that a resume must share, by name."""
    data = [(s.system, s.fields, s.shape, s.trajectories, s.steps, s.split, s.boundaries) for s in sources]
    whole = {f"training {name}": value for name, value in asdict(training).items() if name not in _FREE}
    whole |= {f"model {name}": value for name, value in asdict(model.config).items()}
    return {name: repr(value) for name, value in {**whole, "tuned": tuned, "data": data}.items()}


def validation_pools(sources: Sequence[Source], training: PhysicsTraining) -> tuple[Pool, ...]:
    """Pools of the split for validation; of a system without one, of the test split.

    Raises:
        SimonidesError: when a system has neither.
    """
    systems: dict[str, list[Source]] = {}
    for source in sources:
        systems.setdefault(source.system, []).append(source)
    found: list[Pool] = []
    for system, own in systems.items():
        there = {split for _, split, _ in split_trajectories(own)}
        held_out = next((split for split in ("valid", "test") if split in there), None)
        if held_out is None:
            raise SimonidesError(
                f"all trajectories of {system} are for training; give some of the split valid, or at least five "
                "trajectories without a split."
            )
        found += pools(own, held_out, training.frames, training.stride)
    return tuple(found)


@dataclass(frozen=True)
class _Loss:
    """The loss of one batch, as `fit` asks for it."""

    kind: str
    jitter: bool

    def __call__(self, model: nn.Module, windows: Windows) -> Float[Tensor, ""]:
        seen, truth = windows.seen, windows.following[:, 0]
        drawn = torch.Generator().manual_seed(windows.seed)
        if self.jitter:
            seen, truth = shifted(seen, truth, windows.boundaries, drawn)
        answer = model(seen, windows.fields, windows.boundaries, drawn)
        if self.kind == "plain":
            return (answer - truth).square().mean()
        return nmse(answer, truth, truth.dim() - 2).mean()


def shifted(
    seen: Float[Tensor, "batch time fields *space"],
    truth: Float[Tensor, "batch fields *space"],
    boundaries: tuple[tuple[str, str], ...],
    generator: Generator,
) -> tuple[Float[Tensor, "batch time fields *space"], Float[Tensor, "batch fields *space"]]:
    """Windows turned by a random number of cells along each periodic axis."""
    for axis, faces in enumerate(boundaries):
        if faces == ("periodic", "periodic"):
            cells = int(torch.randint(truth.shape[2 + axis], (1,), generator=generator))
            seen, truth = seen.roll(cells, 3 + axis), truth.roll(cells, 2 + axis)
    return seen, truth


def _watched(model: nn.Module, watched: tuple[Pool, ...], count: int) -> dict[str, float]:
    assert isinstance(model, AViT)
    return {f"NRMSE {system}": one.nrmse for system, one in evaluate(model, watched, count).items()}

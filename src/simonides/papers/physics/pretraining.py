"""Pretraining over several systems and fine-tuning on new ones, with errors by system along the way."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from simonides.base import SimonidesError, check_at_least, check_name, check_not_negative
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.low_rank import add_low_rank, merge_low_rank
from simonides.papers.physics.metrics import nmse, nrmse, vrmse
from simonides.papers.physics.patches import check_patches
from simonides.papers.physics.simulations import Source
from simonides.papers.physics.windows import Mixture, Pool, Windows, pools, vocabulary
from simonides.training import AdamW, Adan, Checkpoint, Cosine, History, Records, Update, fit, in_eval_mode

OPTIMISERS = ("adamw", "adan")
LOSSES = ("normalised", "plain")
TUNED = ("full", "middle", "processor", "low-rank", "official")
# the field embedding and the kernels of the read-out: what belongs to fields
_OF_FIELDS = ("stem.columns", "stem.bias", "read_out.field_kernels", "read_out.field_bias")
# windows that are looked at together
_AT_ONCE = 32


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
        jitter: whether windows of periodic systems are shifted by a random number of cells along their axes in
        training,
            so that patches do not always cut at the same places.
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
        check_name("optimiser", self.optimiser, OPTIMISERS)
        check_name("loss", self.loss, LOSSES)

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
        skipped: windows that were passed over in training, because a frame was constant in every field.
    """

    model: AViT
    history: History
    scores: Mapping[str, "Scores"]
    skipped: int


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Errors of one-step predictions, averaged over windows and fields.

    Arguments:
        nrmse, vrmse: of the model, as in `metrics`.
        persistence: NRMSE of the last frame.
        extrapolation: NRMSE of the last frame and the last increment once more.
        by_field: NRMSE of each field.
    """

    nrmse: float
    vrmse: float
    persistence: float
    extrapolation: float
    by_field: Mapping[str, float] = field(default_factory=dict)


def pretrain(
    model: AViT,
    sources: Iterable[Source],
    training: PhysicsTraining,
    generator: Generator,
    checkpoint: Path | None = None,
    progress: bool = False,
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

    Raises:
        SimonidesError: when a field is not known, or a grid does not part into patches; before anything is trained.
        DivergedTraining: when the loss is no longer finite.
    """
    sources = tuple(sources)
    check_sources(model, sources)
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
            probes={"errors": lambda trained: _errors(trained, watched, training.validation)},
            progress=progress,
        ),
        None if checkpoint is None else Checkpoint(path=checkpoint, every=max(training.every, 50)),
    )
    scores = evaluate(model, watched, training.validation)
    return Trained(model=model, history=history, scores=scores, skipped=mixture.skipped[0])


def finetune(
    model: AViT,
    sources: Iterable[Source],
    training: PhysicsTraining,
    generator: Generator,
    tuned: str = "full",
    rank: int = 8,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> Trained:
    """Train a pretrained model in place on other systems; fields that it does not know are added first.

    Arguments:
        model: as it was pretrained.
        sources, training, generator, checkpoint, progress: as of `pretrain`.
        tuned: "full"; "middle", the blocks stay and so do stem and read-out, but for what belongs to fields;
            "processor", the blocks stay; "low-rank", an update of low rank for every matrix of the blocks (Hu et al.
            2022) beside stem and read-out; "official", as the released code does: everything but what belongs to
            fields, because its optimiser is made before the fields are added.
        rank: of the updates.

    Raises:
        SimonidesError: as of `pretrain`.
    """
    check_name("tuned", tuned, TUNED)
    sources = tuple(sources)
    model.add_fields(vocabulary(sources), generator)
    # every parameter that is to be trained exists before `fit` makes the optimiser
    if tuned == "low-rank":
        add_low_rank(model.blocks, rank, generator)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_is_tuned(name, tuned))
    try:
        return pretrain(model, sources, training, generator, checkpoint, progress)
    finally:
        if tuned == "low-rank":
            merge_low_rank(model.blocks)
        model.requires_grad_(True)


def _is_tuned(name: str, tuned: str) -> bool:
    if tuned == "full":
        return True
    if tuned == "official":
        return name not in _OF_FIELDS
    if tuned == "middle":
        return name in _OF_FIELDS
    return not name.startswith("blocks.") or (tuned == "low-rank" and name.endswith((".down", ".up")))


def check_sources(model: AViT, sources: tuple[Source, ...]) -> None:
    """Raise `SimonidesError` unless a model knows the fields of all sources and their grids part into patches."""
    for source in sources:
        if len(source.shape) != model.config.dimensions:
            raise SimonidesError(
                f"{source.place} has {len(source.shape)} axes of space; the model has {model.config.dimensions}."
            )
        check_patches(source.shape, model.config.patch, source.place)
    model.labels(vocabulary(sources))


def validation_pools(
    sources: Iterable[Source], training: PhysicsTraining, split: str = "valid"
) -> tuple[Pool, ...]:
    """Pools of the split for validation; of sources without one, of the test split."""
    found: list[Pool] = []
    for source in sources:
        for name in dict.fromkeys((split, "valid", "test")):
            try:
                found += pools([source], name, training.frames, training.stride)
            except SimonidesError:
                continue
            break
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


def _errors(model: nn.Module, watched: tuple[Pool, ...], count: int) -> dict[str, float]:
    assert isinstance(model, AViT)
    return {f"NRMSE {system}": one.nrmse for system, one in evaluate(model, watched, count).items()}


Predictor = Callable[[Windows], Float[Tensor, "batch fields *space"]]


def evaluate(model: AViT, watched: Iterable[Pool], count: int = 64) -> dict[str, Scores]:
    """Errors of one-step predictions by system, each source's average counting alike.

    Arguments:
        model: in any mode; it is left in it.
        watched: pools of the windows.
        count: windows of each pool, evenly spaced over trajectories and times.

    Raises:
        SimonidesError: when a prediction is not finite.
    """
    device = next(model.parameters()).device

    def predict(windows: Windows) -> Tensor:
        return model(windows.seen.to(device), windows.fields, windows.boundaries).cpu()

    with in_eval_mode(model), torch.no_grad():
        return score(predict, watched, count)


def score(predict: Predictor, watched: Iterable[Pool], count: int = 64) -> dict[str, Scores]:
    """Errors of any predictor of the next frame; `evaluate` is that of a model."""
    found: dict[str, list[Scores]] = {}
    for pool in watched:
        numbers = torch.linspace(0, len(pool) - 1, min(count, len(pool))).round().long().tolist()
        rows: list[Tensor] = []
        for first in range(0, len(numbers), _AT_ONCE):
            windows = pool.batch(numbers[first : first + _AT_ONCE])
            seen, truth = windows.seen, windows.following[:, 0]
            axes = truth.dim() - 2
            answer = predict(windows)
            if not bool(torch.isfinite(answer).all()):
                raise SimonidesError(
                    f"the prediction of {pool.source.place} is not finite; the model has diverged."
                )
            last = seen[:, -1]
            before = seen[:, -2] if seen.shape[1] > 1 else last
            kinds = (
                nrmse(answer, truth, axes),
                vrmse(answer, truth, axes),
                nrmse(last, truth, axes),
                nrmse(2 * last - before, truth, axes),
            )
            rows.append(torch.stack(kinds))
        means = torch.cat(rows, 1).double().mean(1)
        model, variance, last, twice = means.mean(1).tolist()
        one = Scores(
            nrmse=model,
            vrmse=variance,
            persistence=last,
            extrapolation=twice,
            by_field=dict(zip(pool.source.fields, means[0].tolist(), strict=True)),
        )
        found.setdefault(pool.source.system, []).append(one)
    return {system: _mean(scores) for system, scores in found.items()}


def _mean(scores: list[Scores]) -> Scores:
    def mean(name: str) -> float:
        return sum(getattr(one, name) for one in scores) / len(scores)

    return Scores(
        nrmse=mean("nrmse"),
        vrmse=mean("vrmse"),
        persistence=mean("persistence"),
        extrapolation=mean("extrapolation"),
        by_field={name: sum(one.by_field[name] for one in scores) / len(scores) for name in scores[0].by_field},
    )

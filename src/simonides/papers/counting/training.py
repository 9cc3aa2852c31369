"""Training counters, several as one stack, on fresh strings at every step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least, check_not_negative
from simonides.nn import EncoderDecoder, EncoderDecoderConfig, cross_entropies
from simonides.papers.counting.model import make_counter
from simonides.papers.counting.strings import ContextualCounting, CountingStrings
from simonides.training import Checkpoint, Cosine, History, Records, StackedModel, Update, fit

# lengths that a task of several is tested at
_TESTED_LENGTHS = 8


@dataclass(frozen=True, kw_only=True)
class CounterTraining:
    """How counters are trained: AdamW without decay, a warm-up and half a cosine, gradients clipped to norm 1.

    Nothing of this is stated by Golkar et al. (2024).

    Arguments:
        steps: updates.
        batch: fresh strings a step.
        rate: the highest learning rate.
        warmup: steps until it is reached, at most a tenth of all.
        every: steps between records.
        tested: strings of each record, the same for all.
        enough: a run ends at the first record where every region is answered right this often; above 1 never.
    """

    steps: int = 8000
    batch: int = 32
    rate: float = 2e-3
    warmup: int = 200
    every: int = 500
    tested: int = 500
    enough: float = 1.1

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "every", "tested"):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("warmup", self.warmup, 0)
        check_not_negative("rate", self.rate)
        if not self.enough > 0:
            raise SimonidesError(f"enough = {self.enough}; give a share above zero, or one above 1 for never.")


@dataclass(frozen=True, kw_only=True)
class TrainedCounters:
    """Counters as they are after training, with what was recorded of all of them."""

    models: tuple[EncoderDecoder, ...]
    history: History

    @property
    def accuracies(self) -> Float[Tensor, "records runs R"]:
        """Of each region, at every recorded step."""
        names = [name for name in self.history.columns if name.startswith("accuracy_")]
        return torch.stack([self.history.column(name) for name in names], -1)

    @property
    def worst(self) -> Float[Tensor, " runs"]:
        """The accuracy of each run's worst region at the end."""
        return self.accuracies[-1].amin(-1)

    def of_run(self, run: int) -> History:
        """What was recorded of one run."""
        own = History()
        own.restore(self.history.steps, {name: values[:, run] for name, values in self.history.columns.items()})
        return own


def train_counters(
    task: ContextualCounting,
    config: EncoderDecoderConfig,
    generators: Sequence[torch.Generator],
    training: CounterTraining | None = None,
    device: torch.device | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> TrainedCounters:
    """Train a counter for each generator.

    Of a task of several lengths a step has one length, which the first run draws for all.

    Arguments:
        task: the law of strings.
        config: of the models.
        generators: one for each run: of its weights, then of its strings.
        training: how.
        device: where; by default the CPU.
        checkpoint: a file that a broken training goes on from.
        progress: whether a bar shows loss and accuracies.

    Returns:
        The models, and a history with the columns "loss" and "accuracy_1" ... "accuracy_R", of 500 fixed strings.

    Raises:
        DivergedTraining: when all runs diverge.
        SimonidesError: when settings do not go together.
    """
    training = training or CounterTraining()
    device = device or torch.device("cpu")
    models = [make_counter(config, generator) for generator in generators]
    stack = StackedModel(models).to(device)
    test_draws = torch.Generator().manual_seed(0)
    # a sample has one length
    samples = 1 if isinstance(task.length, int) else _TESTED_LENGTHS
    tests = [task.sample(-(-training.tested // samples), test_draws).on(device) for _ in range(samples)]

    def draw(own: Sequence[torch.Generator], runs: Sequence[int]) -> tuple[Tensor, Tensor]:
        drawn = _same_length(task, training.batch, own)
        return torch.stack([s.tokens for s in drawn]), torch.stack([task.labels(s)[0] for s in drawn])

    def loss(model: StackedModel, batch: tuple[Tensor, Tensor]) -> Float[Tensor, " runs"]:
        return model.each(lambda one, own: answer_loss(one(own[0]), own[1]), batch)

    def seen(model: StackedModel) -> dict[str, Tensor]:
        right = torch.stack([_right(task, model, tested) for tested in tests]).nanmean(0)
        return {f"accuracy_{number + 1}": share for number, share in enumerate(right.unbind(1))}

    def finished(record: dict[str, Tensor], step: int) -> Tensor:
        accuracies = torch.stack([v for name, v in record.items() if name.startswith("accuracy_")])
        return accuracies.amin(0) >= training.enough

    warmup = min(training.warmup, training.steps // 10)
    history = fit(
        stack,
        loss,
        draw,
        lambda parameters: torch.optim.AdamW(parameters, training.rate, weight_decay=0.0),
        training.steps,
        generators,
        update=Update(clip=1.0, schedule=Cosine(steps=training.steps, warmup=warmup)),
        records=Records(every=training.every, probes={"seen": seen}, retire=finished, progress=progress),
        checkpoint=None if checkpoint is None else Checkpoint(path=checkpoint, every=training.every),
    )
    trained = [stack.run(run) for run in range(stack.runs)]
    return TrainedCounters(models=tuple(m for m in trained if isinstance(m, EncoderDecoder)), history=history)


def answer_loss(logits: Float[Tensor, "B R classes"], labels: Int[Tensor, "B R"]) -> Float[Tensor, ""]:
    """Mean cross-entropy of the regions that are there, in nats."""
    there = (labels >= 0).to(logits.dtype)
    return (cross_entropies(logits, labels.clamp_min(0)) * there).sum() / there.sum().clamp_min(1)


def right_share(logits: Float[Tensor, "B P classes"], labels: Int[Tensor, "B R"]) -> Float[Tensor, " R"]:
    """Of each region the share of strings whose count is the likeliest answer; NaN where no string has it."""
    answered = logits[:, : labels.shape[1]].argmax(-1)
    there = labels >= 0
    return ((answered == labels) & there).sum(0) / there.sum(0)


def _right(task: ContextualCounting, model: StackedModel, strings: CountingStrings) -> Float[Tensor, "runs R"]:
    """`right_share` of each run."""
    labels = task.labels(strings)[0]
    return torch.stack(
        [right_share(logits, labels) for logits in model(strings.tokens.expand(model.runs, -1, -1))]
    )


def answers_of(model: nn.Module, strings: CountingStrings) -> Int[Tensor, "B R"]:
    """The likeliest answer of each region: of the first prompts, where strings have fewer regions than the model."""
    with torch.no_grad():
        return model(strings.tokens)[:, : strings.counts.shape[1]].argmax(-1)


def _same_length(
    task: ContextualCounting, batch: int, generators: Sequence[torch.Generator]
) -> list[CountingStrings]:
    """A batch for each run; of a task of several lengths all of the length that the first run draws."""
    first = task.sample(batch, generators[0])
    if isinstance(task.length, int):
        return [first, *(task.sample(batch, own) for own in generators[1:])]
    fixed = task.shifted(length=first.tokens.shape[1] - task.before)
    return [first, *(fixed.sample(batch, own) for own in generators[1:])]

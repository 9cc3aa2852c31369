"""Training of factual recall from token counts: many runs as one, stopped when all of them know their facts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.nn import CountedTransformer, Transformer, cross_entropies
from simonides.tasks import Prompts
from simonides.training import Adam, History, Record, Records, StackedModel, fit, moved

# prompts that accuracy is measured on, at least one for each fact
_TESTED = 1024


@dataclass(frozen=True, kw_only=True)
class RecallTraining:
    """R trained runs.

    Arguments:
        models: as they are at the end, or at the record at which they reached the accuracy.
        best: the highest accuracy of each at any record until then.
        history: "loss" and "accuracy" along the steps, one for each run.
    """

    models: tuple[Transformer, ...]
    best: Float[Tensor, " R"]
    history: History


def train_recall(
    models: Sequence[Transformer],
    prompts: Sequence[Prompts],
    generators: Sequence[torch.Generator],
    steps: int,
    rate: float = 0.01,
    batch: int = 512,
    accuracy: float | None = 0.99,
    every: int = 64,
    even: bool | None = None,
    probes: dict[str, Callable[[Callable[[Tensor], Tensor]], Tensor]] | None = None,
    progress: bool = False,
) -> RecallTraining:
    """Train one-layer transformers by Adam on prompts with fresh noise, all runs in one stack.

    Nichani, Lee & Bietti (2025, figure 4): accuracy is the share of prompts whose largest logit, among all
    answers, is the right one; the highest of all records counts. Facts are asked for in even numbers where their
    weights are even, which leaves the mean gradient as it is and lowers its variance.

    Arguments:
        models: one for each run, of equal configuration.
        prompts: the task of each run; all of equal sizes.
        generators: one for each run.
        steps: at most so many.
        rate: of Adam.
        batch: prompts a step, rounded up to a multiple of the number of facts where these are asked for evenly.
        accuracy: a run ends when it has reached it, whatever the others of its stack do; None trains all steps.
        every: steps between records.
        even: whether a batch asks for every fact equally often, in place of drawing facts by their weights; by
            default where all weights are equal.
        probes: further ones: each is given the function from counts to logits, with the runs in front.
        progress: show a bar.

    Raises:
        SimonidesError: when the runs' sizes differ.
    """
    check_at_least("runs", len(models), 1)
    if accuracy is not None and not 0 < accuracy <= 1:
        raise SimonidesError(
            f"accuracy = {accuracy} lies outside (0, 1]; give a share, or None to train all steps."
        )
    equal = all(bool((task.facts.weights == task.facts.weights[0]).all()) for task in prompts)
    if even and not equal:
        raise SimonidesError("facts of different weights are drawn by them; leave even out.")
    if (
        len({(task.vocabulary, task.length, len(task.facts.answer_names), len(task.facts)) for task in prompts})
        > 1
    ):
        raise SimonidesError(
            "runs of different sizes cannot be trained as one; train them in groups of equal ones."
        )
    stacked = StackedModel(
        [CountedTransformer(m, task.vocabulary - 1) for m, task in zip(models, prompts, strict=True)]
    )
    size = len(prompts[0].facts)
    tested = moved(_draw(prompts, generators, _TESTED, even=True), models[0].W_E.device)
    best = torch.zeros(len(models))
    alive = torch.arange(len(models))

    def accuracy_of(model: Callable[[Tensor], Tensor]) -> Tensor:
        counts, answers = (part[alive] for part in tested)
        return (model(counts).argmax(-1) == answers).float().mean(-1)

    def finished(record: Record, step: int) -> Tensor:
        nonlocal alive
        best[alive] = torch.maximum(best[alive], record["accuracy"])
        done = record["accuracy"] >= (2.0 if accuracy is None else accuracy)
        alive = alive[~done]
        return done

    evenly = equal if even is None else even

    def batch_of(own: Sequence[torch.Generator], runs: Sequence[int]) -> tuple[Tensor, Tensor]:
        return _draw([prompts[run] for run in runs], own, max(batch, size if evenly else 0), evenly)

    history = fit(
        stacked,
        lambda model, drawn: cross_entropies(model(drawn[0]), drawn[1]).mean(-1),
        batch_of,
        lambda parameters: Adam(parameters, rate),
        steps,
        generators,
        records=Records(
            every=every,
            probes={"accuracy": accuracy_of, **(probes or {})},
            retire=finished,
            progress=progress,
        ),
    )
    trained = tuple(_model_of(stacked, run) for run in range(len(models)))
    return RecallTraining(models=trained, best=best, history=history)


def train_with_restarts(
    make: Callable[[torch.Generator], Transformer],
    prompts: Prompts,
    generator: torch.Generator,
    steps: int = 1500,
    starts: int = 8,
    accuracy: float = 0.99,
    **settings: Any,
) -> tuple[RecallTraining, int]:
    """Train one model, and draw it afresh where it has not come to the accuracy: some starts lead to a plateau.

    Near capacity about one start in ten stays for tens of thousands of steps where others need some hundred, so
    starting again is cheaper than waiting.

    Arguments:
        make: draws a model.
        prompts: its task.
        generator: of models and batches.
        steps: of each start at most.
        starts: at most so many; the last one is returned as it is.
        accuracy, settings: as of `train_recall`.

    Returns:
        The last training, and how many starts it took.
    """
    check_at_least("starts", starts, 1)
    taken = 0
    while True:
        training = train_recall([make(generator)], [prompts], [generator], steps, accuracy=accuracy, **settings)
        taken += 1
        if float(training.best) >= accuracy or taken == starts:
            return training, taken


def _model_of(stacked: StackedModel, run: int) -> Transformer:
    model = stacked.run(run)
    assert isinstance(model, CountedTransformer)
    return model.model


def _draw(
    prompts: Sequence[Prompts],
    generators: Sequence[torch.Generator],
    batch: int,
    even: bool,
) -> tuple[Float[Tensor, "R B V"], Tensor]:
    counts, answers = [], []
    for task, generator in zip(prompts, generators, strict=True):
        size = len(task.facts)
        rows = torch.arange(size).repeat(-(-batch // size)) if even else task.rows(batch, generator)
        counts.append(task.counts(rows, generator))
        answers.append(task.facts.answers[rows])
    return torch.stack(counts), torch.stack(answers)

"""What the claims of this paper share: tasks, their accuracy, and stacks of trained models."""

from dataclasses import dataclass

import torch
from torch import Tensor

from simonides.nn import Transformer, counted_logits
from simonides.papers.facts.model import parameter_count, recall_transformer
from simonides.papers.facts.training import RecallTraining, train_recall
from simonides.tasks import Prompts, synthetic_facts


@dataclass(frozen=True, kw_only=True)
class Size:
    """A trained model of the experiments.

    Arguments:
        d: width.
        heads: H.
        head_dimension: h.
        hidden: m; 0 for attention alone.
    """

    d: int
    heads: int = 8
    head_dimension: int = 2
    hidden: int = 0

    @property
    def parameters(self) -> int:
        """P."""
        return parameter_count(self.d, self.heads, self.head_dimension, self.hidden)

    def make(self, prompts: Prompts, generator: torch.Generator) -> Transformer:
        """The model at its start."""
        return recall_transformer(prompts, self.d, self.heads, self.head_dimension, self.hidden, generator)


def task(
    subjects: int,
    relations: int,
    answers: int,
    generator: torch.Generator,
    noise: int | None = None,
    kind: str = "random",
    length: int = 32,
) -> Prompts:
    """Prompts on synthetic facts, with as many noise tokens as subjects and relations unless told otherwise."""
    facts = synthetic_facts(subjects, relations, answers, generator, kind)
    return Prompts(facts=facts, noise=subjects + relations if noise is None else noise, length=length)


def train(
    size: Size,
    prompts: list[Prompts],
    generators: list[torch.Generator],
    steps: int,
    batch: int = 512,
    accuracy: float = 0.99,
    every: int = 64,
    device: torch.device | str = "cpu",
) -> RecallTraining:
    """One run for each task, stacked."""
    models = [size.make(task, generator).to(device) for task, generator in zip(prompts, generators, strict=True)]
    return train_recall(models, prompts, generators, steps, batch=batch, accuracy=accuracy, every=every)


def right(model: Transformer, prompts: Prompts, generator: torch.Generator, asked: int = 2048) -> Tensor:
    """Which facts are recalled, as shares of the prompts that ask for them."""
    size = len(prompts.facts)
    rows = torch.arange(size).repeat(-(-asked // size))
    counts = prompts.counts(rows, generator).to(model.W_E)
    with torch.no_grad():
        answers = counted_logits(model, counts, prompts.ends(rows).to(counts.device)).argmax(-1).cpu()
    return (answers == prompts.facts.answers[rows]).double().view(-1, size).mean(0)

"""Training of the linear-attention model from a small start, with what it knows of relation and subject."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from simonides.dynamics import fit
from simonides.models import CountedTransformer
from simonides.models.factual_recall import linear_attention_model
from simonides.tasks import Prompts

BATCH = 1024


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What was seen along a training.

    Arguments:
        steps: of each record.
        loss: on all facts, at the mean noise.
        relation_loss: -log of the mass on the relation's answers.
        subject_loss: -log of the mass on the subject's answers.
        distance_to_relation, distance_to_subject: total variation from p(a | r), from p(a | s).
        accuracy: share of facts whose answer is the likeliest.
        entropy: of the answer given the relation, the loss of one who knows that alone.
    """

    steps: Float[Tensor, " n"]
    loss: Float[Tensor, " n"]
    relation_loss: Float[Tensor, " n"]
    subject_loss: Float[Tensor, " n"]
    distance_to_relation: Float[Tensor, " n"]
    distance_to_subject: Float[Tensor, " n"]
    accuracy: Float[Tensor, " n"]
    entropy: float

    def half(self, name: str) -> float:
        """The first recorded step at which a loss is half of its start; NaN where it never is."""
        values = getattr(self, name)
        below = (values <= values[0] / 2).nonzero()
        return float(self.steps[int(below[0])]) if len(below) else math.nan


def flow(
    prompts: Prompts, scale: float, rate: float, steps: int, every: int, generator: torch.Generator | None
) -> Flow:
    """Gradient descent from all weights `scale`: on the population, or on prompts drawn by a generator."""
    facts = prompts.facts
    rows = torch.arange(len(facts))
    counts = prompts.expected_counts(rows)
    own = torch.zeros(len(facts.subject_names), len(facts.answer_names), dtype=torch.bool)
    own[facts.subjects, facts.answers] = True
    of_relation, of_subject = facts.admissible[facts.relations], own[facts.subjects]
    by_relation, by_subject = facts.by_relation[facts.relations], facts.by_subject[facts.subjects]
    model = CountedTransformer(linear_attention_model(prompts, scale), prompts.vocabulary - 1)

    def seen(m: CountedTransformer) -> Tensor:
        logits = m(counts).double()
        p = logits.softmax(-1)
        return torch.stack(
            [
                cross_entropy(logits, facts.answers),
                -(p * of_relation).sum(1).log().mean(),
                -(p * of_subject).sum(1).log().mean(),
                (p - by_relation).abs().sum(1).mean() / 2,
                (p - by_subject).abs().sum(1).mean() / 2,
                (p.argmax(1) == facts.answers).double().mean(),
            ]
        )

    def batch(_: torch.Generator) -> tuple[Tensor, Tensor]:
        if generator is None:
            return counts, facts.answers
        drawn = prompts.rows(BATCH, generator)
        return prompts.counts(drawn, generator), facts.answers[drawn]

    history = fit(
        model,
        lambda m, drawn: cross_entropy(m(drawn[0]), drawn[1]),
        batch,
        lambda parameters: torch.optim.SGD(parameters, rate),
        steps,
        torch.Generator(),
        probes={"seen": seen},
        every=every,
    )
    names = ("loss", "relation_loss", "subject_loss", "distance_to_relation", "distance_to_subject", "accuracy")
    columns = dict(zip(names, history.column("seen").unbind(1), strict=True))
    entropy = -torch.special.xlogy(by_relation, by_relation).sum(1).mean()
    return Flow(steps=history.step_numbers().double(), entropy=float(entropy), **columns)

"""Training of the linear-attention model from a small start, with what it knows of relation and subject."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simonides.nn import cross_entropies
from simonides.papers.facts.model import check_start
from simonides.tasks import Prompts
from simonides.training import SGD, Records, Stack, fit

BATCH = 1024


class _LinearAttention(Stack):
    """R models of section 5 as two tables each: `linear_attention_model` on counts, without what no prompt reaches.

    logit_a = sum_z c_z w_KQ(z) W_OV(a, z); written out, since their products are too small for a stack of modules.
    """

    key_query: nn.Parameter
    value: nn.Parameter

    def __init__(self, runs: int, tokens: int, answers: int, scale: float) -> None:
        super().__init__(runs)
        check_start(scale)
        self.key_query = nn.Parameter(torch.full((runs, tokens, 1), scale))
        self.value = nn.Parameter(torch.full((runs, tokens, answers), scale))

    def forward(self, counts: Float[Tensor, "R B V"]) -> Float[Tensor, "R B A"]:
        """Logits after each prompt."""
        return counts @ (self.key_query * self.value)


@dataclass(frozen=True, kw_only=True)
class Flow:
    """What was seen along the trainings of R runs.

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
    loss: Float[Tensor, "R n"]
    relation_loss: Float[Tensor, "R n"]
    subject_loss: Float[Tensor, "R n"]
    distance_to_relation: Float[Tensor, "R n"]
    distance_to_subject: Float[Tensor, "R n"]
    accuracy: Float[Tensor, "R n"]
    entropy: Float[Tensor, " R"]

    def half(self, name: str) -> Float[Tensor, " R"]:
        """The first recorded step at which a loss is half of its start; NaN where it never is."""
        values = getattr(self, name)
        below = values <= values[:, :1] / 2
        return torch.where(below.any(1), self.steps[below.double().argmax(1)], math.nan)


def flow(
    prompts: Sequence[Prompts],
    scale: float,
    rate: float,
    steps: int,
    every: int,
    generators: Sequence[torch.Generator] | None,
    device: torch.device | str = "cpu",
) -> Flow:
    """Gradient descent from all weights `scale`, runs of equal sizes as one stack.

    On the population, or, with generators, on prompts that each run draws by its own.
    """
    facts = [task.facts for task in prompts]
    counts = torch.stack([task.expected_counts(torch.arange(len(task.facts))) for task in prompts])
    answers = torch.stack([known.answers for known in facts])
    of_relation = torch.stack([known.admissible[known.relations] for known in facts])
    of_subject = torch.stack([(known.by_subject > 0)[known.subjects] for known in facts])
    by_relation = torch.stack([known.by_relation[known.relations] for known in facts])
    by_subject = torch.stack([known.by_subject[known.subjects] for known in facts])
    counts, answers, of_relation, of_subject, by_relation, by_subject = (
        part.to(device) for part in (counts, answers, of_relation, of_subject, by_relation, by_subject)
    )
    model = _LinearAttention(len(prompts), counts.shape[-1], by_relation.shape[-1], scale).to(device)

    def seen(m: _LinearAttention) -> Tensor:
        logits = m(counts).double()
        p = logits.softmax(-1)
        return torch.stack(
            [
                cross_entropies(logits, answers).mean(-1),
                -(p * of_relation).sum(-1).log().mean(-1),
                -(p * of_subject).sum(-1).log().mean(-1),
                (p - by_relation).abs().sum(-1).mean(-1) / 2,
                (p - by_subject).abs().sum(-1).mean(-1) / 2,
                (p.argmax(-1) == answers).double().mean(-1),
            ]
        )

    def batch(own: Sequence[torch.Generator], runs: Sequence[int]) -> tuple[Tensor, Tensor]:
        rows = [prompts[run].rows(BATCH, g) for run, g in zip(runs, own, strict=True)]
        drawn = [prompts[run].counts(asked, g) for run, asked, g in zip(runs, rows, own, strict=True)]
        answers = [facts[run].answers[asked] for run, asked in zip(runs, rows, strict=True)]
        return torch.stack(drawn), torch.stack(answers)

    history = fit(
        model,
        lambda m, drawn: cross_entropies(m(drawn[0]), drawn[1]).mean(-1),
        (lambda _: (counts, answers)) if generators is None else batch,
        lambda parameters: SGD(parameters, rate),
        steps,
        torch.Generator() if generators is None else generators,
        records=Records(every=every, probes={"seen": seen}),
    )
    names = ("loss", "relation_loss", "subject_loss", "distance_to_relation", "distance_to_subject", "accuracy")
    columns = dict(zip(names, history.column("seen").permute(1, 2, 0), strict=True))
    entropy = -torch.special.xlogy(by_relation, by_relation).sum(-1).mean(-1).cpu()
    return Flow(steps=history.step_numbers().double(), entropy=entropy, **columns)

"""Real facts in a trained one-layer transformer: train it on a table, ask it, and see what it said on the way.

`TrainedFacts.train("country-capital", d=32).ask("France")` is all it takes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_seed
from simonides.data import FactTable, read_facts
from simonides.nn import Transformer, counted_logits
from simonides.papers.facts.model import recall_transformer
from simonides.papers.facts.training import train_recall
from simonides.tasks import Facts, Prompts, facts_of

NOISE, EVERY = 32, 10
# logits of all facts at once
_MOST = 50_000_000


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What was said after some steps of training.

    Arguments:
        step: how many.
        answer: the likeliest answer.
        probability: its probability.
        distance: total variation of the prediction from p(a | r), what one says who knows the relation alone.
    """

    step: int
    answer: str
    probability: float
    distance: float


@dataclass(frozen=True, kw_only=True)
class TrainedAnswer:
    """What a trained model answers to one key.

    Arguments:
        key, expected: the question and its answer in the table.
        best: the likeliest answers with their probabilities.
        right: whether the first of them is the expected one.
        hallucinated: the stage at which it said an answer of the relation that belongs to another subject, at its
            nearest to p(a | r); None where it never did.
        known_from: the first step since when it was right at every record; None where it is not.
    """

    key: str
    expected: str
    best: tuple[tuple[str, float], ...]
    right: bool
    hallucinated: Stage | None
    known_from: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedFacts:
    """A table of F facts in the weights of a one-layer transformer, with what it said along its training.

    Arguments:
        table: the facts.
        facts: the same as numbers.
        model: trained.
        steps: of the records.
        predictions: the likeliest answer to each fact at each record.
        probability: of that answer.
        distance: of the prediction from p(a | r).
        logits: at the end, without noise tokens' chance: at their mean.

    >>> table = FactTable(keys=("France", "Peru", "Kenya"), attributes=("Paris", "Lima", "Nairobi"))
    >>> known = TrainedFacts.train(table, d=16)
    >>> known.ask("peru").best[0][0], known.right, len(table)
    ('Lima', 3, 3)
    """

    table: FactTable
    facts: Facts
    model: Transformer
    steps: tuple[int, ...]
    predictions: Int[Tensor, "records F"]
    probability: Float[Tensor, "records F"]
    distance: Float[Tensor, "records F"]
    logits: Float[Tensor, "F A"]

    @classmethod
    def train(
        cls,
        facts: FactTable | Mapping[str, str] | Path | str,
        d: int = 64,
        seed: int = 0,
        steps: int = 1000,
        progress: bool = False,
    ) -> "TrainedFacts":
        """Train on prompts that hide subject and relation among noise, until 99 % are right or the steps are over.

        The model has 8 heads of dimension d/8 and d hidden units: 6 d^2 trained weights.

        Arguments:
            facts: a table, the name of a packaged one, a CSV file's path, or a dictionary of answers.
            d: width, a multiple of 8.
            seed: of weights and prompts.
            steps: at most so many.
            progress: show a bar.

        Raises:
            SimonidesError: when d is no multiple of 8, or the table too large to train on at once.
        """
        check_at_least("steps", steps, 1)
        check_seed(seed)
        if d < 8 or d % 8:
            raise SimonidesError(f"d = {d} does not part into 8 heads; give a multiple of 8.")
        table = read_facts(facts)
        numbered = facts_of(table)
        if len(numbered) * len(numbered.answer_names) > _MOST:
            raise SimonidesError(
                f"{len(numbered):,} facts with {len(numbered.answer_names):,} answers are too many to train on "
                "here; give a smaller table."
            )
        generator = torch.Generator().manual_seed(seed)
        prompts = Prompts(facts=numbered, noise=NOISE)
        rows = torch.arange(len(numbered))
        typical = prompts.expected_counts(rows)
        by_relation = numbered.by_relation[numbered.relations].float()

        def seen(model: Callable[[Tensor], Tensor]) -> Tensor:
            p = model(typical[None])[0].softmax(-1)
            likeliest = p.max(-1)
            return torch.stack([likeliest.indices.float(), likeliest.values, (p - by_relation).abs().sum(-1) / 2])

        model = recall_transformer(prompts, d, 8, d // 8, d, generator)
        trained = train_recall(
            [model], [prompts], [generator], steps, every=EVERY, probes={"seen": seen}, progress=progress
        )
        (final,) = trained.models
        with torch.no_grad():
            logits = counted_logits(final, typical, prompts.ends(rows))
        predictions, probability, distance = trained.history.column("seen").unbind(1)
        return cls(
            table=table,
            facts=numbered,
            model=final,
            steps=tuple(trained.history.steps),
            predictions=predictions.long(),
            probability=probability,
            distance=distance,
            logits=logits,
        )

    def __repr__(self) -> str:
        known = f"{self.right} of {len(self.table)} facts recalled"
        return f"TrainedFacts({self.table.name}: {known}, {self.parameters} trained weights)"

    @property
    def parameters(self) -> int:
        """How many trained numbers there are."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def right(self) -> int:
        """How many of the F facts are recalled."""
        return int((self.logits.argmax(-1) == self.facts.answers).sum())

    @property
    def hallucinating(self) -> Float[Tensor, " records"]:
        """Share of facts answered, at each record, with an answer of the relation that is not theirs.

        Zero before the first step, when answers are chance.
        """
        of_relation = self.facts.admissible[self.facts.relations, self.predictions]
        share = (of_relation & (self.predictions != self.facts.answers)).double().mean(1)
        return share.where(torch.tensor(self.steps) > 0, 0.0)

    def ask(self, key: str, top: int = 3) -> TrainedAnswer:
        """The likeliest answers to a key of the table, and what was said on the way.

        Raises:
            SimonidesError: when the table has no such key; names the nearest ones.
        """
        check_at_least("top", top, 1)
        row = self.table.row_of(key)
        names, expected = self.table.answers, int(self.facts.answers[row])
        highest = self.logits[row].softmax(-1).topk(min(top, len(names)))
        best = zip(highest.indices.tolist(), highest.values.tolist(), strict=True)
        right = self.predictions[:, row] == expected
        known = right.flip(0).long().cumprod(0).sum()
        return TrainedAnswer(
            key=self.table.keys[row],
            expected=self.table.attributes[row],
            best=tuple((names[place], probability) for place, probability in best),
            right=bool(self.logits[row].argmax() == expected),
            hallucinated=self._hallucinated(row, right),
            known_from=self.steps[-int(known)] if known else None,
        )

    def _hallucinated(self, row: int, right: Tensor) -> Stage | None:
        of_relation = self.facts.admissible[self.facts.relations[row], self.predictions[:, row]]
        trained = torch.tensor(self.steps) > 0  # before, answers are chance
        astray = (of_relation & ~right & trained).nonzero()[:, 0]
        if not len(astray):
            return None
        at = int(astray[self.distance[astray, row].argmin()])
        return Stage(
            step=self.steps[at],
            answer=self.table.answers[int(self.predictions[at, row])],
            probability=float(self.probability[at, row]),
            distance=float(self.distance[at, row]),
        )

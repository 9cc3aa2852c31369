"""Facts of a subject and a relation, and prompts that hide them among noise: the factual-recall task.

Nichani, Lee & Bietti (2025), section 4: a*(s, r) lies in A_r, the answers a relation can have. A prompt holds s, r
and noise tokens in random order and ends with EOS; what is asked for is a*(s, r). Letters: `F` facts, `S`
subjects, `R` relations, `A` answers, D the size of A_r, `B` prompts, `T` positions, `V` tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_name
from simonides.data import FactTable, related

KINDS = ("random", "balanced", "structured", "injective")
ENDS = ("eos", "relation")


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """F facts: of subject subjects[i] and relation relations[i] the answer is answers[i].

    Arguments:
        subjects, relations, answers: numbers from 0.
        subject_names, relation_names, answer_names: what they are called.
        admissible: which answers are in A_r.
        weights: how often each fact is asked for; they add to 1.
    """

    subjects: Int[Tensor, " F"]
    relations: Int[Tensor, " F"]
    answers: Int[Tensor, " F"]
    subject_names: tuple[str, ...]
    relation_names: tuple[str, ...]
    answer_names: tuple[str, ...]
    admissible: Bool[Tensor, "R A"]
    weights: Float[Tensor, " F"]

    def __len__(self) -> int:
        return len(self.subjects)

    @cached_property
    def by_relation(self) -> Float[Tensor, "R A"]:
        """p(a | r): what a model says that knows the relation and not the subject."""
        return self._given(self.relations, len(self.relation_names))

    @cached_property
    def by_subject(self) -> Float[Tensor, "S A"]:
        """p(a | s)."""
        return self._given(self.subjects, len(self.subject_names))

    def _given(self, known: Tensor, size: int) -> Tensor:
        joint = self.weights.new_zeros(size, len(self.answer_names))
        joint.index_put_((known, self.answers), self.weights, accumulate=True)
        return joint / joint.sum(1, keepdim=True).clamp_min(1e-30)

    def power_law(self, exponent: float) -> "Facts":
        """The same facts, subject s (from 0) asked for in proportion to (s + 1)^-exponent."""
        weights = (self.subjects + 1.0) ** -exponent
        return replace(self, weights=(weights / weights.sum()).to(self.weights))

    def some(self, count: int, generator: torch.Generator) -> "Facts":
        """That many of them, drawn without repetition; subjects, relations and answers keep their numbers."""
        check_at_least("count", count, 1)
        if count > len(self):
            raise SimonidesError(f"{count} of {len(self)} facts; give at most all of them.")
        rows = torch.randperm(len(self), generator=generator)[:count].sort().values
        weights = self.weights[rows]
        return replace(
            self,
            subjects=self.subjects[rows],
            relations=self.relations[rows],
            answers=self.answers[rows],
            weights=weights / weights.sum(),
        )


def synthetic_facts(
    subjects: int, relations: int, answers: int, generator: torch.Generator, kind: str = "random"
) -> Facts:
    """All S R facts, each relation with D answers of its own.

    Arguments:
        subjects: S.
        relations: R.
        answers: D, of one relation; A = R D.
        generator: draws the answers.
        kind: "random" with replacement; "balanced", each answer of a relation as often as the others, up to one;
            "structured", a*(s, r) = r D + floor(s D/S); or "injective", within a relation every subject another
            answer (D >= S).

    >>> synthetic_facts(4, 2, 2, torch.Generator(), kind="structured").answers.tolist()
    [0, 2, 0, 2, 1, 3, 1, 3]
    """
    for name, value in (("subjects", subjects), ("relations", relations), ("answers", answers)):
        check_at_least(name, value, 1)
    check_name("kind", kind, KINDS)
    if kind == "injective" and answers < subjects:
        raise SimonidesError(
            f"{answers} answers a relation for {subjects} subjects cannot all differ; give at least as many."
        )
    if kind in ("structured", "balanced"):
        answer_of = (torch.arange(subjects) * answers // subjects).expand(relations, -1)
        if kind == "balanced":
            answer_of = torch.stack([row[torch.randperm(subjects, generator=generator)] for row in answer_of])
    elif kind == "injective":
        answer_of = torch.stack(
            [torch.randperm(answers, generator=generator)[:subjects] for _ in range(relations)]
        )
    else:
        answer_of = torch.randint(answers, (relations, subjects), generator=generator)
    table = (answer_of + answers * torch.arange(relations)[:, None]).mT
    s, r = torch.arange(subjects), torch.arange(relations)
    return Facts(
        subjects=s.repeat_interleave(relations),
        relations=r.repeat(subjects),
        answers=table.flatten(),
        subject_names=tuple(f"subject {i}" for i in range(subjects)),
        relation_names=tuple(f"relation {i}" for i in range(relations)),
        answer_names=tuple(f"answer {i}" for i in range(relations * answers)),
        admissible=torch.arange(relations * answers) // answers == r[:, None],
        weights=torch.full((subjects * relations,), 1 / (subjects * relations), dtype=torch.float64),
    )


def facts_of(table: FactTable) -> Facts:
    """The facts of a table of subject, relation and attribute; A_r is what the relation's facts are answered with.

    A table without relations has one, called "is".
    """
    pairs = table.pairs or tuple((key, "is") for key in table.keys)
    subjects, relations = (dict.fromkeys(names) for names in zip(*pairs, strict=True))
    subject_rows, relation_rows = (
        {name: row for row, name in enumerate(names)} for names in (subjects, relations)
    )
    s = torch.tensor([subject_rows[subject] for subject, _ in pairs])
    r = torch.tensor([relation_rows[relation] for _, relation in pairs])
    a = torch.tensor(table.targets)
    admissible = torch.zeros(len(relations), len(table.answers), dtype=torch.bool)
    admissible[r, a] = True
    return Facts(
        subjects=s,
        relations=r,
        answers=a,
        subject_names=tuple(subjects),
        relation_names=tuple(relations),
        answer_names=table.answers,
        admissible=admissible,
        weights=torch.full((len(pairs),), 1 / len(pairs), dtype=torch.float64),
    )


def packaged_facts(names: Sequence[str]) -> Facts:
    """Several packaged tables of one kind of fact each as one, such as ("country-capital", "country-currency").

    Raises:
        SimonidesError: when a name is unknown, or its data package is missing.
    """
    return facts_of(related(names))


@dataclass(frozen=True, kw_only=True, eq=False)
class Prompts:
    """Prompts of T tokens around facts.

    Tokens are numbered: S subjects, R relations, noise, and EOS.

    Arguments:
        facts: what is asked.
        noise: how many noise tokens there are.
        length: T.
        end: "eos", or "relation": the relation comes last, and there is no EOS.
    """

    facts: Facts
    noise: int
    length: int = 32
    end: str = "eos"

    def __post_init__(self) -> None:
        check_name("end", self.end, ENDS)
        check_at_least("noise", self.noise, 1)
        if self.fillers < 0:
            raise SimonidesError(
                f"length = {self.length} is too short for subject, relation and end; give 3 or more."
            )

    @property
    def vocabulary(self) -> int:
        """V: S + R + noise, and EOS."""
        return self._noise_from + self.noise + (self.end == "eos")

    @property
    def fillers(self) -> int:
        """How many noise tokens a prompt holds."""
        return self.length - (3 if self.end == "eos" else 2)

    def rows(self, batch: int, generator: torch.Generator) -> Int[Tensor, " B"]:
        """Facts to ask for, by their weights."""
        weights = self.facts.weights
        if bool((weights == weights[0]).all()):
            return torch.randint(len(weights), (batch,), generator=generator)
        return torch.multinomial(weights, batch, replacement=True, generator=generator)

    def tokens(self, rows: Int[Tensor, " B"], generator: torch.Generator) -> Int[Tensor, "B T"]:
        """Prompts of these facts: all but the end in random order."""
        batch, facts = len(rows), self.facts
        subject, relation = facts.subjects[rows], self._relation_from + facts.relations[rows]
        noise = self._draw_noise(batch, generator)
        if self.end == "eos":
            free, end = [subject[:, None], relation[:, None], noise], torch.full((batch,), self.vocabulary - 1)
        else:
            free, end = [subject[:, None], noise], relation
        mixed = torch.cat(free, 1)
        order = torch.rand(mixed.shape, generator=generator).argsort(1)
        return torch.cat([mixed.gather(1, order), end[:, None]], 1)

    def counts(self, rows: Int[Tensor, " B"], generator: torch.Generator) -> Float[Tensor, "B V"]:
        """How often each token is in the prompts of these facts: all that a model without positions sees."""
        counts = self._certain(rows)
        noise = self._draw_noise(len(rows), generator)
        return counts.scatter_add_(1, noise, counts.new_ones(()).expand(noise.shape))

    def expected_counts(self, rows: Int[Tensor, " B"]) -> Float[Tensor, "B V"]:
        """The mean of `counts` over the noise."""
        counts = self._certain(rows)
        counts[:, self._noise_from : self._noise_from + self.noise] += self.fillers / self.noise
        return counts

    def ends(self, rows: Int[Tensor, " B"]) -> Int[Tensor, " B"]:
        """The last token of the prompts."""
        if self.end == "eos":
            return torch.full((len(rows),), self.vocabulary - 1)
        return self._relation_from + self.facts.relations[rows]

    @property
    def _relation_from(self) -> int:
        return len(self.facts.subject_names)

    @property
    def _noise_from(self) -> int:
        return self._relation_from + len(self.facts.relation_names)

    def _draw_noise(self, batch: int, generator: torch.Generator) -> Int[Tensor, "B fillers"]:
        return self._noise_from + torch.randint(self.noise, (batch, self.fillers), generator=generator)

    def _certain(self, rows: Tensor) -> Tensor:
        counts = torch.zeros(len(rows), self.vocabulary)
        prompts = torch.arange(len(rows))
        counts[prompts, self.facts.subjects[rows]] = 1.0
        counts[prompts, self._relation_from + self.facts.relations[rows]] = 1.0
        if self.end == "eos":
            counts[:, -1] = 1.0
        return counts

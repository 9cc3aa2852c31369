"""Real facts in one matrix: store a table, ask it, and see what theory expected.

`FactMemory.store("country-capital", d=128).ask("France")` is all it takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from simonides.base import check_at_least, check_memory, check_name, check_seed, chosen_device
from simonides.data import FactTable, read_facts
from simonides.memories import LinearMemory, embed, margins, top_answers
from simonides.memories.laws.orthogonality import KINDS
from simonides.memories.laws.recall import RULES, recall_of_classes, width_for
from simonides.probes import recalled

# below this width embeddings may coincide
_TIES = 16


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a memory answers to one key.

    `margin` is the right answer's score minus that of its best rival; `right` says that the key is recalled:
    its margin is above zero. The scores of the `best` answers fall; a fact alone in its matrix scores 1.
    """

    key: str
    expected: str
    best: tuple[tuple[str, float], ...]
    margin: float
    right: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class FactMemory:
    """A table of N facts stored in one d x d matrix, with the random embeddings of its keys and answers.

    >>> table = FactTable(keys=("France", "Peru", "Kenya"), attributes=("Paris", "Lima", "Nairobi"))
    >>> memory = FactMemory.store(table, d=64)
    >>> memory.ask("peru").best[0][0], memory.right, len(table)
    ('Lima', 3, 3)
    """

    table: FactTable
    memory: LinearMemory
    inputs: Float[Tensor, "N d"]
    outputs: Float[Tensor, "M d"]
    recalled: Bool[Tensor, " N"]
    embedding: str
    rule: str

    @classmethod
    def store(
        cls,
        facts: FactTable | Mapping[str, str] | Path | str,
        d: int = 64,
        seed: int = 0,
        embedding: str = "sphere",
        rule: str = "outer_products",
        device: torch.device | str | None = None,
    ) -> "FactMemory":
        """Store facts in a d x d matrix.

        Arguments:
            facts: a table, the name of a packaged one (`simonides.data.fact_table.PACKAGED`), a CSV file's path, or a
                dictionary of answers.
            d: width of the embeddings and of the matrix.
            seed: of the random embeddings.
            embedding: a kind of `simonides.memories.embeddings.KINDS`.
            rule: "outer_products" or "pseudo_inverse".
            device: where the matrix lies; by default a GPU where there is one.

        Raises:
            SimonidesError: when d < 1, the table cannot be read, or the embeddings do not fit in d.
        """
        check_at_least("d", d, 1)
        check_seed(seed)
        check_name("writing rule", rule, RULES)
        chosen = chosen_device("auto" if device is None else device)
        table = read_facts(facts)
        needed = 4 * d * (2 * (len(table) + len(table.answers)) + d)
        check_memory(f"d = {d} and {len(table)} facts need", needed, "give a smaller d")
        generator = torch.Generator().manual_seed(int(seed))
        inputs = embed(embedding, len(table), d, generator).to(chosen)
        outputs = embed(embedding, len(table.answers), d, generator).to(chosen)
        targets = torch.tensor(table.targets, device=chosen)
        memory = LinearMemory.store(inputs, outputs, targets, rule=rule)
        right = recalled(memory, inputs, outputs, targets)
        if d < _TIES:  # in so few dimensions embeddings coincide, and an answer that ties is not recalled
            right &= margins(memory(inputs), outputs, targets) > 0
        return cls(
            table=table,
            memory=memory,
            inputs=inputs,
            outputs=outputs,
            recalled=right,
            embedding=embedding,
            rule=rule,
        )

    def __repr__(self) -> str:
        return f"FactMemory({self.table.name}: {self.right} of {len(self.table)} facts recalled, d = {self.d})"

    @property
    def d(self) -> int:
        """Width of the matrix."""
        return self.inputs.shape[1]

    @property
    def right(self) -> int:
        """How many of the N facts are recalled."""
        return int(self.recalled.sum())

    @property
    def expected_right(self) -> float | None:
        """How many theory expects at this d and N, given how many keys share each answer.

        None where there is no theory: d = 1, and embeddings other than sphere and gaussian.
        """
        if self.embedding not in KINDS or self.d < 2:
            return None
        share = recall_of_classes(self.d, self.table.class_sizes, self.embedding, self.rule)
        return share * len(self.table)

    def width_needed(self, accuracy: float = 0.99) -> int:
        """The least d at which theory expects the table to be recalled to `accuracy` by outer products."""
        if self.embedding not in KINDS:  # orthonormal ones recall all, and can be drawn from this width on
            return max(len(self.table), len(self.table.answers))
        return width_for(self.table.class_sizes, accuracy, self.embedding)

    def ask(self, key: str, top: int = 3) -> Answer:
        """The best answers to a key of the table.

        Raises:
            SimonidesError: when the table has no such key; names the nearest ones.
        """
        check_at_least("top", top, 1)
        row = self.table.row_of(key)
        query = self.memory(self.inputs[row : row + 1])
        scores, places = top_answers(query, self.outputs, min(top, len(self.table.answers)))
        ranked = [(self.table.answers[p], s) for p, s in zip(places[0].tolist(), scores[0].tolist(), strict=True)]
        expected = self.table.attributes[row]
        target = torch.tensor([self.table.targets[row]], device=query.device)
        return Answer(
            key=self.table.keys[row],
            expected=expected,
            best=tuple(ranked),
            margin=float(margins(query, self.outputs, target)),
            right=bool(self.recalled[row]),
        )

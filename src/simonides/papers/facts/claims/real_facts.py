"""Real facts, stored by training: is capacity that of random facts of the same numbers, and what is lost first?

Countries with their continent and currency, and capitals. Their answers are uneven: many countries share
a continent, a capital belongs to one. A random table with as many facts of each relation is trained beside.
"""

from dataclasses import replace

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Grid,
    Ordered,
    Runs,
    Threshold,
    product,
)
from simonides.lab.figures import Curves
from simonides.papers.facts.claims._draws import Size, right, train
from simonides.tasks import Facts, Prompts, packaged_facts

TABLES = ("country-capital", "country-continent", "country-currency")


def measure(runs: Runs, *, table: str, facts: int, d: int, steps: int) -> dict[str, Tensor]:
    """Recall of the facts by relation, and of those whose answer is shared by few or by many."""
    generators = list(runs.generators)
    prompts = [Prompts(facts=draw(table, facts, generator), noise=50) for generator in generators]
    trained = train(
        Size(d=d, heads=8, head_dimension=d // 8, hidden=d), prompts, generators, steps, device=runs.device
    )
    rows = []
    for model, asked, generator in zip(trained.models, prompts, generators, strict=True):
        known = right(model, asked, generator)
        sizes = torch.bincount(asked.facts.answers, minlength=len(asked.facts.answer_names))
        common = sizes[asked.facts.answers] >= COMMON
        capital = asked.facts.relations == 0
        rows.append([float(known[part].mean()) for part in (known >= 0, common, ~common, capital)])
        rows[-1].append(rows[-1][1] - rows[-1][3])
    names = ("recall", "recall_common", "recall_rare", "recall_capital", "common_before_capital")
    return dict(zip(names, torch.tensor(rows, dtype=torch.float64).unbind(1), strict=True))


# facts that share an answer before it is called common
COMMON = 8


def draw(table: str, facts: int, generator: torch.Generator) -> Facts:
    """Some of the real facts, or as many with answers drawn evenly from those of their relation."""
    chosen = packaged_facts(TABLES).some(facts, generator)
    if table == "real":
        return chosen
    answers = torch.multinomial(chosen.admissible[chosen.relations].double(), 1, generator=generator)[:, 0]
    return replace(chosen, answers=answers)


def grid(counts: list[int], d: int, steps: int) -> Grid:
    """Numbers of facts drawn from the table of about 740."""
    return product(table=["real", "random"], facts=counts, d=[d], steps=[steps]).with_seeds(8)


claim = Claim(
    question="Does a trained transformer store real facts as it stores random ones, and which does it drop first?",
    statement=r"\text{recall}(\text{real}) \geq \text{recall}(\text{random, same numbers})",
    source="after Nichani, Lee & Bietti (2025), figure 4; facts of countries from the package countryinfo",
    references=["nichani2025factual"],
    scales={
        "smoke": grid([100, 250], 32, 300),
        "desk": grid([100, 200, 300, 450, 700], 32, 1000),
        "paper": grid([100, 200, 300, 450, 600, 700], 32, 16_384),
    },
    measure=measure,
    version=2,  # since a run ends by itself, whatever its stack does
    rules=[
        Ordered(
            column="recall",
            by="table",
            order=("random", "real"),
            least=-0.02,
            says="recall of the real table less that of a random one with the same numbers",
        ),
        Threshold(
            column="common_before_capital",
            at_least=0.05,
            where={"table": "real", "facts": 700},
            says="recall of answers that many share less that of capitals, 700 facts",
        ),
        Threshold(column="recall", at_least=0.9, where={"facts": 100}),
    ],
    sanity=[
        Threshold(column="recall", at_least=0.9, where={"facts": 100}),
        Threshold(column="recall_common", at_least=0.6),
    ],
    figures=[
        Curves(
            ys={
                "all": "recall",
                f"answers of {COMMON} facts or more": "recall_common",
                "answers of fewer": "recall_rare",
                "capitals": "recall_capital",
            },
            x="facts",
            where={"table": table},
            log="",
            title=f"{table.capitalize()} facts of countries in a trained model of d = 32",
            x_label="facts",
            y_label="recall",
        )
        for table in ("real", "random")
    ],
)

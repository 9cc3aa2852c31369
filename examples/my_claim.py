"""Storing facts with unequal weights costs recall: the weak ones are forgotten first.

A claim file outside the package: copy it, change `measure`, and run it with

    simonides run ./my_claim.py --scale smoke
"""

from torch import Tensor

from simonides.base import zipf
from simonides.lab import Claim, Ordered, Runs, product
from simonides.lab.figures import Overlay
from simonides.memories import LinearMemory, embeddings
from simonides.probes import recalled
from simonides.tasks import identity


def measure(runs: Runs, *, d: int, facts: int, exponent: float) -> dict[str, Tensor]:
    """Recall of all facts, of the heaviest tenth and of the lightest tenth."""
    inputs = embeddings.sphere(facts, d, runs.generators).to(runs.device)  # runs, facts, d
    outputs = embeddings.sphere(facts, d, runs.generators).to(runs.device)
    targets = identity(facts).to(runs.device).expand(len(runs), facts)
    weights = zipf(facts, exponent).to(runs.device).expand(len(runs), facts)
    memory = LinearMemory.store(inputs, outputs, targets, weights)
    right = recalled(memory, inputs, outputs, targets).float()
    tenth = facts // 10
    return {
        "recall": right.mean(-1),
        "heavy": right[:, :tenth].mean(-1),
        "light": right[:, -tenth:].mean(-1),
    }


GRID = product(d=[64], facts=[120], exponent=[0.0, 0.5, 1.0])
claim = Claim(
    question="Does a sum of outer products with Zipf weights recall fewer facts than one with equal weights?",
    source="Cabannes, Dohmatob & Bietti (2024), schemes q = 1 and q = p",
    references=["cabannes2024scaling"],
    scales={
        "smoke": GRID.with_seeds(8),
        "desk": (GRID + product(d=[128], facts=[480], exponent=[0.0, 0.5, 1.0])).with_seeds(16),
        "paper": product(d=[256, 512], facts=[1500], exponent=[0.0, 0.5, 1.0]).with_seeds(32),
    },
    measure=measure,
    rules=[Ordered(column="recall", by="exponent", order=(1.0, 0.5, 0.0))],
    figures=[
        Overlay(
            y=column,
            x="exponent",
            by="d",
            title=f"Recall of {which}",
            x_label="Zipf exponent of the weights",
            y_label="recall (share of facts)",
            log="",
        )
        for column, which in (
            ("recall", "all facts"),
            ("heavy", "the heaviest tenth"),
            ("light", "the lightest tenth"),
        )
    ],
)

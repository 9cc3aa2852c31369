"""Claim files that the tests write, as a stranger would."""

from pathlib import Path

import polars as pl

from simonides.lab import Plan, Store, gather, local

HEAD = '''"""Noise has the spread it is drawn with."""

import time

import torch

from simonides.lab import Claim, Overlay, Runs, Threshold, Within, product

'''

MEASURE = """def measure(runs: Runs, *, size: int, spread: float) -> dict[str, torch.Tensor]:
    draws = torch.stack([torch.randn(size, generator=g) for g in runs.generators]) * spread
    return {"deviation": draws.std(-1)}


"""

CLAIM = """claim = Claim(
    question="Does noise have the spread it is drawn with?",
    statement=r"\\hat\\sigma \\approx \\sigma",
    source="A textbook",
    scales={
        "smoke": product(size=[400, 800], spread=[1.0, 2.0]).with_seeds(5),
        "desk": product(size=[400, 800, 1600], spread=[1.0, 2.0]).with_seeds(5),
        "paper": product(size=[4000], spread=[1.0]).with_seeds(5),
    },
    measure=measure,
    predictions={"deviation": lambda spread: spread},
    rules=[RULE],
    figures=[Overlay(y="deviation", x="size", by="spread", title="Noise", x_label="size", y_label="deviation")],
)
"""


def write_claim(
    folder: Path, rule: str = 'Within(column="deviation", band=0.2)', measure: str = MEASURE, name: str = "noise"
) -> Path:
    path = folder / f"{name}.py"
    path.write_text(HEAD + measure + CLAIM.replace("RULE", rule))
    return path


def table(path: Path, store: Path) -> pl.DataFrame:
    """All that a store holds of a claim file at desk scale."""
    return gather(Plan(local(path), "desk"), Store(store)).table

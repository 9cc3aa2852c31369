"""Where the data can be told apart, all margins end up growing as log t, overlaps or not.

Cabannes, Simsek & Bietti (2024), section 4: after a transient W/|W| tends to the max-margin direction.
"""

import math

import torch
from torch import Tensor

from simonides.base import zipf
from simonides.lab import (
    Claim,
    Grid,
    Reported,
    Runs,
    Threshold,
    product,
)
from simonides.lab.figures import Curves
from simonides.memories import embeddings
from simonides.tasks import many_to_one
from simonides.training import Particles

TOKENS, ANSWERS, RATE = 8, 8, 2.0
RECORD = [2, 6, 20, 60, 200, 600, 2000]


def measure(runs: Runs, *, d: int) -> dict[str, Tensor]:
    """Margins along 2,000 steps, and how much each grew in the last decade, in units of log 10."""
    e, u = (embeddings.sphere(TOKENS, d, runs.generators).to(runs.device) for _ in range(2))
    p = zipf(TOKENS, 0.0).to(runs.device)
    trajectory = Particles.of(e, u, many_to_one(TOKENS, ANSWERS).to(runs.device), p).descend(
        2000, RATE, record=RECORD
    )
    growth = (trajectory.margins[:, -1] - trajectory.margins[:, RECORD.index(200)]) / math.log(10)
    rows = len(RECORD)
    return {
        "step": trajectory.steps.double().expand(len(runs), -1),
        "least": trajectory.margins.amin(-1).cpu(),
        "largest": trajectory.margins.amax(-1).cpu(),
        "slowest_growth": growth.amin(-1, keepdim=True).expand(-1, rows).cpu(),
        "fastest_growth": growth.amax(-1, keepdim=True).expand(-1, rows).cpu(),
        "rate_of_log": torch.log10(trajectory.steps.double().clamp_min(1)).expand(len(runs), -1) * math.log(10),
    }


def grid(widths: list[int], seeds: int) -> Grid:
    """At least twice as many dimensions as tokens."""
    return product(d=widths).with_seeds(seeds)


claim = Claim(
    question="How do margins grow when tokens overlap but can be told apart?",
    statement=r"m_x(10 t) - m_x(t) \to \log 10 \quad \text{for every token } x",
    source="Cabannes, Simsek & Bietti (2024), section 4",
    references=["cabannes2024learning"],
    scales={"smoke": grid([16], 10), "desk": grid([16, 32, 64], 20), "paper": grid([16, 32, 64, 128], 100)},
    measure=measure,
    rules=[
        Threshold(
            column="slowest_growth",
            at_least=0.9,
            says="growth of the slowest margin over a decade, in log 10",
            paper=Reported(value=1.0, where="section 4"),
        ),
        Threshold(
            column="fastest_growth",
            at_most=1.1,
            says="growth of the fastest margin over a decade, in log 10",
            paper=Reported(value=1.0, where="section 4"),
        ),
    ],
    figures=[
        Curves(
            ys={"least margin": "least", "largest margin": "largest", "log t": "rate_of_log"},
            x="step",
            where={"d": 16},
            title="Margins of 8 tokens in 16 dimensions, step size 2",
            x_label="steps",
            y_label="margin",
        ),
    ],
    stack=20,
    untested="the direction: W/|W| tends to that of the largest margin",
)

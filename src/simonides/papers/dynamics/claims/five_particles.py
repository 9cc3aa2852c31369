"""Fewer dimensions, more interference: large steps oscillate, and below capacity rare tokens are dropped.

Cabannes, Simsek & Bietti (2024), figure 6: five tokens, p ~ 1/x, each its own answer, in 3, 5 and 10 dimensions.
"""

import torch
from torch import Tensor

from simonides.base import zipf
from simonides.lab import Claim, Grid, Ordered, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.memories import embeddings
from simonides.tasks import identity
from simonides.training import Particles

TOKENS = 5
RECORD = [1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 30, 40, 60, 99]


def measure(runs: Runs, *, d: int, rate: float) -> dict[str, Tensor]:
    """Loss along 99 steps from W = 0, rises in the first 30, and the error at the end."""
    e, u = (embeddings.sphere(TOKENS, d, runs.generators).to(runs.device) for _ in range(2))
    p = zipf(TOKENS, 1.0).to(runs.device)
    trajectory = Particles.of(e, u, identity(TOKENS).to(runs.device), p).descend(99, rate)
    rises = (trajectory.loss[:, :31].diff(dim=-1) > 1e-9).sum(-1, keepdim=True).double()
    lost = (trajectory.margins[:, -1] <= 0).double()
    rare, frequent = lost[:, 3:].mean(-1, keepdim=True), lost[:, :2].mean(-1, keepdim=True)
    rows = len(RECORD)
    return {
        "step": torch.tensor(RECORD, dtype=torch.float64).expand(len(runs), -1),
        "loss": trajectory.loss[:, RECORD].cpu(),
        "error": trajectory.error[:, RECORD].cpu(),
        "rises": rises.expand(-1, rows).cpu(),
        "rare_lost": rare.expand(-1, rows).cpu(),
        "rare_lost_more": (rare - frequent).expand(-1, rows).cpu(),
    }


def grid(seeds: int) -> Grid:
    """The paper's widths and steps."""
    return product(d=[3, 5, 10], rate=[3.0, 10.0, 20.0]).with_seeds(seeds)


claim = Claim(
    question="What do few dimensions and large steps do to five tokens?",
    statement=r"\Lambda \leftarrow \Lambda + \eta \, K_e "
    r"\left(p \odot (Y - \mathrm{softmax} \, \Lambda)\right) K_u",
    source="Cabannes, Simsek & Bietti (2024), figure 6",
    references=["cabannes2024learning"],
    scales={"smoke": grid(20), "desk": grid(100), "paper": grid(1000)},
    measure=measure,
    rules=[
        Ordered(column="rises", by="d", order=(10, 5, 3), where={"rate": 20.0}),
        Ordered(column="rises", by="rate", order=(3.0, 20.0), where={"d": 3}),
        Threshold(
            column="rare_lost_more",
            at_least=0.1,
            where={"d": 3, "rate": 3.0},
            says="share of the two rarest tokens lost less that of the two most frequent, d = 3",
        ),
        Threshold(column="rare_lost", at_most=0.1, where={"d": 10, "rate": 3.0}),
    ],
    sanity=[
        Ordered(column="rises", by="d", order=(10, 5, 3), where={"rate": 20.0}),
        Ordered(column="rises", by="rate", order=(3.0, 20.0), where={"d": 3}),
        Threshold(column="rare_lost", at_least=0.15, where={"d": 3, "rate": 3.0}),
        Threshold(column="rare_lost", at_most=0.1, where={"d": 10, "rate": 3.0}),
    ],
    figures=[
        Curves(
            ys={"cross-entropy": "loss", "population error": "error"},
            x="step",
            where={"d": d, "rate": 20.0},
            title=f"Five tokens in {d} dimensions, step size 20",
            x_label="steps",
            y_label="loss (nats), error",
        )
        for d in (3, 10)
    ],
    stack=100,
)

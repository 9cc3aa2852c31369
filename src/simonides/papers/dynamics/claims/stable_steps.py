"""Below 8/(D^2 lambda) the loss never rises; above, it oscillates, and where tokens are separable still converges.

Cabannes, Simsek & Bietti (2024), section 5: "benign" loss spikes, since curvature falls as margins grow. The bound
is twice the inverse of the largest curvature of any W, `simonides.memories.laws.gradients.stable_rate`.
"""

import torch
from torch import Tensor

from simonides.base import zipf
from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves, Overlay
from simonides.memories import embeddings
from simonides.memories.laws.gradients import stable_rate
from simonides.tasks import many_to_one
from simonides.training import Particles

TOKENS, ANSWERS, STEPS, REPEATS = 10, 4, 300, 10


def measure(runs: Runs, *, d: int, multiple: float) -> dict[str, Tensor]:
    """Rises of the loss and final loss, at a multiple of the stable rate of each of 10 random problems a run."""
    e = embeddings.sphere(REPEATS * TOKENS, d, runs.generators).double().reshape(-1, TOKENS, d)
    u = embeddings.sphere(REPEATS * ANSWERS, d, runs.generators).double().reshape(-1, ANSWERS, d)
    p = zipf(TOKENS, 1.0)
    rates = multiple * torch.tensor(
        [stable_rate(*pair, p) for pair in zip(e, u, strict=True)], dtype=torch.float64
    )
    e, u, targets, p = (part.to(runs.device) for part in (e, u, many_to_one(TOKENS, ANSWERS), p))
    trajectory = Particles.of(e, u, targets, p).descend(STEPS, rates)
    rises = (trajectory.loss.diff(dim=-1) > 1e-9).sum(-1).double().reshape(-1, REPEATS)
    return {
        "rises": rises.mean(1),
        "loss": trajectory.loss[:, -1].reshape(-1, REPEATS).mean(1),
        "error": trajectory.error[:, -1].reshape(-1, REPEATS).mean(1),
    }


def grid(multiples: list[float], seeds: int) -> Grid:
    """Fewer dimensions than tokens, and more."""
    return product(d=[4, 20], multiple=multiples).with_seeds(seeds)


claim = Claim(
    question="How large may steps be, and what happens beyond?",
    statement=r"\eta < \frac{8}{D_u^2 \, \lambda_{\max}(\sum_x p(x) e_x e_x^\top)} \quad \Rightarrow \quad "
    r"L(W_{t+1}) \leq L(W_t)",
    source="Cabannes, Simsek & Bietti (2024), section 5",
    references=["cabannes2024learning"],
    scales={
        "smoke": grid([0.99, 30.0], 5),
        "desk": grid([0.25, 0.5, 0.99, 3.0, 10.0, 30.0, 100.0], 10),
        "paper": grid([0.25, 0.5, 0.99, 3.0, 10.0, 30.0, 100.0, 300.0], 100),
    },
    measure=measure,
    rules=[
        Threshold(column="rises", at_most=0.0, where={"multiple": 0.99}),
        Threshold(column="rises", at_least=1.0, where={"multiple": 30.0, "d": 4}),
        Threshold(column="error", at_most=0.0, where={"multiple": 30.0, "d": 20}),
    ],
    figures=[
        Overlay(
            y="rises",
            x="multiple",
            by="d",
            title="Steps of 300 in which the loss rose, 10 tokens",
            x_label="step size, as a multiple of the stable one",
            y_label="rises of the loss",
            level=0.0,
        ),
        Curves(
            ys={"population error": "error", "cross-entropy (nats)": "loss"},
            x="multiple",
            where={"d": 20},
            title="After 300 steps, 10 tokens in 20 dimensions",
            x_label="step size, as a multiple of the stable one",
            y_label="after 300 steps",
        ),
    ],
    finding="Among separable tokens large steps converge in spite of rises; with fewer dimensions than tokens "
    "they go on oscillating.",
    stack=10,
    untested="how tight the bound is: the least step at which the loss rises",
)

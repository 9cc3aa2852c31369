"""Among orthonormal embeddings tokens learn alone: margins grow as log t, the rare behind by log(p/p').

Cabannes, Simsek & Bietti (2024), section 3; gradient flow from W = 0 solves e^m + (M - 1) m = 1 + M p t exactly.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Within, product
from simonides.lab.figures import Overlay
from simonides.memories import embeddings
from simonides.memories.laws.margins import orthonormal_margin
from simonides.training import Particles

TOKENS, STEPS = 5, 20


def measure(runs: Runs, *, time: float, token: int) -> dict[str, Tensor]:
    """Margin of the token of rank `token` (p ~ 1/rank) by small steps in a random orthonormal frame."""
    e, u = (embeddings.orthonormal(TOKENS, 8, runs.generators).to(runs.device) for _ in range(2))
    p = frequencies().to(runs.device)
    particles = Particles.of(e.double(), u.double(), torch.arange(TOKENS, device=runs.device), p)
    # steps grow with time: where margins have grown, curvature has fallen
    steps = STEPS * 20
    edges = torch.expm1(torch.linspace(0, torch.tensor(time).log1p(), steps + 1, dtype=torch.float64))
    rates = edges.diff()
    trajectory = particles.descend(steps, lambda step: float(rates[step]), record=[steps])
    return {"margin": trajectory.margins[:, 0, token - 1]}


def frequencies() -> Tensor:
    """p(x) ~ 1/x."""
    p = 1 / torch.arange(1, TOKENS + 1, dtype=torch.float64)
    return p / p.sum()


def grid(times: list[float], seeds: int) -> Grid:
    """Three of the five tokens."""
    return product(token=[1, 2, 5], time=times).with_seeds(seeds)


claim = Claim(
    question="How do margins grow when tokens do not interfere?",
    statement=r"e^{m_x} + (M - 1) m_x = 1 + M p(x) t \quad \Rightarrow \quad m_x \sim \log(M p(x) t)",
    source="Cabannes, Simsek & Bietti (2024), section 3",
    references=["cabannes2024learning"],
    scales={
        "smoke": grid([1.0, 100.0], 5),
        "desk": grid([1.0, 10.0, 100.0, 1000.0, 10_000.0], 5),
        "paper": grid([1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0], 10),
    },
    measure=measure,
    predictions={"margin": lambda time, token: orthonormal_margin(TOKENS, float(frequencies()[token - 1]), time)},
    rules=[
        Within(column="margin", ratio=0.03),
    ],
    figures=[
        Overlay(
            y="margin",
            x="time",
            by="token",
            title="Margins of five orthonormal tokens, p ~ 1/rank; line: exact solution of the flow",
            x_label="time (step size × steps)",
            y_label="margin",
        ),
    ],
    deterministic=True,
)

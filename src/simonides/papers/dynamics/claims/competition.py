"""Two tokens that look alike and mean different things compete: the rarer is recalled after a time ~ 1/(1 - c).

Cabannes, Simsek & Bietti (2024), sections 4 and 5, figures 3 and 4. Larger steps shorten the time, although the
loss then oscillates.
"""

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Grid,
    Ordered,
    Runs,
    Threshold,
    Within,
    cells,
)
from simonides.lab.figures import Overlay
from simonides.memories import embeddings
from simonides.memories.laws.margins import competition_limit, competition_time
from simonides.training import Particles

FREQUENT, D = 0.75, 6


def measure(runs: Runs, *, cosine: float, rate: float) -> dict[str, Tensor]:
    """Steps until both tokens are recalled, and rate times steps, for inputs at a cosine in a random frame."""
    frame, u = (embeddings.orthonormal(2, D, runs.generators).double().to(runs.device) for _ in range(2))
    e = torch.stack([frame[:, 0], cosine * frame[:, 0] + (1 - cosine**2) ** 0.5 * frame[:, 1]], 1)
    p = torch.tensor([FREQUENT, 1 - FREQUENT], dtype=torch.float64, device=runs.device)
    limit = int(3 * competition_time(cosine, FREQUENT) / rate) + 50
    trajectory = Particles.of(e, u, torch.arange(2, device=runs.device), p).descend(limit, rate)
    solved = (trajectory.error[:, 1:] == 0).double()
    steps = 1 + solved.argmax(-1).double()
    steps = torch.where(solved.amax(-1) > 0, steps, torch.nan).cpu()
    return {
        "steps": steps,
        "time": rate * steps,
        "scaled": (1 - cosine) * rate * steps,
        "rises": (trajectory.loss.diff(dim=-1) > 1e-12).sum(-1).double().cpu(),
    }


def grid(cosines: list[float], seeds: int) -> Grid:
    """Small steps for all cosines, larger ones for all but the last."""
    small = [{"cosine": c, "rate": 0.05} for c in cosines]
    large = [{"cosine": c, "rate": r} for r in (0.5, 2.0, 10.0) for c in cosines]
    return cells([*small, *large]).with_seeds(seeds)


claim = Claim(
    question="How long does a frequent token keep a similar rare one from being learned?",
    statement=r"t^* = \int_0^{\log(2 p_1 / p_2 - 1)} \frac{dv}{4 (1 - c) p_1 \, s(-m_1(v))} "
    r"\propto \frac{1}{1 - c}",
    source="Cabannes, Simsek & Bietti (2024), section 4",
    references=["cabannes2024learning"],
    scales={
        "smoke": grid([0.8, 0.95], 5),
        "desk": grid([0.5, 0.8, 0.9, 0.95, 0.99], 5),
        "paper": grid([0.5, 0.8, 0.9, 0.95, 0.99, 0.999], 5),
    },
    measure=measure,
    predictions={
        "time": lambda cosine: competition_time(cosine, FREQUENT),
        "scaled": lambda: competition_limit(FREQUENT),
    },
    rules=[
        Within(
            column="scaled",
            ratio=0.02,
            where={"rate": 0.05, "cosine": 0.95},
            says="(1 - c) times the time until both are recalled, c = 0.95",
        ),
        Within(
            column="scaled",
            ratio=0.02,
            where={"rate": 0.05, "cosine": 0.8},
            says="(1 - c) times the time until both are recalled, c = 0.8",
        ),
        Threshold(column="rises", at_most=0.0, where={"rate": 0.05}),
        Threshold(column="rises", at_most=0.0, where={"rate": 2.0}),
        Threshold(column="rises", at_least=1.0, where={"rate": 10.0, "cosine": 0.95}),
        Ordered(
            column="steps",
            by="rate",
            order=(10.0, 2.0, 0.5, 0.05),
            where={"cosine": 0.95},
            says="steps that a smaller rate needs more",
        ),
    ],
    figures=[
        Overlay(
            y="time",
            x="cosine",
            by="rate",
            log="y",
            smooth=False,
            title="Until a token of probability 1/4 is recalled beside one of 3/4; line: gradient flow",
            x_label="cosine of the two inputs",
            y_label="step size × steps",
        ),
    ],
    finding="(1 - c) times the flow's time is K to 0.5 % from c = 0.8 on, and 0.58 K at c = 0.5. Steps of size 10 need "
    "two to seven steps where those of size 2 need up to 130, through up to 45 rises of the loss.",
    deterministic=True,
    untested="other imbalances than p_1 = 3/4",
)

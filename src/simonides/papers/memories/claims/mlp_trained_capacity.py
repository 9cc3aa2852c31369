"""A trained MLP memory of width m stores N facts with N log N of about 3 m d.

Nichani, Lee & Bietti (2025), figure 1: one hidden ReLU layer, Adam at rate 0.03, 2^15 full-batch steps.
"""

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Exponent,
    Reported,
    Runs,
    Threshold,
    zipped,
)
from simonides.lab.figures import Overlay
from simonides.probes import trained_capacity


def measure(runs: Runs, *, d: int, width: int, steps: int) -> dict[str, Tensor]:
    """Largest N of which one of 128 checkpoints recalls 99 %, and N log N / (m d)."""
    bracket = trained_capacity("mlp", d, runs.generators, width, steps=steps, device=runs.device)
    facts = torch.tensor(bracket.stored, dtype=torch.float64)
    return {"capacity": facts, "n_log_n": facts * facts.log(), "ratio": facts * facts.log() / (width * d)}


def guide(d: int, width: int) -> float:
    """The paper's guide, m d = 0.35 N log N."""
    return d * width / 0.35


claim = Claim(
    question="How many random facts can gradient descent put into m hidden units?",
    statement=r"m d \approx 0.35 \, N \log N",
    source="Nichani, Lee & Bietti (2025), figure 1",
    references=["nichani2025factual"],
    scales={
        "smoke": zipped(d=[8, 16], width=[12, 16], steps=[2**13] * 2).with_seeds(5),
        "desk": zipped(d=[8, 16, 16], width=[16, 16, 32], steps=[2**15] * 3).with_seeds(5),
        "paper": zipped(
            d=[8, 8, 16, 16, 32, 32, 64, 64], width=[16, 64, 16, 64, 32, 128, 64, 256], steps=[2**15] * 8
        ).with_seeds(5),
    },
    measure=measure,
    predictions={"n_log_n": guide},
    rules=[
        Threshold(
            column="ratio",
            at_least=2.857 / 1.15,
            at_most=2.857 * 1.15,
            says="N log N over m d",
            paper=Reported(value=2.857, where="figure 1: m d = 0.35 N log N"),
        ),
        Exponent(
            of="n_log_n",
            against=("width", "d"),
            low=0.88,
            high=1.12,
            says="exponent of N log N in m d",
            paper=Reported(value=1.0, where="figure 1"),
        ),
    ],
    sanity=[
        Threshold(column="ratio", at_least=2.4),
        Threshold(column="ratio", at_most=3.6),
        Exponent(of="n_log_n", against=("width", "d"), low=0.85, high=1.2),
    ],
    figures=[
        Overlay(
            y="n_log_n",
            x="width",
            by="d",
            log="xy",
            title="Facts N in m trained hidden units, at 99 %; line: m d = 0.35 N log N",
            x_label="hidden units m",
            y_label="N log N (N in facts)",
        ),
        Overlay(
            y="ratio",
            x="width",
            by="d",
            title="N log N / (m d)",
            x_label="hidden units m",
            y_label="N log N / (m d)",
        ),
    ],
    differs="Three pairs of d and m, up to 16 and 32, in place of 32 pairs up to 256.",
)

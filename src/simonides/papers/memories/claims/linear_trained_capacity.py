"""A trained d x d matrix stores N facts with N log N of about d^2.

Nichani, Lee & Bietti (2025), figure 1: Adam at rate 1000, 2^12 full-batch steps of cross-entropy.
"""

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Exponent,
    Reported,
    Runs,
    Threshold,
    product,
)
from simonides.lab.figures import Overlay
from simonides.probes import trained_capacity


def measure(runs: Runs, *, d: int) -> dict[str, Tensor]:
    """Largest N of which one of 128 checkpoints recalls 99 %, and N log N / d^2."""
    bracket = trained_capacity("linear", d, runs.generators, device=runs.device)
    facts = torch.tensor(bracket.stored, dtype=torch.float64)
    return {"capacity": facts, "n_log_n": facts * facts.log(), "ratio": facts * facts.log() / d**2}


def guide(d: int) -> float:
    """The paper's guide, d^2 = 1.3 N log N."""
    return d**2 / 1.3


claim = Claim(
    question="How many random facts can gradient descent put into a d × d matrix?",
    statement=r"d^2 \approx 1.3 \, N \log N",
    source="Nichani, Lee & Bietti (2025), figure 1",
    references=["nichani2025factual"],
    scales={
        "smoke": product(d=[8, 12, 16]).with_seeds(5),
        "desk": product(d=[8, 16, 32, 64]).with_seeds(5),
        "paper": product(d=[8, 11, 16, 22, 32, 45, 64, 90, 128, 181, 256]).with_seeds(5),
    },
    measure=measure,
    predictions={"n_log_n": guide},
    rules=[
        Threshold(
            column="ratio",
            at_least=0.769 / 1.15,
            at_most=0.769 * 1.15,
            where={"d": 64},
            says="N log N over d^2, at d = 64",
            paper=Reported(value=0.769, where="figure 1: d^2 = 1.3 N log N"),
        ),
        Exponent(
            of="n_log_n",
            against="d",
            low=1.9,
            high=2.1,
            says="exponent of N log N in d",
            paper=Reported(value=2.0, where="figure 1"),
        ),
    ],
    sanity=[
        Threshold(column="ratio", at_least=0.8),
        Threshold(column="ratio", at_most=1.25),
        Exponent(of="n_log_n", against="d", low=1.7, high=2.15),
    ],
    figures=[
        Overlay(
            y="n_log_n",
            x="d",
            log="xy",
            title="Facts N in a trained d × d matrix, at 99 %; line: d² = 1.3 N log N",
            x_label="width d",
            y_label="N log N (N in facts)",
        ),
        Overlay(
            y="ratio",
            x="d",
            title="N log N / d² falls slowly with d",
            x_label="width d",
            y_label="N log N / d²",
            level=1.0,
        ),
    ],
    differs="d up to 64, in place of 256.",
)

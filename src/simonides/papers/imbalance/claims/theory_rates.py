"""On one-hot inputs gradient flow learns a class at a speed proportional to its share, sign flow learns all alike.

Kunstner et al. (2024, section 3): loss Theta(1/(pi_k t)) of gradient flow, Theta(e^-ct) of sign flow. The latter is
e^-2t; with c the number of classes it does not hold. Here the full C x C systems are followed by an ODE solver and
by small sign steps, and held against the closed forms.
"""

import math

import numpy as np
import torch
from torch import Tensor

from simonides.base import zipf
from simonides.lab import Claim, Exponent, Grid, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.nn import cross_entropies, excess
from simonides.papers.imbalance.laws import descent_loss, sign_loss
from simonides.training import gradient_flow

_SIGN_STEP, _SIGN_TIME = 1e-3, 4.0


def measure(runs: Runs, *, classes: int, rank: int, time: float) -> dict[str, Tensor]:
    """Loss of the class of this rank at this time under both flows."""
    pi = zipf(classes, 1.0)
    targets = torch.arange(classes)

    def gradient(w: Tensor) -> Tensor:  # column k of W are the logits of class k's one input
        return (excess(w.mT.contiguous(), targets) * pi[:, None]).mT

    start = torch.zeros(classes, classes, dtype=torch.float64)
    descended = gradient_flow(gradient, start, [time])[0]
    loss = float(cross_entropies(descended.mT, targets)[rank - 1])
    signed = start.clone()
    for _ in range(round(_SIGN_TIME / _SIGN_STEP)):
        signed -= _SIGN_STEP * gradient(signed).sign()
    losses = cross_entropies(signed.mT, targets)
    expected = float(sign_loss(_SIGN_TIME, classes))
    share = float(pi[rank - 1])
    one = {
        "loss": loss,
        "apart": abs(loss / float(descent_loss(time, share, classes)) - 1),
        "sign_apart": abs(float(losses[rank - 1]) / expected - 1),
        # of the printed rate e^-Ct; logarithms, as it underflows
        "sign_rate": -math.log(float(losses[rank - 1]) / (classes - 1)) / _SIGN_TIME,
    }
    return {name: torch.full((len(runs),), value, dtype=torch.float64) for name, value in one.items()}


def predicted(classes: int, rank: int, time: float) -> float:
    """Of the closed form."""
    return float(descent_loss(time, float(zipf(classes, 1.0)[rank - 1]), classes))


def grid(classes: list[int], ranks: list[int], times: list[float]) -> Grid:
    """Classes of several ranks under Zipf's law, at several times."""
    return product(classes=classes, rank=ranks, time=times)


TIMES = [float(t) for t in np.geomspace(1e3, 1e5, 5).round()]
claim = Claim(
    question="How does the speed at which a class is learned depend on its share?",
    statement=r"\ell_k^\text{GD}(t) = \Theta\!\left(\frac{1}{\pi_k t}\right), \quad "
    r"\ell_k^\text{sign}(t) = \Theta(e^{-2t})",
    source="Kunstner, Yadav, Milligan, Schmidt & Bietti (2024), the simple setting of section 3",
    references=["kunstner2024heavy"],
    scales={
        "smoke": grid([16], [1, 4], [1000.0, 10_000.0]),
        "desk": grid([4, 16], [1, 2, 4], TIMES),
        "paper": grid([4, 16, 64], [1, 2, 4], TIMES),
    },
    measure=measure,
    predictions={"loss": predicted},
    rules=[
        Threshold(column="apart", at_most=1e-4, says="loss under gradient flow against the closed form, relative"),
        Threshold(column="sign_apart", at_most=0.01, says="the same under sign descent with steps of 0.001"),
        Exponent(
            of="loss",
            against="time",
            low=-1.05,
            high=-0.95,
            given=("classes", "rank"),
            says="exponent in t of a class's loss under gradient flow, pi t from 70 on",
        ),
        Threshold(
            column="sign_rate",
            at_least=1.95,
            at_most=2.05,
            says="rate of the exponential under sign descent; C is printed, 2 derived",
        ),
    ],
    sanity=[
        Threshold(column="apart", at_most=1e-4),
        Threshold(column="sign_apart", at_most=0.01),
    ],
    figures=[
        Overlay(
            y="loss",
            x="time",
            by="rank",
            where={"classes": 16},
            title="Loss of classes under gradient flow, 16 classes by Zipf's law",
            x_label="time (rate times steps)",
            y_label="loss (nats)",
            log="xy",
        )
    ],
    deterministic=True,
    differs="The constants are derived here; the paper states the order in t and pi.",
)

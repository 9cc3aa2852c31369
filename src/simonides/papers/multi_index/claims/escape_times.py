"""A single direction of exponent s is found after d^(s - 1)/(2 s (s - 1)) time, or log(d)/2 for s = 1.

Bietti, Bruna & Pillaud-Vivien (2023, theorem 3.25) state the power of d; the constant is derived here, from an overlap
of d^(-1/2) to a half.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Exponent, Grid, Reported, Runs, Within, product
from simonides.lab.figures import Overlay
from simonides.papers.multi_index.flows import two_time_scales
from simonides.papers.multi_index.saddles import predict_saddles
from simonides.papers.multi_index.targets import HermiteTarget


def measure(runs: Runs, *, exponent: int, d: int) -> dict[str, Tensor]:
    """When the overlap rises through a half."""
    target = HermiteTarget(coefficients={(exponent,): 1.0})
    start = torch.full((1, 1, 1), d**-0.5, dtype=torch.float64)
    found = two_time_scales(target, start, [1e12])
    return {"time": found.escapes[0].expand(len(runs))}


def predicted(exponent: int, d: int) -> float:
    """The formula."""
    return predict_saddles(HermiteTarget(coefficients={(exponent,): 1.0}), d)[0].duration


def grid(exponents: list[int], sizes: list[int]) -> Grid:
    """Exponents and dimensions."""
    return product(exponent=exponents, d=sizes)


claim = Claim(
    question="How long does gradient flow take to find a direction of a given information exponent?",
    statement=r"T = \frac{d^{s - 1}}{2 s (s - 1)} (1 + o(1))",
    source="Bietti, Bruna & Pillaud-Vivien (2023), theorem 3.25; the constant is ours",
    references=["bietti2023multiindex"],
    scales={
        "smoke": grid([2, 3], [300, 1000]),
        "desk": grid([2, 3, 4], [100, 300, 1000, 3000]),
        "paper": grid([2, 3, 4], [100, 300, 1000, 3000, 10_000]),
    },
    measure=measure,
    predictions={"time": predicted},
    rules=[
        *(
            Exponent(
                of="time",
                against="d",
                low=exponent - 1 - 0.05,
                high=exponent - 1 + 0.05,
                where={"exponent": exponent},
                says=f"exponent in d of the time, information exponent {exponent}",
                paper=Reported(value=exponent - 1.0, where="theorem 3.25"),
            )
            for exponent in (2, 3, 4)
        ),
        Within(column="time", ratio=0.03, says="time over the formula"),
    ],
    sanity=[Within(column="time", ratio=0.05)],
    figures=[
        Overlay(
            y="time",
            x="d",
            by="exponent",
            title="Time until a direction is found",
            x_label="dimension d",
            y_label="time",
            log="xy",
        )
    ],
    deterministic=True,
)

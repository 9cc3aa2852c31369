"""Written by frequency, a memory of Zipf data errs as d^(-(alpha - 1)/(2 alpha)).

Cabannes, Dohmatob & Bietti (2024), theorem 1 and figure 3; q = p is what small steps of gradient descent write.
"""

from torch import Tensor

from simonides.base import zipf
from simonides.lab import (
    Claim,
    Exponent,
    Grid,
    Reported,
    Runs,
    Within,
    product,
)
from simonides.lab.figures import Overlay
from simonides.papers.scaling.claims._setting import errors, expected_error

INPUTS = 1000


def measure(runs: Runs, *, d: int, alpha: float) -> dict[str, Tensor]:
    """Population error of q = p, a mean over 32 draws of embeddings in each run."""
    p = zipf(INPUTS, alpha)
    return {"error": errors(runs, d, p, p[None], draws=32)[:, 0]}


def grid(widths: list[int], seeds: int) -> Grid:
    """Three tails."""
    return product(alpha=[1.5, 2.0, 3.0], d=widths).with_seeds(seeds)


claim = Claim(
    question="How does the error fall with the width when associations are written by their frequency?",
    statement=r"q(x) = p(x): \quad \mathcal{E} \lesssim d^{-(\alpha - 1)/(2 \alpha)}",
    source="Cabannes, Dohmatob & Bietti (2024), theorem 1",
    references=["cabannes2024scaling"],
    scales={
        "smoke": grid([20, 64, 200, 640], seeds=10),
        "desk": grid([20, 46, 100, 215, 464, 1000], seeds=32),
        "paper": grid([20, 46, 100, 215, 464, 1000, 2150, 4640], seeds=32),
    },
    measure=measure,
    predictions={"error": lambda d, alpha: expected_error(d, INPUTS, alpha, 1.0)},
    rules=[
        *(
            Exponent(
                of="error",
                against="d",
                low=1.2 * power,
                high=0.8 * power,
                where={"alpha": alpha},
                says=f"exponent in d of the error, alpha = {alpha:g}",
                paper=Reported(value=round(power, 3), where="theorem 1"),
            )
            for alpha in (2.0, 3.0)
            for power in (-(alpha - 1) / (2 * alpha),)
        ),
        Within(column="error", ratio=0.1),
    ],
    sanity=[
        Exponent(of="error", against="d", low=-0.31, high=-0.19, where={"alpha": 2.0}),
        Exponent(of="error", against="d", low=-0.45, high=-0.3, where={"alpha": 3.0}),
        Within(column="error", band=0.02),
    ],
    figures=[
        Overlay(
            y="error",
            x="d",
            by="alpha",
            log="xy",
            title="Error of q = p, N = 1,000 tokens, M = 5 answers",
            x_label="width d",
            y_label="population error",
        ),
    ],
    finding="At alpha = 1.5 the curve is steeper than its exponent, 1/6: the error counts N = 1,000 tokens alone, "
    "and the mass beyond is missing. The finite-size theory has the same N.",
    stack=16,
    untested="alpha = 1.5, where the mass beyond N = 1,000 tokens is missing and steepens the curve",
)

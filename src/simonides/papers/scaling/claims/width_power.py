"""Written as a power of the frequency, q = p^rho, a memory errs as d^(-(alpha - 1)/(2 rho alpha)).

Cabannes, Dohmatob & Bietti (2024), theorem 1 and its corollaries. Below rho = 1/(2 alpha) the tail fills the
memory, so that power has the best exponent without a threshold, d^-(alpha - 1), up to logarithms and constants.
"""

from torch import Tensor

from simonides.base import zipf
from simonides.lab import (
    Claim,
    Exponent,
    Grid,
    Ordered,
    Reported,
    Runs,
    Within,
    product,
)
from simonides.lab.figures import Overlay
from simonides.memories import storage_weights
from simonides.papers.scaling.claims._setting import errors, expected_error

INPUTS, ALPHA = 1000, 2.0


def measure(runs: Runs, *, d: int, rho: float) -> dict[str, Tensor]:
    """Population error of q = p^rho, a mean over 24 draws of embeddings in each run."""
    p = zipf(INPUTS, ALPHA)
    return {"error": errors(runs, d, p, storage_weights(p, rho)[None], draws=24)[:, 0]}


def grid(widths: list[int], seeds: int) -> Grid:
    """Powers from nearly even to proportional."""
    return product(rho=[0.125, 0.25, 0.5, 0.75, 1.0], d=widths).with_seeds(seeds)


claim = Claim(
    question="Which power of the frequency should associations be written with?",
    statement=r"q(x) = p(x)^{\rho}: \quad \mathcal{E} \lesssim "
    r"d^{-(\alpha - 1)/(2 \rho \alpha)} \quad (2 \rho \alpha > 1)",
    source="Cabannes, Dohmatob & Bietti (2024), theorem 1",
    references=["cabannes2024scaling"],
    scales={
        "smoke": grid([64, 200, 640], seeds=16),
        "desk": grid([46, 100, 215, 464, 1000], seeds=16),
        "paper": grid([46, 100, 215, 464, 1000, 2150, 4640], seeds=32),
    },
    measure=measure,
    predictions={"error": lambda d, rho: expected_error(d, INPUTS, ALPHA, rho)},
    rules=[
        *(
            Exponent(
                of="error",
                against="d",
                low=power - min(0.12, -0.2 * power),
                high=power + min(0.12, -0.2 * power),
                where={"rho": rho},
                says=f"exponent in d of the error, rho = {rho:g}",
                paper=Reported(value=round(power, 3), where="theorem 1"),
            )
            for rho in (0.25, 0.5, 0.75)
            for power in (-(ALPHA - 1) / (2 * rho * ALPHA),)
        ),
        Ordered(column="error", by="rho", order=(0.25, 0.5, 0.75, 1.0)),
        Within(column="error", ratio=0.15),
    ],
    sanity=[
        Exponent(of="error", against="d", low=-0.56, high=-0.44, where={"rho": 0.5}),
        Exponent(of="error", against="d", low=-0.40, high=-0.27, where={"rho": 0.75}),
        Exponent(of="error", against="d", low=-1.25, high=-0.95, where={"rho": 0.25}),
        Ordered(column="error", by="rho", order=(0.25, 0.5, 0.75, 1.0)),
        Within(column="error", band=0.04),
    ],
    figures=[
        Overlay(
            y="error",
            x="d",
            by="rho",
            log="xy",
            title="Error of q = p^rho, alpha = 2, N = 1,000 tokens, M = 5 answers",
            x_label="width d",
            y_label="population error",
        ),
    ],
    stack=16,
    finding="Smaller powers may still be ahead at a given size: rho = 0.125 errs less than 0.25 at d = 1,000 with "
    "N = 1,000 tokens. The theorem's optimum is one of exponents.",
)

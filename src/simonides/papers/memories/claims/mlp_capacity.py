"""A two-layer memory of m hidden units recalls about m d facts, whether m is below d or far above it.

Nichani, Lee & Bietti (2025), theorem 2; the construction is `MLPMemory.store`, the curve at finite size
`simonides.memories.laws.mlp.mlp_recall`.
"""

import math

import torch
from torch import Tensor

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
from simonides.memories import MLPMemory
from simonides.memories.laws import mlp
from simonides.probes import capacity, on_spheres


def measure(runs: Runs, *, d: int, width: int, degree: int) -> dict[str, Tensor]:
    """Facts that the construction of a degree recalls to 99 %, a mean over memories of 1,000 facts in all."""
    start = max(4, round(0.027 * d * d if degree == 0 else 0.002 * width * d))
    bracket = capacity(
        lambda i, o, t, g: MLPMemory.store(i, o, t, width, g, degree),
        on_spheres(d, runs.device),
        runs.generators,
        start=start,
        repeats=max(1, 1000 // start),
        ratio=1.02,
    )
    facts = torch.tensor(bracket.stored, dtype=torch.float64)
    return {"capacity": facts, "log_capacity": facts.log(), "per_parameter": facts / (2 * width * d)}


def log_capacity(d: int, width: int, degree: int) -> float:
    """The logarithm of the predicted capacity."""
    return math.log(mlp.mlp_capacity(d, width, degree))


def grid(widths: dict[int, list[int]], flat: list[int], seeds: int) -> Grid:
    """Degree 1 at some widths for each d, and degree 0 far above d = 32."""
    cells = product(d=[32], width=flat, degree=[0])
    for d, chosen in widths.items():
        cells = cells + product(d=[d], width=chosen, degree=[1])
    return cells.with_seeds(seeds)


SMALL = {32: [256, 512, 1024]}
DESK = {32: [256, 512, 1024, 2048], 64: [128, 256, 512, 2048], 128: [128, 512], 256: [128, 256]}
PAPER = {**DESK, 128: [128, 512, 2048, 8192], 256: [128, 256, 1024, 4096]}
claim = Claim(
    question="How many facts do m hidden units recall, and does it matter whether m is above or below d?",
    statement=r"m d \gtrsim N \, \mathrm{polylog}\, N \quad \Rightarrow \quad "
    r"\mathrm{argmax}_y \, u_y^\top V^\top \sigma(W e_x) = f^*(x) \text{ for all } x \text{ w.h.p.}",
    source="Nichani, Lee & Bietti (2025), theorem 2",
    references=["nichani2025factual"],
    scales={
        "smoke": grid(SMALL, [2048, 8192], seeds=5),
        "desk": grid(DESK, [1024, 4096, 16384], seeds=5),
        "paper": grid(PAPER, [2048, 8192, 32768, 131072], seeds=10),
    },
    measure=measure,
    version=2,  # since the search starts at a formula of its own
    predictions={"capacity": mlp.mlp_capacity, "log_capacity": log_capacity},
    rules=[
        Exponent(
            of="capacity",
            against="width",
            given=("d",),
            low=0.88,
            high=1.12,
            where={"degree": 1},
            says="exponent in m, at fixed d, of the facts recalled to 99 %",
            paper=Reported(value=1.0, where="theorem 2"),
        ),
        Exponent(
            of="capacity",
            against="d",
            given=("width",),
            low=0.88,
            high=1.12,
            where={"degree": 1},
            says="exponent in d, at fixed m, of the facts recalled to 99 %",
            paper=Reported(value=1.0, where="theorem 2"),
        ),
        Within(column="log_capacity", band=0.2, says="log of the facts recalled, measured less predicted"),
        Exponent(of="capacity", against="width", low=-0.12, high=0.12, where={"degree": 0}),
    ],
    sanity=[
        Within(column="log_capacity", band=0.45),
        Exponent(of="capacity", against="width", low=0.76, high=1.24, where={"degree": 1, "d": 32}),
        Exponent(of="capacity", against="width", low=-0.1, high=0.2, where={"degree": 0}),
    ],
    figures=[
        Overlay(
            y="capacity",
            x="width",
            smooth=False,
            by="d",
            where={"degree": 1},
            log="xy",
            title="Facts recalled by the construction of degree 1",
            x_label="hidden units m",
            y_label="capacity at 99 % (facts)",
        ),
        Overlay(
            y="capacity",
            x="width",
            smooth=False,
            by="degree",
            where={"d": 32},
            log="xy",
            title="Degree 0 ends at the capacity of one matrix, d = 32",
            x_label="hidden units m",
            y_label="capacity at 99 % (facts)",
        ),
    ],
    untested="degrees above 1, with which capacity goes on to d^(k + 2)",
    finding="In m the exponent is 1.3 over these widths, and 1.4 by the finite-size theory: with few hidden units "
    "the construction's own noise, which falls as 1/m, is what ends recall. In d it is 1.0.",
)

"""Beyond the paper: the range of numbers that a normed stream of width d keeps apart in a floating-point format.

The first norm leaves x/sqrt(1 + x^2); rounding what it leaves costs x an error of s (1 + x^2)/sqrt(d), s the format's.
"""

import torch
from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Within, product
from simonides.lab.figures import HeatMap, Overlay
from simonides.papers.numbers.laws import orthonormal_pair, read_numbers_of_norm, resolution

_PAIRS, _NUMBERS = 200, 5


def measure(runs: Runs, *, size: float, d: int, number_format: str) -> dict[str, Tensor]:
    """Root mean square error of numbers near a size, relative to them."""

    def one(generator: Generator) -> dict[str, float]:
        errors = []
        for _ in range(_PAIRS):
            u, p = (vector.to(runs.device) for vector in orthonormal_pair(d, generator))
            x = size * (1 + 0.01 * torch.rand(_NUMBERS, generator=generator, dtype=torch.float64)).to(runs.device)
            errors.append((read_numbers_of_norm(x, u, p, getattr(torch, number_format)) - x) / size)
        return {"relative": float(torch.cat(errors).square().mean().sqrt())}

    return runs.each(one)


def expected(size: float, d: int, number_format: str) -> float:
    """The law, relative."""
    return resolution(size, d, number_format) / size


def grid(sizes: list[float], d: list[int], formats: list[str], seeds: int) -> Grid:
    """Sizes, widths and formats."""
    return product(size=sizes, d=d, number_format=formats).with_seeds(seeds)


SIZES = [0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0]
claim = Claim(
    question="Where does a number that multiplies an embedding lose its digits?",
    statement=r"\delta x = s \, \frac{1 + x^2}{\sqrt{d}}, \quad s = 2^{1 - b} \sqrt{\tfrac{3}{96 \log 2}}",
    source="Beyond Golkar et al. (2023), from section 2",
    references=["golkar2023xval"],
    scales={
        "smoke": grid([0.1, 1.0], [64, 256], ["bfloat16"], 5),
        "desk": grid(SIZES, [64, 256, 1024], ["bfloat16", "float16"], 8),
        "paper": grid(SIZES, [64, 256, 1024, 4096], ["bfloat16", "float16"], 16),
    },
    measure=measure,
    predictions={"relative": expected},
    rules=[
        Within(
            column="relative", ratio=0.1, says="relative error of a number read behind the norm, over the law's"
        ),
    ],
    sanity=[Within(column="relative", ratio=1.0)],
    figures=[
        Overlay(
            y="relative",
            x="size",
            by="d",
            where={"number_format": "bfloat16"},
            title="Relative error of a number behind the norm, bfloat16",
            x_label="x",
            y_label="relative error",
            log="xy",
        ),
        HeatMap(
            z="relative",
            x="size",
            y="d",
            where={"number_format": "bfloat16"},
            levels=[0.001, 0.003, 0.01],
            title="Range against precision, bfloat16",
            x_label="x",
            y_label="width d",
            z_label="relative error",
        ),
    ],
    stack=16,
)

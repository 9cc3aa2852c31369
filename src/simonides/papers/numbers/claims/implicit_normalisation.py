"""The first norm turns the multiple of an embedding into x/sqrt(1 + x^2).

Golkar et al. (2023, section 2), for orthonormal embedding and position; the norm's mean is that of orthonormal
vectors of mean zero. Beside it the same for vectors of random entries, which are orthonormal up to 1/sqrt(d).
"""

import torch
from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Within, product
from simonides.lab.figures import Overlay
from simonides.papers.numbers.laws import orthonormal_pair, read_through_norm


def measure(runs: Runs, *, x: float, d: int) -> dict[str, Tensor]:
    """What a layer norm leaves along the number's direction."""

    def read(u: Tensor, p: Tensor) -> Tensor:
        normed = torch.nn.functional.layer_norm(x * u + p, (d,), eps=0.0)
        return normed @ u / (d**0.5 * u.norm())

    def one(generator: Generator) -> dict[str, float]:
        u, p = (vector.to(runs.device) for vector in orthonormal_pair(d, generator))
        free = torch.randn(2, d, generator=generator, dtype=torch.float64).to(runs.device)
        return {"read": float(read(u, p)), "read_random": float(read(*free))}

    return runs.each(one)


def expected(x: float) -> float:
    """The law."""
    return read_through_norm(x)


def grid(xs: list[float], d: list[int], seeds: int) -> Grid:
    """Numbers and widths."""
    return product(x=xs, d=d).with_seeds(seeds)


XS = [-20.0, -5.0, -2.0, -1.0, -0.5, -0.1, 0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 20.0]
claim = Claim(
    question="What does the first norm leave of a number that multiplies an embedding?",
    statement=r"u \cdot \frac{x u + p}{\lVert x u + p \rVert} = \frac{x}{\sqrt{1 + x^2}}",
    source="Golkar et al. (2023), section 2",
    references=["golkar2023xval"],
    scales={
        "smoke": grid([-2.0, 0.5, 5.0], [32], 5),
        "desk": grid(XS, [32, 512], 8),
        "paper": grid(XS, [32, 512, 768], 16),
    },
    measure=measure,
    predictions={"read": expected, "read_random": expected},
    rules=[
        Within(
            column="read", band=1e-6, says="share along the number's direction, orthonormal vectors, less the law"
        ),
    ],
    figures=[
        Overlay(
            y=column,
            x="x",
            by="d",
            title=f"A number behind the first norm, {label}",
            x_label="x",
            y_label="share along the number's direction",
            log="",
            smooth=False,
        )
        for column, label in (("read", "orthonormal"), ("read_random", "random vectors"))
    ],
    stack=16,
)

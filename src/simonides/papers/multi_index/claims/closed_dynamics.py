"""The flow of the span is closed in the q x q overlaps: it equals that of all weights, for any d and any r >= q.

Derived here from Bietti, Bruna & Pillaud-Vivien (2023, equations 30 and 31). The flow of W follows autograd's gradient
of the loss on the Grassmannian by scipy's solver; that of G = M M^T is the closed form.
"""

import torch
from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, cells
from simonides.papers.multi_index.flows import two_time_scales
from simonides.papers.multi_index.targets import HermiteTarget, kept
from simonides.training import gradient_flow

TIMES = (0.3, 1.0, 3.0, 10.0)


def measure(runs: Runs, *, d: int, r: int, degree: int) -> dict[str, Tensor]:
    """The largest difference of an overlap or loss between the two flows, over four times."""

    def one(generator: Generator) -> dict[str, float]:
        betas = [(i, j) for i in range(degree + 1) for j in range(degree + 1) if 0 < i + j <= degree]
        sizes = torch.randn(len(betas), generator=generator, dtype=torch.float64) / len(betas) ** 0.5
        target = HermiteTarget(coefficients=dict(zip(betas, sizes.tolist(), strict=True)))
        w = torch.linalg.qr(torch.randn(d, r, generator=generator, dtype=torch.float64))[0]

        def slope(flat: Tensor) -> Tensor:
            with torch.enable_grad():
                own = flat.detach().requires_grad_()
                m = own[: target.q]
                loss = -0.5 * kept(target, (m @ m.mT)[None]).sum()
                (gradient,) = torch.autograd.grad(loss, own)
            return gradient - flat @ (flat.mT @ gradient)

        followed = gradient_flow(slope, w, TIMES)[:, : target.q]
        closed = two_time_scales(target, w[None, : target.q], TIMES)
        squares = torch.linalg.svdvals(followed).square()
        losses = 0.5 * (target.variance - kept(target, followed @ followed.mT))
        return {
            "apart": float((squares - closed.overlaps[:, 0]).abs().max()),
            "loss_apart": float((losses - closed.loss[:, 0]).abs().max()),
        }

    return runs.each(one)


def grid(shapes: list[tuple[int, int]], degree: int, seeds: int) -> Grid:
    """Dimensions and directions of the student."""
    return cells({"d": d, "r": r, "degree": degree} for d, r in shapes).with_seeds(seeds)


claim = Claim(
    question="Is the flow of the span closed in the overlaps, whatever the dimension?",
    statement=r"\dot G = 2\left[(I - G)\Phi G + G \Phi (I - G)\right], \quad \Phi = \nabla F(G)",
    source="Derived from Bietti, Bruna & Pillaud-Vivien (2023), equations 30 and 31",
    references=["bietti2023multiindex"],
    scales={
        "smoke": grid([(6, 2)], 2, 5),
        "desk": grid([(8, 2), (8, 3), (30, 2), (30, 4)], 3, 6),
        "paper": grid([(8, 2), (30, 4), (300, 2)], 5, 16),
    },
    measure=measure,
    rules=[
        Threshold(
            column="apart", at_most=1e-6, says="largest difference of a squared overlap between the two flows"
        ),
        Threshold(column="loss_apart", at_most=1e-6, says="largest difference of the loss"),
    ],
)

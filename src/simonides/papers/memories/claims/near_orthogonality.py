"""Random embeddings are nearly orthogonal, and so are their images under a random matrix.

Bietti et al. (2023), section 3; the laws at finite d are in `simonides.memories.laws.orthogonality`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.lab import (
    Claim,
    Reported,
    Runs,
    Threshold,
    Within,
    product,
)
from simonides.lab.figures import Overlay
from simonides.memories import draw_embeddings
from simonides.memories.laws import orthogonality

COUNT = 256


def measure(runs: Runs, *, d: int, kind: str) -> dict[str, Tensor]:
    """Variances of inner products times d, of squared norms times d, and the largest cosine, of 256 vectors.

    Each run is a mean over several draws of vectors and remapping: one 16 x 16 remapping alone has a norm that
    scatters by 9 %.
    """
    draws = max(2, 1024 // d)
    vectors = draw_embeddings(runs.generators, runs.device, draws, COUNT, d, kind)
    remap = draw_embeddings(runs.generators, runs.device, draws, d, d, "gaussian")
    moved = vectors @ remap.mT
    unit = vectors / vectors.norm(dim=-1, keepdim=True)
    cosines = (unit @ unit.mT).abs() - 2 * torch.eye(COUNT, device=runs.device)
    return {
        "variance": d * off_diagonal_square(vectors @ vectors.mT),
        "remapped": d * off_diagonal_square(moved @ vectors.mT),
        "remapped_self": d * (moved * vectors).sum(-1).square().mean((-1, -2)),
        "moved_norm": moved.square().sum(-1).mean((-1, -2)),
        "both_remapped": d * off_diagonal_square(moved @ moved.mT),
        "norm_variance": d * vectors.square().sum(-1).var(-1).mean(-1),
        "largest_cosine": cosines.amax((-2, -1)).mean(-1),
    }


def off_diagonal_square(table: Float[Tensor, "runs draws N N"]) -> Float[Tensor, " runs"]:
    """Mean square of the entries off the diagonal, whose mean is zero."""
    total = table.square().sum((-2, -1)) - table.diagonal(dim1=-2, dim2=-1).square().sum(-1)
    return total.mean(-1) / (table.shape[-1] * (table.shape[-1] - 1))


claim = Claim(
    question="Are random embeddings nearly orthogonal, before and after a random remapping?",
    statement=r"\langle e_i, e_j \rangle \approx 0 \pm \frac{1}{\sqrt{d}}, \quad \|e_i\| \approx 1, \quad"
    r"\langle W e_i, e_j \rangle \approx 0 \pm \frac{1}{\sqrt{d}}",
    source="Bietti et al. (2023), section 3",
    references=["bietti2023birth"],
    scales={
        "smoke": product(d=[16, 64], kind=["sphere", "gaussian"]).with_seeds(5),
        "desk": product(d=[16, 32, 64, 128, 256, 512], kind=["sphere", "gaussian"]).with_seeds(8),
        "paper": product(d=[64, 256, 1024, 4096], kind=["sphere", "gaussian"]).with_seeds(16),
    },
    measure=measure,
    predictions={
        "variance": lambda d: d * orthogonality.inner_product_variance(d),
        "remapped": lambda d: d * orthogonality.remapped_inner_product_variance(d, both=False),
        "both_remapped": lambda d: d * orthogonality.remapped_inner_product_variance(d, both=True),
        # E <W e, e>^2 and E |W e|^2 are E |e|^4/d and E |e|^2 for W of entries N(0, 1/d)
        "remapped_self": lambda d, kind: 1 + orthogonality.norm_variance(d, kind),
        "moved_norm": lambda: 1.0,
        "norm_variance": lambda d, kind: d * orthogonality.norm_variance(d, kind),
        "largest_cosine": lambda d: orthogonality.largest_inner_product(d, COUNT),
    },
    rules=[
        Within(
            column="variance",
            ratio=0.1,
            says="d times the variance of <e_i, e_j>",
            paper=Reported(value=1.0, where="section 3"),
        ),
        Within(column="remapped", ratio=0.1, says="d times the variance of <W e_i, e_j>, i and j different"),
        Within(column="remapped_self", ratio=0.1, says="d times the variance of <W e_i, e_i>"),
        Within(column="moved_norm", ratio=0.05, says="mean of |W e_i|^2"),
        Within(column="both_remapped", ratio=0.1),
        Within(column="norm_variance", ratio=0.1, where={"kind": "gaussian"}),
        Threshold(column="norm_variance", at_most=1e-4, where={"kind": "sphere"}),
        Within(column="largest_cosine", ratio=0.1),
    ],
    sanity=[
        Within(column="variance", band=0.1),
        Within(column="remapped", band=0.1),
        Within(column="both_remapped", band=0.3),
        Within(column="norm_variance", band=0.3),
        Within(column="largest_cosine", band=0.03),
    ],
    figures=[
        Overlay(
            y="largest_cosine",
            x="d",
            by="kind",
            title=f"Largest cosine between two of {COUNT} random embeddings",
            x_label="width d",
            y_label="largest |cosine|",
            log="xy",
        ),
        Overlay(
            y="both_remapped",
            x="d",
            by="kind",
            title="Inner products of remapped embeddings",
            x_label="width d",
            y_label="d × mean square of ⟨We_i, We_j⟩",
        ),
    ],
)

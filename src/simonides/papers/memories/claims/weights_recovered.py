"""A matrix that is a sum of outer products gives its weights back: v_j^T W u_i is alpha_ij, plus small noise.

Bietti et al. (2023), section 3; the variance at finite d is in `simonides.memories.laws.scores`.
"""

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Exponent,
    Reported,
    Runs,
    Within,
    product,
)
from simonides.lab.figures import Overlay
from simonides.memories import draw_embeddings, memories_for
from simonides.memories.laws.scores import read_out_variance


def measure(runs: Runs, *, d: int, tokens: int, weights: str) -> dict[str, Tensor]:
    """Slope of the read-out on alpha, and root mean square of their difference, over the run's matrices."""
    memories = memories_for(tokens**2, wanted=2**15)
    inputs = draw_embeddings(runs.generators, runs.device, memories, tokens, d)
    outputs = draw_embeddings(runs.generators, runs.device, memories, tokens, d)
    if weights == "dense":
        shape = (memories, tokens, tokens)
        alpha = torch.stack([torch.randn(shape, generator=g) for g in runs.generators]).to(runs.device)
    else:
        alpha = torch.eye(tokens, device=runs.device).expand(len(runs), memories, -1, -1)
    matrix = outputs.mT @ alpha.mT @ inputs
    read = (outputs @ matrix @ inputs.mT).mT  # [i, j], as alpha
    slope = (read * alpha).sum((1, 2, 3)) / alpha.square().sum((1, 2, 3))
    return {"slope": slope, "error": (read - alpha).square().mean((1, 2, 3)).sqrt()}


def predicted_error(d: int, tokens: int, weights: str) -> float:
    """Root of the mean over all entries of `read_out_variance`."""
    others = tokens - 1
    if weights == "dense":
        return read_out_variance(d, others, others, others**2) ** 0.5
    on_diagonal = read_out_variance(d, 0, 0, others)
    off_diagonal = read_out_variance(d, 1, 1, tokens - 2)
    return float(((on_diagonal + others * off_diagonal) / tokens) ** 0.5)


claim = Claim(
    question="Does a sum of outer products, read with its own embeddings, return the weights it was made of?",
    statement=r"W = \sum_{i,j} \alpha_{ij} v_j u_i^\top \quad\Rightarrow\quad v_j^\top W u_i \approx \alpha_{ij}",
    source="Bietti et al. (2023), section 3",
    references=["bietti2023birth", "kohonen1972correlation"],
    scales={
        "smoke": product(d=[32, 128], tokens=[16], weights=["dense", "permutation"]).with_seeds(5),
        "desk": product(d=[32, 64, 128, 256, 512], tokens=[16, 64], weights=["dense", "permutation"]).with_seeds(
            8
        ),
        "paper": product(
            d=[64, 256, 1024, 4096], tokens=[16, 64, 512], weights=["dense", "permutation"]
        ).with_seeds(16),
    },
    measure=measure,
    predictions={"slope": lambda: 1.0, "error": predicted_error},
    rules=[
        Exponent(
            of="error",
            against="d",
            low=-0.6,
            high=-0.45,
            where={"weights": "permutation", "tokens": 16},
            paper=Reported(value=-0.5, where="section 3"),
        ),
        Within(column="error", ratio=0.1),
        Within(column="slope", ratio=0.05),
    ],
    sanity=[
        Within(column="error", band=0.05),
        Within(column="slope", band=0.1),
        Exponent(of="error", against="d", low=-0.6, high=-0.45, where={"weights": "permutation", "tokens": 16}),
    ],
    figures=[
        Overlay(
            y="error",
            x="d",
            by="tokens",
            where={"weights": weights},
            title=f"Error of weights read from one matrix, {weights} weights",
            x_label="width d",
            y_label="root mean square of v_jᵀWu_i − α_ij",
            log="xy",
        )
        for weights in ("dense", "permutation")
    ],
)

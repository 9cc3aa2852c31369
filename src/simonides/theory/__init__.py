"""What should happen: finite-size predictions and bounds, each with its theorem."""

from simonides.theory import (
    bounds,
    classics,
    factual,
    gradients,
    induction,
    interference,
    margins,
    mlp,
    noise_channel,
    orthogonality,
    recall,
    scaling,
    scores,
    similarity,
)

__all__ = [
    "bounds",
    "classics",
    "factual",
    "gradients",
    "induction",
    "interference",
    "margins",
    "mlp",
    "noise_channel",
    "orthogonality",
    "recall",
    "scaling",
    "scores",
    "similarity",
]

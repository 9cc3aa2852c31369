"""What should happen: finite-size predictions and bounds, each with its theorem."""

from simonides.theory import (
    bounds,
    classics,
    gradients,
    interference,
    margins,
    mlp,
    orthogonality,
    recall,
    scaling,
    scores,
    similarity,
)

__all__ = [
    "bounds",
    "classics",
    "gradients",
    "interference",
    "margins",
    "mlp",
    "orthogonality",
    "recall",
    "scaling",
    "scores",
    "similarity",
]

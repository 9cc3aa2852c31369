"""What should happen: finite-size predictions and bounds, each with its theorem."""

from simonides.theory import bounds, orthogonality, recall, scores

__all__ = ["bounds", "orthogonality", "recall", "scores"]

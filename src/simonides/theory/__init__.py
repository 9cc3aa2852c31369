"""What should happen: finite-size predictions and bounds, each with its theorem."""

from simonides.theory import bounds, classics, interference, mlp, orthogonality, recall, scores, similarity

__all__ = ["bounds", "classics", "interference", "mlp", "orthogonality", "recall", "scores", "similarity"]

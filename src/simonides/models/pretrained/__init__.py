"""Real checkpoints: opened from a folder, with every weight by its role."""

from simonides.models.pretrained.network import Architecture, PretrainedModel
from simonides.models.pretrained.reading import load_pretrained
from simonides.models.pretrained.tokens import TextTokens

__all__ = ["Architecture", "PretrainedModel", "TextTokens", "load_pretrained"]

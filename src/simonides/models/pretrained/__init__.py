"""Real checkpoints: opened from a folder, with every weight by its role, and written again."""

from simonides.models.pretrained.network import Architecture, PretrainedModel
from simonides.models.pretrained.reading import load_pretrained
from simonides.models.pretrained.tokens import TextTokens
from simonides.models.pretrained.writing import rewrite_checkpoint, save_pretrained

__all__ = [
    "Architecture",
    "PretrainedModel",
    "TextTokens",
    "load_pretrained",
    "rewrite_checkpoint",
    "save_pretrained",
]

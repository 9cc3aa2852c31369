"""What stores associations: embeddings, writing rules, memories, and recall from them."""

from simonides.memories import embeddings
from simonides.memories.embeddings import embed
from simonides.memories.linear import LinearMemory
from simonides.memories.low_rank import LowRankMemory
from simonides.memories.quantised import quantised
from simonides.memories.retrieval import margins, recall, top_answers
from simonides.memories.writing import class_sums, outer_products, pseudo_inverse

__all__ = [
    "LinearMemory",
    "LowRankMemory",
    "class_sums",
    "embed",
    "embeddings",
    "margins",
    "outer_products",
    "pseudo_inverse",
    "quantised",
    "recall",
    "top_answers",
]

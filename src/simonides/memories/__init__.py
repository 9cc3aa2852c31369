"""What stores associations: embeddings, writing rules, memories, and recall from them."""

from simonides.memories import embeddings
from simonides.memories.classics import HopfieldMemory, WillshawMemory
from simonides.memories.embeddings import embed
from simonides.memories.linear import LinearMemory
from simonides.memories.low_rank import LowRankMemory
from simonides.memories.memory import Memory
from simonides.memories.mlp import MLPMemory, token_query
from simonides.memories.quantised import quantised
from simonides.memories.retrieval import margins, recall, top_answers
from simonides.memories.schemes import storage_weights
from simonides.memories.similarity import NearestMemory, SoftmaxMemory
from simonides.memories.writing import class_sums, outer_products, pseudo_inverse

__all__ = [
    "HopfieldMemory",
    "LinearMemory",
    "LowRankMemory",
    "MLPMemory",
    "Memory",
    "NearestMemory",
    "SoftmaxMemory",
    "WillshawMemory",
    "class_sums",
    "embed",
    "embeddings",
    "margins",
    "outer_products",
    "pseudo_inverse",
    "quantised",
    "recall",
    "storage_weights",
    "token_query",
    "top_answers",
]

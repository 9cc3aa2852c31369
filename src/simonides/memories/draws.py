"""Embeddings of several independent memories in each of several runs."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import check_memory
from simonides.memories.embeddings import embed


def memories_for(facts: int, wanted: int = 4096) -> int:
    """How many independent memories a run needs to see about `wanted` facts, whatever their number."""
    return max(1, wanted // facts)


def draw_embeddings(
    generators: Sequence[torch.Generator],
    device: torch.device,
    memories: int,
    count: int,
    d: int,
    kind: str = "sphere",
) -> Float[Tensor, "runs memories N d"]:
    """`count` embeddings for each of `memories` memories in every run, one generator a run.

    Raises:
        SimonidesError: when they, and as many for the answers, would not fit in this machine's memory.
    """
    runs = len(generators)
    check_memory(
        f"{runs} runs of {memories} memories with {count} embeddings of d = {d} need",
        16 * runs * memories * count * d,
        "give smaller sizes",
    )
    drawn = embed(kind, memories * count, d, generators)
    return drawn.to(device).reshape(runs, memories, count, d)

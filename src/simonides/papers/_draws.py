"""What claims draw: embeddings for several independent memories in each run."""

from jaxtyping import Float
from torch import Tensor

from simonides.lab import Runs
from simonides.memories import embed


def repeats(facts: int, wanted: int = 4096) -> int:
    """Independent memories in a run, so that a run sees about `wanted` facts whatever their number."""
    return max(1, wanted // facts)


def embeddings(runs: Runs, memories: int, count: int, d: int, kind: str = "sphere") -> Float[Tensor, "runs m N d"]:
    """`count` embeddings for each of `memories` memories in every run, on the runs' device."""
    drawn = embed(kind, memories * count, d, runs.generators)
    return drawn.to(runs.device).reshape(len(runs), memories, count, d)

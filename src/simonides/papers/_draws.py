"""What claims draw: embeddings for several independent memories in each run."""

from jaxtyping import Float
from torch import Tensor

from simonides.errors import check_memory
from simonides.lab import Runs
from simonides.memories import embed


def repeats(facts: int, wanted: int = 4096) -> int:
    """Independent memories in a run, so that a run sees about `wanted` facts whatever their number."""
    return max(1, wanted // facts)


def embeddings(runs: Runs, memories: int, count: int, d: int, kind: str = "sphere") -> Float[Tensor, "runs m N d"]:
    """`count` embeddings for each of `memories` memories in every run, on the runs' device.

    Raises:
        SimonidesError: when they, and as many for the answers, would not fit in this machine's memory.
    """
    check_memory(
        f"{len(runs)} runs of {memories} memories with {count} embeddings of d = {d} need",
        16 * len(runs) * memories * count * d,
        "give smaller sizes",
    )
    drawn = embed(kind, memories * count, d, runs.generators)
    return drawn.to(runs.device).reshape(len(runs), memories, count, d)

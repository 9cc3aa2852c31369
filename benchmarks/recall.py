"""Exact recall among 10^5 candidates at d = 512, against the best float32 product of the same run.

The floor of any method that looks at every score in float32 is 2 Q M d operations at that rate. Also the peak
memory of writing and reading 10^6 associations at d = 1024.
"""

import resource
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.timing import HotPath, apart, interleaved
from simonides.memories import LinearMemory, embeddings, recall

QUERIES, CANDIDATES, WIDTH = 1024, 100_000, 512


def lines() -> Iterator[str | HotPath]:
    g = torch.Generator().manual_seed(0)
    candidates = embeddings.sphere(CANDIDATES, WIDTH, g)
    queries = embeddings.sphere(QUERIES, WIDTH, g)
    small = candidates[:8192]
    arrays = queries.numpy(), np.ascontiguousarray(small.numpy().T)

    def one_dnn() -> torch.Tensor:
        # on processors without bfloat16 matrix units this only permits another library's float32 product
        torch.set_float32_matmul_precision("medium")
        try:
            return queries @ small.T
        finally:
            torch.set_float32_matmul_precision("highest")

    seconds = interleaved(
        {
            "torch": lambda: queries @ small.T,
            "torch, oneDNN": one_dnn,
            "numpy": lambda: arrays[0] @ arrays[1],
            "recall": lambda: recall(queries, candidates),
            "float32": lambda: recall(queries, candidates, torch.float32),
            "plain": lambda: plain(queries, candidates),
        }
    )
    product = 2 * QUERIES * len(small) * WIDTH / 1e9
    rates = {name: product / seconds[name] for name in ("torch", "torch, oneDNN", "numpy")}
    whole = 2 * QUERIES * CANDIDATES * WIDTH / 1e9
    best = max(rates.values())
    exact = torch.equal(recall(queries, candidates), plain(queries, candidates))
    yield f"{QUERIES} queries among {CANDIDATES} candidates, d = {WIDTH}, one thread"
    yield "float32 products: " + ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in rates.items())
    for name, label in (
        ("recall", "recall (bfloat16 screen)"),
        ("float32", "recall (float32 screen)"),
        ("plain", "float32 scores, then argmax"),
    ):
        rate = whole / seconds[name]
        yield f"{label}: {rate:.0f} GFLOP/s of scores, {rate / best:.2f} of the best float32 product"
    yield HotPath(
        name=f"exact recall of {QUERIES} queries among {CANDIDATES:,} candidates, d = {WIDTH}",
        floor="all scores by the best float32 product (our screen is in bfloat16)",
        seconds=seconds["recall"],
        least=whole / best,
    )
    yield f"same answers as float32 scores: {exact}"
    yield from apart(memory_lines)


def plain(queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    """The straightforward way, in blocks so that it fits."""
    return torch.cat([(block @ candidates.T).argmax(1) for block in queries.split(64)])


def memory_lines() -> list[str]:
    """Peak memory above the embeddings themselves, for N = 10^6 at d = 1024 and 512 sampled queries."""
    torch.set_num_threads(1)
    g = torch.Generator().manual_seed(0)
    facts, d = 1_000_000, 1024
    inputs, outputs = (torch.empty(facts, d) for _ in range(2))
    for table in (inputs, outputs):
        for block in table.split(50_000):
            torch.randn(block.shape, generator=g, out=block).div_(d**0.5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = interleaved({"write": lambda: LinearMemory.store(inputs, outputs, torch.arange(facts))}, rounds=1)
    written = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    memory = LinearMemory.store(inputs, outputs, torch.arange(facts))
    reading = interleaved({"read": lambda: recall(memory(inputs[:512]), outputs)}, rounds=1)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    table = facts * facts * 4 / 1e12
    own = 2 * facts * d * 4 / 1e9
    return [
        f"N = {facts}, d = {d}: embeddings {own:.1f} GB; an N x M table would take {table:.0f} TB",
        f"write: {seconds['write']:.1f} s, {(written - before) / 1e6:.2f} GB more at the peak",
        f"read 512 queries: {reading['read']:.1f} s, {(after - written) / 1e6:.2f} GB more at the peak",
    ]

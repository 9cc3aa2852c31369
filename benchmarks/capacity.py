"""Trained capacity: the stacked search against one run after another, written as one would at first.

The plain search bisects each run alone over [d, d^2/2] (matrix) or [d, m d] (MLP), with autograd, torch's
cross-entropy and Adam, and stops a run that is solved. Both draw the same embeddings and initial weights; rounding
differs, and so may a capacity by a fact or two.
"""

import math
import statistics
import time
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.timing import HotPath, apart
from simonides.memories import StackedFacts, TrainableLinear, TrainableMLP, embeddings
from simonides.probes import best_accuracies, trained_capacity

SEEDS = 5


def lines() -> Iterator[str | HotPath]:
    for kind, d, width, steps in (("linear", 16, 0, 2**12), ("mlp", 8, 8, 2**11)):
        yield _compare(kind, d, width, steps)
    yield _floor()
    yield apart(_memory)


def _compare(kind: str, d: int, width: int, steps: int) -> str:
    start = time.process_time()
    found = trained_capacity(kind, d, _generators(), width, steps=steps)
    middle = time.process_time()
    plain = [_plain(kind, d, width, steps, generator) for generator in _generators()]
    end = time.process_time()
    mean = math.exp(statistics.mean(map(math.log, plain)))
    ours, theirs = middle - start, end - middle
    name = f"{kind}, d = {d}" + (f", m = {width}" if width else "")
    return (
        f"{name}, {steps} steps, {SEEDS} seeds: {ours:.1f} CPU-s against {theirs:.1f} for the plain search: "
        f"{theirs / ours:.1f} times (wanted: 3); capacities {found.stored}, mean {found.mean:.1f}, "
        f"against {tuple(plain)}, mean {mean:.1f}"
    )


def _plain(kind: str, d: int, width: int, steps: int, generator: torch.Generator) -> int:
    low, high = d, (d * d // 2 if kind == "linear" else width * d)
    while high / low > 1.01 and high - low > 1:
        middle = (low + high) // 2
        reached = _solves(kind, d, width, steps, middle, torch.Generator().set_state(generator.get_state()))
        low, high = (middle, high) if reached else (low, middle)
    return low


def _solves(kind: str, d: int, width: int, steps: int, facts: int, generator: torch.Generator) -> bool:
    inputs, outputs = (embeddings.sphere(facts, d, generator) for _ in range(2))
    if kind == "linear":
        weights = [torch.zeros(d, d, requires_grad=True)]
    else:
        w = torch.randn(width, d, generator=generator) / d**0.5
        v = torch.randn(d, width, generator=generator) / width**0.5
        weights = [w.requires_grad_(), torch.zeros(width, requires_grad=True), v.requires_grad_()]
    adam = torch.optim.Adam(weights, lr=1000.0 if kind == "linear" else 0.03)
    targets = torch.arange(facts)
    for step in range(1, steps + 1):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(_logits(inputs, outputs, weights), targets).backward()
        adam.step()
        if step % (steps // 128) == 0:
            with torch.no_grad():
                right = _logits(inputs, outputs, weights).argmax(-1) == targets
            if right.float().mean() >= 0.99:
                return True
    return False


def _logits(inputs: Tensor, outputs: Tensor, weights: list[Tensor]) -> Tensor:
    if len(weights) == 1:
        return inputs @ weights[0].T @ outputs.T
    return torch.relu(inputs @ weights[0].T + weights[1]) @ weights[2].T @ outputs.T


def _floor() -> HotPath:
    """One step of the trained MLP at N = 1024, d = 32, m = 64 against its products and exponentials."""
    generator = torch.Generator().manual_seed(0)
    facts, d, width = 1024, 32, 64
    drawn = [(*(embeddings.sphere(facts, d, generator) for _ in range(2)), torch.arange(facts))]
    memory = TrainableMLP(StackedFacts.stack(drawn), width, [generator])
    parameters = list(memory.parameters())
    table = torch.randn(facts, facts)
    queries = torch.randn(facts, d)

    def floor() -> None:
        scores = torch.mm(queries, queries.T, out=table)  # logits
        torch.exp(scores.mul_(0.01), out=scores)
        torch.mm(scores, queries)

    rounds: dict[str, list[float]] = {"step": [], "floor": []}
    for _ in range(30):
        for name, call in (
            ("step", lambda: torch.autograd.grad(memory.loss().sum(), parameters)),
            ("floor", floor),
        ):
            start = time.perf_counter()
            for _ in range(5):
                call()
            rounds[name].append((time.perf_counter() - start) / 5)
    step, least = (statistics.median(rounds[name]) for name in ("step", "floor"))
    return HotPath(
        name="a gradient of the MLP memory, N = 1024, d = 32, m = 64",
        floor="its two N x N products and the exponentials",
        seconds=step,
        least=least,
    )


def _memory() -> str:
    """Two steps at N = 30,000, d = 64, and the memory that the process has taken by then."""
    import resource

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    drawn = [(*(embeddings.sphere(30_000, 64, generator) for _ in range(2)), torch.arange(30_000))]
    start = time.process_time()
    best_accuracies(
        TrainableLinear(StackedFacts.stack(drawn)), partial(torch.optim.Adam, lr=1000.0), 2, 1, goal=1.0
    )
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return (
        f"N = 30,000 at d = 64: two steps and a checkpoint in {time.process_time() - start:.0f} CPU-s; largest "
        f"memory of the process {taken:.2f} GiB, where N x N scores would take 3.4 GiB"
    )


def _generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]

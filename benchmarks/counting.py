"""A training step of a counter: from running counts of token types, against dense attention.

Causal, no positions, one layer, d = 64, 128 hidden units, 4 regions, 32 strings a step. The dense step is the same
model with its attention as T x T weights. The floor of the fast one is the second product of the feed-forward with its
two transposes; attention, norms and the first product cost K = 10 rows.
"""

from collections.abc import Iterator

import torch

from benchmarks.timing import HotPath, interleaved
from simonides.papers.counting.model import counter_config, make_counter
from simonides.papers.counting.strings import ContextualCounting
from simonides.papers.counting.training import answer_loss

BATCH, D = 32, 64


def lines() -> Iterator[str | HotPath]:
    for length, rounds in ((64, 30), (512, 9)):
        yield from _step(length, rounds)


def _step(length: int, rounds: int) -> Iterator[str | HotPath]:
    generator = torch.Generator().manual_seed(0)
    task = ContextualCounting(length=length)
    model = make_counter(counter_config(task, d=D), generator)
    strings = task.sample(BATCH, generator)
    labels, tokens = task.labels(strings)[0], strings.tokens
    everything = torch.ones(BATCH, task.longest, dtype=torch.bool)

    def step(*mask: torch.Tensor) -> None:
        model.zero_grad()
        answer_loss(model(tokens, *mask), labels).backward()

    rows, hidden, out = (
        torch.randn(BATCH * task.longest, D),
        torch.randn(BATCH * task.longest, 2 * D),
        torch.randn(D, 2 * D),
    )

    def floor() -> None:
        torch.mm(hidden, out.mT)
        torch.mm(rows, out)
        torch.mm(rows.mT, hidden)

    found = interleaved(
        {
            "fast": step,
            "dense": lambda: step(everything),
            "floor": floor,
            "data": lambda: task.sample(BATCH, generator),
        },
        rounds=rounds,
    )
    ms = {name: seconds * 1e3 for name, seconds in found.items()}
    yield HotPath(
        name=f"a step of a counter, T = {length}, d = 64, from running counts",
        floor="the feed-forward's second product, forward and backward",
        seconds=found["fast"],
        least=found["floor"],
    )
    wanted = " (wanted: 10)" if length == 512 else ""
    yield (
        f"T = {length}: {ms['fast']:.1f} ms from running counts, {ms['dense']:.1f} ms dense: "
        f"{ms['dense'] / ms['fast']:.1f} times{wanted}; drawing the strings {ms['data']:.1f} ms"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in lines():
        print(line)

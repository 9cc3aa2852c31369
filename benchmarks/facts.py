"""A training step of factual recall from token counts, and the smallest model that stores 144 facts.

d = 16, 8 heads of dimension 2, 16 hidden units (1,536 weights), 12 x 12 facts, T = 32, 1,024 prompts: forward and
backward from counts against from tokens. The floor is the matrix products of the counted step at this machine's
rate for such small ones.
"""

import time
from collections.abc import Iterator

import torch
from torch.nn.functional import cross_entropy

from benchmarks.timing import HotPath, interleaved
from simonides.nn import CountedTransformer
from simonides.papers.facts.model import recall_transformer
from simonides.papers.facts.training import train_with_restarts
from simonides.tasks import Prompts, synthetic_facts

SUBJECTS, ANSWERS, BATCH, LENGTH = 12, 8, 1024, 32


def task(seed: int) -> tuple[Prompts, torch.Generator]:
    """Prompts on 144 facts."""
    generator = torch.Generator().manual_seed(seed)
    facts = synthetic_facts(SUBJECTS, SUBJECTS, ANSWERS, generator)
    return Prompts(facts=facts, noise=2 * SUBJECTS, length=LENGTH), generator


def lines() -> Iterator[str | HotPath]:
    yield from _step()
    yield _training()


def _step() -> Iterator[str | HotPath]:
    prompts, generator = task(0)
    model = recall_transformer(prompts, 16, 8, 2, 16, generator)
    fast = CountedTransformer(model, prompts.vocabulary - 1)
    rows = prompts.rows(BATCH, generator)
    tokens, answers = prompts.tokens(rows, generator), prompts.facts.answers[rows]
    counts = torch.zeros(BATCH, prompts.vocabulary).scatter_add_(1, tokens, torch.ones(tokens.shape))
    at = torch.full((BATCH, 1), LENGTH - 1)
    table, hidden, outputs = torch.randn(prompts.vocabulary, 24), torch.randn(BATCH, 16), torch.randn(16, 96)
    square, logits = torch.randn(16, 16), torch.randn(BATCH, 96)

    def products() -> None:
        """Of forward and backward."""
        _ = counts @ table, counts.mT @ hidden, hidden @ outputs, logits @ outputs.mT
        for _ in range(9):
            _ = hidden @ square

    found = interleaved(
        {
            "dense": lambda: cross_entropy(model(tokens, at=at)[:, 0], answers).backward(),
            "counted": lambda: cross_entropy(fast(counts), answers).backward(),
            "floor": products,
        },
        rounds=25,
    )
    ratio = found["dense"] / found["counted"]
    yield HotPath(
        name="forward and backward of 1,024 prompts from counts, 1,536 weights",
        floor="its products",
        seconds=found["counted"],
        least=found["floor"],
    )
    yield (
        f"forward and backward of 1,024 prompts: {1e3 * found['counted']:.2f} ms from counts, {ratio:.1f} times "
        f"faster than from tokens (wanted: 5); {found['counted'] / found['floor']:.1f} times its products"
    )


def _training() -> str:
    seconds, best, starts = [], [], []
    for seed in range(10):
        prompts, generator = task(seed)
        begun = time.process_time()
        training, taken = train_with_restarts(
            lambda g, prompts=prompts: recall_transformer(prompts, 16, 8, 2, 16, g), prompts, generator, batch=576
        )
        seconds.append(time.process_time() - begun)
        best.append(float(training.best))
        starts.append(taken)
    spent = ", ".join(f"{took:.1f} s ({share:.1%})" for took, share in zip(seconds, best, strict=True))
    return (
        f"144 facts in 1,536 weights to 99 %, ten seeds: {spent} (wanted: 15 s); {sum(starts)} starts of at most 1,500 "
        "steps in all"
    )

"""Without causality and positions nothing is counted: the model cannot know where a token stands.

Golkar et al. (2024), proposition 3, and the accuracies of the non-causal models without positions.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, Within, product
from simonides.lab.figures import Overlay
from simonides.papers.counting.claims._training import columns, counters
from simonides.papers.counting.laws import invariant_ceiling
from simonides.papers.counting.strings import ContextualCounting
from simonides.papers.counting.training import right_share


def measure(runs: Runs, *, length: int, regions: int, steps: int) -> dict[str, Tensor]:
    """Accuracy after training, and how far logits move when a string is permuted, over their spread."""
    task = ContextualCounting(length=length, regions=regions)
    trained = counters(runs, task, steps, causal=False)
    rows = []
    for model, generator in zip(trained.models, runs.generators, strict=True):
        strings = task.sample(4000, generator).on(runs.device)
        order = torch.randperm(strings.tokens.shape[1], generator=generator).to(runs.device)
        with torch.no_grad():
            logits, moved = model(strings.tokens), model(strings.tokens[:, order])
        right = right_share(logits, task.labels(strings)[0])
        rows.append(
            {
                "accuracy": float(right.mean()),
                "moved": float((logits - moved).abs().max() / (logits.max() - logits.min())),
            }
        )
    return columns(rows)


def ceiling(length: int, regions: int) -> float:
    """The best that can be answered without knowing where tokens stand."""
    return invariant_ceiling(length, regions)


def grid(lengths: list[int], regions: int, steps: int) -> Grid:
    """Lengths."""
    return product(length=lengths, regions=[regions], steps=[steps]).with_seeds(5)


claim = Claim(
    question="Can an encoder without positions that sees the whole string count?",
    statement=r"\text{accuracy} \le \sum_S p(S) \max_n p(n \mid S)",
    source="Golkar et al. (2024), proposition 3 and the figure of accuracies: 3 % at T = 512, R = 4",
    references=["golkar2024contextual"],
    scales={
        "smoke": grid([16], 2, 200),
        "desk": grid([32, 64], 2, 1000),
        "paper": grid([128, 256, 512], 4, 20_000),
    },
    measure=measure,
    predictions={"accuracy": ceiling},
    rules=[
        Within(column="accuracy", ratio=0.1, says="accuracy over that of the best answer blind to order"),
        Threshold(
            column="moved",
            at_most=1e-4,
            says="largest change of a logit when strings are permuted, over the range",
        ),
    ],
    sanity=[Threshold(column="moved", at_most=1e-4)],
    figures=[
        Overlay(
            y="accuracy",
            x="length",
            title="An encoder that sees no order",
            x_label="length T",
            y_label="share answered right",
            smooth=False,
        )
    ],
    differs="T = 32 and 64 with two regions, in place of 512 with four; optimiser and steps are not stated there.",
)

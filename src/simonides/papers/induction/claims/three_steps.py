"""Three gradient steps, one on each memory, make an induction head.

Bietti et al. (2023), theorem 3, in the runnable form of `simonides.papers.induction.three_steps`: each matrix sees only
its own block of the stream. The restriction was put in after the unrestricted steps had failed; they
are measured as well, and so is which matrix needs it. Steps are on drawn sequences, or on all that there are.
"""

from functools import partial

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, Value, Within, product, zipped
from simonides.lab.figures import Curves, Overlay
from simonides.papers.induction.three_steps import (
    MATRICES,
    ThreeSteps,
    all_sequences,
    draw_sequences,
    one_hot_directions,
    random_directions,
)

# step sizes by the number of tokens
RATES = {8: (12.0, 720.0, 7200.0), 10: (15.0, 900.0, 9000.0), 20: (25.0, 1500.0, 15_000.0)} | {
    32: (64.0, 4e3, 4e4),
    48: (120.0, 1.2e4, 1.2e5),
    64: (256.0, 4e4, 4e5),
}
# drawn for each step, and for the test
SEQUENCES, TESTED = 80_000, 20_000
BLOCKS = {
    "restricted": MATRICES,
    "whole stream": (),
    "all but W_OV2": ("W_KQ2", "W_KQ1"),
    "all but W_KQ2": ("W_OV2", "W_KQ1"),
    "all but W_KQ1": ("W_OV2", "W_KQ2"),
}


def measure(runs: Runs, *, blocks: str, sequences: str, tokens: int, length: int, d: int) -> dict[str, Tensor]:
    """The three recalls, and accuracy once attention is saturated; d = 0 is one-hot, else embeddings N(0, 1/d).

    Population steps are the same in every run; only their accuracy is measured on drawn sequences.
    """
    rows = []
    for generator in runs.generators:
        directions = (
            one_hot_directions(tokens, length) if d == 0 else random_directions(tokens, length, d, generator)
        )
        model = ThreeSteps.start(directions.to(runs.device), BLOCKS[blocks])
        batch = SEQUENCES if blocks == "restricted" else SEQUENCES // 8
        draw = partial(draw_sequences, tokens, length, batch, generator)
        model.train(RATES[tokens], partial(all_sequences, tokens, length) if sequences == "all" else draw)
        recalls = model.recalls()
        model.saturate()
        rows.append(
            [
                *recalls,
                accuracy(model, tokens, length, generator, 0),
                accuracy(model, tokens, length, generator, 1),
            ]
        )
    names = ("output", "key_query", "previous", "accuracy", "accuracy_not_first")
    return dict(zip(names, torch.tensor(rows, dtype=torch.float64).unbind(1), strict=True))


def accuracy(model: ThreeSteps, tokens: int, length: int, generator: torch.Generator, first: int) -> float:
    """On fresh sequences whose trigger first comes at place `first` or later."""
    parts = [draw_sequences(tokens, length, TESTED // 10, generator, first) for _ in range(10)]
    return float(torch.cat([model.logits(z).argmax(-1).cpu() == y for z, y in parts]).double().mean())


def expected(blocks: str, length: int, d: int) -> float:
    """1 - 1/(2 (T - 2)): at place 0 the trigger can only look at itself, and two places match."""
    return 1 - 1 / (2 * (length - 2)) if blocks == "restricted" and d == 0 else float("nan")


def grid(sizes: list[tuple[int, int]], exact: list[tuple[int, int]], widths: list[int], seeds: int) -> Grid:
    """One-hot with all, some and no restrictions, drawn and exact; and finite widths."""
    (n, t), restricted = sizes[0], product(blocks=["restricted"])
    drawn, population = product(sequences=["drawn"]), product(sequences=["all"])
    one_hot = restricted * drawn * product(d=[0]) * pairs(sizes)
    others = product(blocks=list(BLOCKS)[1:]) * drawn * product(d=[0], tokens=[n], length=[t])
    exactly = restricted * population * product(d=[0]) * pairs(exact)
    finite = restricted * drawn * product(d=widths, tokens=[n], length=[t])
    return (one_hot + others + exactly + finite).with_seeds(seeds)


def pairs(sizes: list[tuple[int, int]]) -> Grid:
    """N and T together."""
    return zipped(tokens=[n for n, _ in sizes], length=[t for _, t in sizes])


ONE_HOT: dict[str, Value] = {"blocks": "restricted", "d": 0}
EXACT = [(8, 6), (10, 6), (20, 5)]
claim = Claim(
    question="Do three gradient steps make an induction head?",
    statement=r"R(W_{OV}^2) = R(W_{KQ}^2) = R(W_{KQ}^1) = 1, \qquad \text{accuracy} = 1 - \frac{1}{2 (T - 2)}",
    source="Bietti et al. (2023), theorem 3",
    references=["bietti2023birth"],
    scales={
        "smoke": grid([(32, 8)], [(8, 6)], [64, 256], 5),
        "desk": grid([(32, 8), (48, 10), (64, 16)], EXACT, [32, 64, 128, 256, 512], 5),
        "paper": grid([(32, 8), (48, 10), (64, 16)], EXACT, [32, 64, 128, 256, 512, 1024], 20),
    },
    measure=measure,
    predictions={"accuracy": expected},
    rules=[
        Threshold(column="output", at_least=1.0, where=ONE_HOT),
        Threshold(column="key_query", at_least=1.0, where=ONE_HOT),
        Threshold(column="previous", at_least=1.0, where=ONE_HOT),
        Within(column="accuracy", band=0.01, where=ONE_HOT),
        Threshold(column="accuracy_not_first", at_least=0.999, where=ONE_HOT),
        Threshold(column="previous", at_most=0.7, where={"blocks": "whole stream"}),
        Threshold(column="previous", at_least=1.0, where={"blocks": "all but W_KQ1"}),
    ],
    figures=[
        Overlay(
            y="accuracy",
            x="tokens",
            by="blocks",
            where={"d": 0},
            smooth=False,
            title="After three steps, attention saturated",
            x_label="tokens N",
            y_label="accuracy",
        ),
        Curves(
            ys={
                "output": "output",
                "key-query": "key_query",
                "previous token": "previous",
                "accuracy": "accuracy",
            },
            x="d",
            where={"blocks": "restricted", "tokens": 32},
            log="",
            title="Recalls after three steps, N = 32, T = 8; d = 0 is one-hot",
            x_label="width d",
            y_label="recall, accuracy",
        ),
    ],
    finding="Without any restriction the third step fails at the same step sizes. It is the blocks of W_OV2 and "
    "of W_KQ2 that are needed, and both of them; W_KQ1 may see the whole stream. Steps on all sequences there are "
    "(the population) give recalls of 1 and the predicted accuracy already at N = 8, T = 6, but not at N = T = 6: "
    "N has to be large beside T. Where the trigger does not come first the head is always right.",
)

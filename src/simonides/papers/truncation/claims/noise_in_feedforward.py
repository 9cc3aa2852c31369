"""The noise that follows a trigger in every sequence is kept by the last feed-forward, not by attention.

Chen, Bruna & Bietti (2025), section 3: to remove the feed-forward of the second layer lowers the probability of
noise on clean sequences; to remove that of the first does not.
"""

from contextlib import nullcontext

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Grid,
    Reported,
    Runs,
    Threshold,
    product,
)
from simonides.lab.figures import Curves
from simonides.papers.truncation.training import clean, clean_sequences, noise_margin, train, without_feed_forward

RATE = 0.05


def measure(runs: Runs, *, noise: float, d: int, length: int, steps: int) -> dict[str, Tensor]:
    """Of the whole model, and without either feed-forward: accuracy and p(noise) on clean sequences."""
    rows = []
    for run, generator in enumerate(runs.generators):
        checkpoint = runs.scratch_of(run) / "training.safetensors"
        model = train(length, noise, d, RATE, steps, generator, runs.device, checkpoint)
        tested = clean_sequences(length, generator)
        row = {"margin_1": noise_margin(model, 0), "margin_2": noise_margin(model, 1)}
        for name, edit in (
            ("whole", nullcontext()),
            ("without_1", without_feed_forward(model, 0)),
            ("without_2", without_feed_forward(model, 1)),
        ):
            with edit:
                scores = clean(model, tested)
            row |= {f"p_noise_{name}": scores.noise, f"accuracy_{name}": scores.accuracy}
        row["fall"] = row["p_noise_whole"] - row["p_noise_without_2"]
        row["whole_over_alpha"] = row["p_noise_whole"] / noise
        row["left_without_2"] = row["p_noise_without_2"] / row["p_noise_whole"]
        row["contrast"] = row["p_noise_without_1"] - row["p_noise_without_2"]
        rows.append(row)
    return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]}


def grid(noise: list[float], d: int, length: int, steps: list[int]) -> Grid:
    """How much noise there was, after how many steps."""
    return product(noise=noise, d=[d], length=[length], steps=steps).with_seeds(5)


claim = Claim(
    question="Where does a transformer keep an association that holds in every sequence?",
    statement=r"p(\text{noise}) \text{ without } F_2 \ll p(\text{noise}) \approx \alpha",
    source="Chen, Bruna & Bietti (2025), section 3",
    references=["chen2025distributional"],
    scales={
        "smoke": grid([0.5], 64, 32, [350]),
        "desk": grid([0.3, 0.5], 64, 64, [20, 100, 400]),
        "paper": grid([0.3, 0.5], 256, 256, [20, 300, 5000]),
    },
    measure=measure,
    rules=[
        Threshold(
            column="whole_over_alpha",
            at_least=0.7,
            at_most=1.3,
            where={"steps": 400},
            says="p(noise) of the whole model over alpha, after 400 steps",
            paper=Reported(value=1.0, where="section 3"),
        ),
        Threshold(
            column="left_without_2",
            at_most=0.3,
            where={"steps": 400},
            says="p(noise) without the second feed-forward over that of the whole",
        ),
        Threshold(column="contrast", at_least=0.05, where={"steps": 400}),
        Threshold(column="margin_2", at_least=0.5, where={"steps": 400}),
    ],
    sanity=[
        Threshold(column="p_noise_without_2", at_most=0.2),
        Threshold(column="fall", at_least=0.1),
        Threshold(column="contrast", at_least=0.05),
        Threshold(column="margin_2", at_least=0.5),
    ],
    figures=[
        Curves(
            ys={
                "whole": "p_noise_whole",
                "without feed-forward 1": "p_noise_without_1",
                "without feed-forward 2": "p_noise_without_2",
            },
            x="steps",
            where={"noise": 0.5},
            title="Probability of noise on clean sequences",
            x_label="steps of SGD",
            y_label="p(noise)",
        )
    ],
    untested="attention's part: edits of W_OV of layer 2, and models trained without a feed-forward, which keep "
    "noise as well",
)

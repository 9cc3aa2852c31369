"""Sign descent, which knows nothing of second moments, is as little hurt by heavy tails as Adam.

Kunstner et al. (2024): sign descent closes most of the gap, with momentum and without; so it is the direction of
Adam's steps, and not their history, that handles rare classes.
"""

import math

from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.papers.imbalance.claims._linear import columns, compared
from simonides.papers.imbalance.linear_data import HeavyTailedData


def measure(runs: Runs, *, momentum: bool, m: int, steps: int) -> dict[str, Tensor]:
    """What part of the way from gradient descent to Adam sign descent goes."""
    methods = ("gd-momentum", "sign-momentum", "adam") if momentum else ("gd", "sign", "adam-no-momentum")

    def one(generator: Generator) -> dict[str, float]:
        data = HeavyTailedData(m=m).sample(generator)
        found = compared(data, methods, generator, steps, m, runs.device)
        row = columns(dict(zip(("gd", "sign", "adam"), found.values(), strict=True)))
        return {
            **row,
            "past_half": (row["loss_gd"] + row["loss_adam"]) / 2 - row["loss_sign"],
            "rare_ratio": math.log(row["rare_gd"] / row["rare_sign"]),
        }

    return runs.each(one)


def grid(m: int, steps: int, seeds: int) -> Grid:
    """With momentum and without."""
    return product(momentum=[False, True], m=[m], steps=[steps]).with_seeds(seeds)


claim = Claim(
    question="Is the sign of the gradient enough to learn rare classes?",
    statement=r"\theta \leftarrow \theta - \eta \, \text{sign}(g)",
    source="Kunstner, Yadav, Milligan, Schmidt & Bietti (2024), sign descent beside Adam",
    references=["kunstner2024heavy"],
    scales={"smoke": grid(6, 60, 5), "desk": grid(7, 100, 8), "paper": grid(11, 1000, 5)},
    measure=measure,
    rules=[
        Threshold(
            column="past_half",
            at_least=0.0,
            says="how far sign descent's loss is past the middle between gradient descent's and Adam's, in nats",
        ),
        Threshold(
            column="rare_ratio",
            at_least=math.log(4),
            says="log of the loss of the rarest classes, gradient descent over sign descent",
        ),
    ],
    sanity=[Threshold(column="rare_ratio", at_least=0.0)],
    figures=[
        Overlay(
            y=f"loss_{name}",
            x="momentum",
            title=f"Training loss after the last step, {label}",
            x_label="momentum",
            y_label="loss (nats)",
            log="",
            smooth=False,
        )
        for name, label in (("gd", "gradient descent"), ("sign", "sign descent"), ("adam", "Adam"))
    ],
    stack=1,
    differs="Linear data at m = 7 and 100 steps.",
)

"""Trained on any output, a head copies likely ones as well; trained on likely ones, unlikely ones less.

Bietti et al. (2023), section 4: outputs drawn uniformly, or from the bigrams, in training and in the test.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.papers.induction.claims._training import TESTED, Setting, alongside, score, stacked, task, train

KINDS = ("uniform", "bigram")


def measure(runs: Runs, *, trained_on: str, d: int, length: int, steps: int) -> dict[str, Tensor]:
    """Accuracy along training on its own outputs; at the end on both kinds, and what is lost on the other."""
    setting = Setting(task=task(length, triggers="frequent", outputs=trained_on), d=d, steps=steps)
    histories, ends = [], []
    for run, generator in enumerate(runs.generators):
        model, history = train(setting, runs, run)
        histories.append(history)
        tests = [task(length, triggers="frequent", outputs=kind).sample(TESTED, generator) for kind in KINDS]
        ends.append([score(model, test).accuracy for test in tests])
    on = dict(zip(KINDS, torch.tensor(ends).T.tolist(), strict=True))
    other = KINDS[1 - KINDS.index(trained_on)]
    whole = {
        "on_uniform": on["uniform"],
        "on_bigram": on["bigram"],
        "lost": [near - far for near, far in zip(on[trained_on], on[other], strict=True)],
    }
    columns = stacked(histories, ["accuracy", "output"])
    return {**columns, **alongside(whole, columns["step"].shape[1])}


def grid(d: int, length: int, steps: int) -> Grid:
    """Both kinds of training."""
    return product(trained_on=list(KINDS), d=[d], length=[length], steps=[steps]).with_seeds(5)


claim = Claim(
    question="Does a head that was trained on likely outputs copy unlikely ones?",
    statement=r"\text{uniform} \to \pi_b: \text{ transfers}, \qquad \pi_b \to \text{uniform}: \text{ less}",
    source="Bietti et al. (2023), section 4",
    references=["bietti2023birth"],
    scales={"smoke": grid(64, 32, 300), "desk": grid(128, 64, 260), "paper": grid(256, 256, 1000)},
    measure=measure,
    rules=[
        Threshold(column="lost", at_most=0.1, where={"trained_on": "uniform"}),
        Threshold(column="lost", at_least=0.1, where={"trained_on": "bigram"}),
    ],
    figures=[
        Curves(
            ys={"in-context accuracy": "accuracy", "recall of W_OV, layer 2": "output"},
            x="step",
            where={"trained_on": kind},
            log="",
            title=f"Outputs in training: {kind}",
            x_label="steps of SGD",
            y_label="recall, accuracy",
        )
        for kind in KINDS
    ],
)

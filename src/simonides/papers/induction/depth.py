"""One layer cannot look for what came after: two layers learn to copy from context, one stays far below.

Bietti et al. (2023), section 3, figure 2: whole transformers, everything trained, the loss on all tokens.
"""

from functools import partial

import torch
from torch import Tensor

from simonides.dynamics import fit
from simonides.lab import Claim, Curves, Grid, Runs, Threshold, product
from simonides.models import Transformer, TransformerConfig
from simonides.papers.induction._training import score, task
from simonides.probes import baselines, masked_loss
from simonides.tasks import Sequences

BATCH = 32


def measure(runs: Runs, *, layers: int, d: int, length: int, steps: int) -> dict[str, Tensor]:
    """In-context accuracy along training by AdamW, its last value, and the best rule that does not look back."""
    problem = task(length, triggers="frequent")
    rows, last, rules, numbers = [], [], [], []
    for generator in runs.generators:
        config = TransformerConfig(
            vocabulary=65, length=length, d=d, layers=layers, heads=2, norm="pre", parallel=True
        )
        model = Transformer(config, generator)
        tested = problem.sample(128, generator)
        history = fit(
            model,
            lambda m, b: masked_loss(m, b.inputs, b.targets, torch.ones_like(b.in_context)),
            lambda g: problem.sample(BATCH, g),
            lambda p: torch.optim.AdamW(p, 5e-3, betas=(0.9, 0.99), weight_decay=0.01),
            steps,
            generator,
            probes={"accuracy": partial(accuracy, tested)},
            every=50,
        )
        rows.append(history.column("accuracy").double())
        last.append(float(rows[-1][-1]))
        simple = baselines(tested.inputs, tested.targets, tested.occurrence, 65)
        rules.append(max(simple.commonest, simple.repeat, simple.last))
        numbers.append(history.step_numbers().double())
    steps_seen = torch.stack(numbers)
    width = steps_seen.shape[1]
    return {
        "step": steps_seen,
        "accuracy": torch.stack(rows),
        "final": torch.tensor(last, dtype=torch.float64)[:, None].expand(-1, width),
        "simple_rule": torch.tensor(rules, dtype=torch.float64)[:, None].expand(-1, width),
    }


def accuracy(tested: Sequences, model: Transformer) -> float:
    """In-context accuracy on some sequences."""
    return score(model, tested).accuracy


def grid(d: int, length: int, steps: int, seeds: int) -> Grid:
    """One layer and two."""
    return product(layers=[1, 2], d=[d], length=[length], steps=[steps]).with_seeds(seeds)


claim = Claim(
    question="How many layers does copying from context take?",
    statement=r"\text{accuracy}(1 \text{ layer}) \lesssim 0.55, \qquad "
    r"\text{accuracy}(2 \text{ layers}) \geq 0.98",
    source="Bietti et al. (2023), figure 2",
    references=["bietti2023birth"],
    scales={"smoke": grid(64, 64, 500, 5), "desk": grid(64, 128, 700, 5), "paper": grid(128, 256, 3000, 5)},
    measure=measure,
    rules=[
        Threshold(column="final", at_least=0.9, where={"layers": 2}),
        Threshold(column="final", at_most=0.65, where={"layers": 1}),
    ],
    figures=[
        Curves(
            ys={"in-context accuracy": "accuracy", "best rule without looking back": "simple_rule"},
            x="step",
            where={"layers": layers},
            log="",
            title=f"{layers} layer{'s' if layers > 1 else ''}, two heads, everything trained",
            x_label="steps of AdamW",
            y_label="accuracy where c >= 2",
        )
        for layers in (1, 2)
    ],
)

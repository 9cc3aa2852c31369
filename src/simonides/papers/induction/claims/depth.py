"""One layer cannot look for what came after: two layers learn to copy from context, one stays far below.

Bietti et al. (2023), section 3, figure 2. "full" is a whole transformer (two heads, layer norm, MLPs), all of it
trained by AdamW on all tokens; "simplified" the attention-only model of section 4, its loss where c >= 2.
"""

from functools import partial

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Grid,
    Ordered,
    Reported,
    Runs,
    Threshold,
    product,
)
from simonides.lab.figures import Curves
from simonides.nn import Transformer, TransformerConfig
from simonides.papers.induction.claims._training import FROZEN, Setting, score, task, train
from simonides.probes import baselines, masked_loss
from simonides.tasks import Sequences, TriggeredBigrams
from simonides.training import Checkpoint, History, Records, fit, moved

BATCH, EVERY = 32, 20


def measure(runs: Runs, *, model: str, layers: int, d: int, length: int, steps: int) -> dict[str, Tensor]:
    """In-context accuracy along training, its best value, and the best rule that does not look back."""
    problem = task(length, triggers="frequent")
    rows, rules = [], []
    for run, generator in enumerate(runs.generators):
        tested = problem.sample(128, generator)
        if model == "full":
            history = train_full(problem, layers, d, steps, moved(tested, runs.device), runs, run)
        else:
            frozen = FROZEN if layers == 2 else FROZEN[:4]
            setting = Setting(
                task=problem, d=d, steps=steps, every=EVERY, layers=layers, frozen=frozen, accuracy_alone=True
            )
            history = train(setting, runs, run)[1]
        rows.append(history.column("accuracy").double())
        simple = baselines(tested.inputs, tested.targets, tested.occurrence, len(problem.bigrams))
        rules.append(max(simple.commonest, simple.repeat, simple.last))
    accuracy = torch.stack(rows)
    return {
        "step": history.step_numbers().double().expand(len(rows), -1),
        "accuracy": accuracy,
        "final": accuracy[:, -1:].expand_as(accuracy),
        "best": accuracy.amax(1, keepdim=True).expand_as(accuracy),
        "simple_rule": torch.tensor(rules, dtype=torch.float64)[:, None].expand_as(accuracy),
    }


def train_full(
    problem: TriggeredBigrams, layers: int, d: int, steps: int, tested: Sequences, runs: Runs, run: int
) -> History:
    """The whole transformer; the MLP beside the attention, as in the authors' code."""
    config = TransformerConfig(
        vocabulary=len(problem.bigrams),
        length=problem.length,
        d=d,
        layers=layers,
        heads=2,
        norm="pre",
        parallel=True,
    )
    return fit(
        Transformer(config, runs.generators[run]).to(runs.device),
        lambda m, b: masked_loss(m, b.inputs, b.targets, torch.ones_like(b.in_context)),
        lambda g: problem.sample(BATCH, g),
        lambda p: torch.optim.AdamW(p, 5e-3, betas=(0.9, 0.99), weight_decay=0.01),
        steps,
        runs.generators[run],
        records=Records(every=EVERY, probes={"accuracy": partial(accuracy_on, tested)}),
        checkpoint=Checkpoint(path=runs.scratch_of(run) / "training.safetensors", every=5 * EVERY),
    )


def accuracy_on(tested: Sequences, model: Transformer) -> float:
    """In-context accuracy on some sequences."""
    return score(model, tested).accuracy


def grid(model: str, d: int, length: int, steps: int) -> Grid:
    """One layer and two."""
    return product(model=[model], layers=[1, 2], d=[d], length=[length], steps=[steps])


claim = Claim(
    question="How many layers does copying from context take?",
    statement=r"\text{accuracy}(1 \text{ layer}) \lesssim 0.55, \qquad "
    r"\text{accuracy}(2 \text{ layers}) \geq 0.98",
    source="Bietti et al. (2023), figure 2",
    references=["bietti2023birth"],
    scales={
        "smoke": grid("simplified", 64, 32, 320).with_seeds(5),
        "desk": (grid("simplified", 128, 64, 300) + grid("full", 64, 64, 500)).with_seeds(8),
        "paper": (grid("simplified", 256, 256, 1000) + grid("full", 128, 256, 3000)).with_seeds(5),
    },
    measure=measure,
    rules=[
        Threshold(
            column="final",
            at_most=0.56,
            where={"model": "full", "layers": 1},
            says="copy accuracy, one layer",
            paper=Reported(value=0.55, where="figure 2"),
        ),
        Threshold(
            column="final",
            at_least=0.98,
            where={"model": "full", "layers": 2},
            says="copy accuracy, two layers",
            paper=Reported(value=0.99, where="figure 2"),
        ),
        Ordered(
            column="final",
            by="layers",
            order=(1, 2),
            least=0.4,
            where={"model": "simplified"},
            says="copy accuracy of two layers less that of one, attention only",
        ),
    ],
    sanity=[
        Ordered(column="best", by="layers", order=(1, 2), least=0.25),
        Threshold(column="best", at_most=0.65, where={"layers": 1}),
        Threshold(column="best", at_least=0.8, where={"layers": 2}),
    ],
    figures=[
        Curves(
            ys={"in-context accuracy": "accuracy", "best rule without looking back": "simple_rule"},
            x="step",
            where={"layers": layers, "model": "simplified"},
            log="",
            title=f"{layers} layer{'s' if layers > 1 else ''}, attention only",
            x_label="steps of SGD",
            y_label="accuracy on second and later occurrences of a trigger",
        )
        for layers in (1, 2)
    ],
    differs="d = 64, T = 64, two heads, batches of 32 and a rate of 5e-3 for 500 steps, in place of d = 128, T = "
    "256, four heads, 64 and 1e-2.",
)

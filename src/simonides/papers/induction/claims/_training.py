"""Training of the simplified two-layer transformer on the in-context bigram task, with its memories watched.

Bietti et al. (2023), section 4: one head a layer, merged key-query matrices, no norm; embeddings, W_OV of the
first layer and W_V of the second stay random, W_KQ of both layers, W_O of the second and W_F are trained, by SGD
with momentum 0.9 and weight decay 1e-4. Scales as in the authors' code: W_E and positions N(0, 1), W_U and all
other matrices of the variance of U(-1/sqrt d, 1/sqrt d); a rate of 0.2 belongs to these.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.data import shakespeare
from simonides.lab import Runs, Value
from simonides.lab.figures import Curves
from simonides.nn import Transformer, TransformerConfig
from simonides.probes import InContext, bigram_divergence, induction_recalls, masked_loss
from simonides.probes.in_context import in_context
from simonides.tasks import Sequences, TriggeredBigrams
from simonides.training import Checkpoint, History, Records, TrainingState, fit, moved

FROZEN = ("W_E", "W_U", "positions", "layers.0.attention.W_V", "layers.0.attention.W_O", "layers.1.attention.W_V")
BATCH, TESTED = 64, 256


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One training.

    Arguments:
        task: what is learned.
        d: width.
        steps: updates.
        every: steps between records.
        rate: of SGD.
        whole: whether the loss is on all tokens, or on those with c >= 2 alone.
        feed_forward: of the second layer, "none" or "linear".
        frozen: what is not trained.
        layers: one or two.
        accuracy_alone: whether to leave the recalls out, which one layer does not have.
        frozen_until: parameters that are not trained before some step.
    """

    task: TriggeredBigrams
    d: int = 128
    steps: int = 300
    every: int = 20
    rate: float = 0.2
    whole: bool = False
    feed_forward: str = "none"
    frozen: tuple[str, ...] = FROZEN
    layers: int = 2
    accuracy_alone: bool = False
    frozen_until: dict[str, int] = field(default_factory=dict)


def task(length: int, **settings: object) -> TriggeredBigrams:
    """The task on the characters of Shakespeare."""
    return TriggeredBigrams(bigrams=shakespeare(), length=length, **settings)  # type: ignore[arg-type]


def make(setting: Setting, generator: torch.Generator) -> Transformer:
    """The model at its start."""
    config = TransformerConfig(
        vocabulary=len(setting.task.bigrams),
        length=setting.task.length,
        d=setting.d,
        layers=setting.layers,
        feed_forward=("none",) * (setting.layers - 1) + (setting.feed_forward,),
        merged_queries=True,
        embedding_scale=setting.d**0.5,
        unembedding_scale=3**-0.5,
        weight_scale=3**-0.5,
        frozen=setting.frozen,
    )
    return Transformer(config, generator)


def train(setting: Setting, runs: Runs, run: int, keep: Path | None = None) -> tuple[Transformer, History]:
    """Train one of the runs, and record "accuracy" and "global_loss" on fresh sequences, and the recalls.

    The models of the recorded steps go to the folder `keep`, if there is one. A training that was killed goes on from
    its checkpoint in the runs' scratch.
    """
    generator = runs.generators[run]
    model = make(setting, generator).to(runs.device)
    fixed = setting.task.fixed_triggers
    tested = moved(setting.task.sample(TESTED, generator), runs.device)

    def seen(m: Transformer) -> dict[str, float]:
        scores = score(m, tested)
        row = {"accuracy": scores.accuracy, "global_loss": scores.global_loss}
        if not setting.accuracy_alone:
            recalls = induction_recalls(m, fixed)
            row |= {"output": recalls.output, "key_query": recalls.key_query, "previous": recalls.previous}
        if setting.feed_forward == "linear":
            row["divergence"] = bigram_divergence(m, setting.task.bigrams, fixed)
        return row

    def loss(m: Transformer, batch: Sequences) -> Float[Tensor, ""]:
        mask = torch.ones_like(batch.in_context) if setting.whole else batch.in_context
        return masked_loss(m, batch.inputs, batch.targets, mask)

    def hold(state: TrainingState) -> None:
        """Leave some parameters alone until their step."""
        for name, until in setting.frozen_until.items():
            if state.done < until:
                model.get_parameter(name).grad = None

    history = fit(
        model,
        loss,
        lambda g: setting.task.sample(BATCH, g),
        lambda parameters: torch.optim.SGD(parameters, setting.rate, momentum=0.9, weight_decay=1e-4),
        setting.steps,
        generator,
        records=Records(every=setting.every, probes={"seen": seen}, keep=keep),
        checkpoint=Checkpoint(path=runs.scratch_of(run) / "training.safetensors", every=5 * setting.every),
        before_update=[hold],
    )
    return model, history


def score(model: Transformer, sequences: Sequences) -> InContext:
    """Accuracy and losses on some sequences."""
    sequences = moved(sequences, model.W_E.device)
    return in_context(model, sequences.inputs, sequences.targets, sequences.occurrence)


def first_step(history: History, name: str, level: float) -> float:
    """The first recorded step at which a column has reached a level; NaN where it never does."""
    reached = (history.column(name) >= level).nonzero()
    return float(history.steps[int(reached[0])]) if len(reached) else math.nan


def stacked(histories: list[History], names: list[str]) -> dict[str, Tensor]:
    """Columns over steps of several runs, with "step"."""
    columns = {name: torch.stack([history.column(name).double() for history in histories]) for name in names}
    steps = histories[0].step_numbers().double().expand(len(histories), -1)
    return {"step": steps, **columns}


def alongside(values: dict[str, list[float]], rows: int) -> dict[str, Tensor]:
    """Numbers of whole runs, the same in every row."""
    return {name: torch.tensor(v, dtype=torch.float64)[:, None].expand(-1, rows) for name, v in values.items()}


def memory_curves(title: str, **where: Value) -> Curves:
    """The figure of a training: accuracy and the recalls of the three memories along the steps."""
    return Curves(
        ys={
            "in-context accuracy": "accuracy",
            "W_OV of layer 2": "output",
            "W_KQ of layer 2": "key_query",
            "W_KQ of layer 1": "previous",
        },
        x="step",
        where=where,
        log="",
        title=title,
        x_label="steps of SGD",
        y_label="recall, accuracy",
    )

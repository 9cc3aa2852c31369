"""Where the two layers look while an induction head is born, and that what is looked at is said.

Bietti et al. (2023), section 4 and figure 3: layer 1 comes to look at the token before, layer 2, at a trigger that
has come before, at the token after its earlier occurrence. The film shows the maps of one sequence.
"""

from functools import partial

import torch
from torch import Tensor

from simonides.data import shakespeare
from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves, Film
from simonides.nn import Trace, Transformer
from simonides.papers.induction.claims._training import TESTED, Setting, task, train
from simonides.probes import attention_targets
from simonides.tasks import Sequences
from simonides.training import moved, replay

# drawn once from the task: o is followed by k, e by g, a space by w, t by D
SHOWN = "nokeg wok wokitDustDYege"
MAPS = {"layer_1": 0, "layer_2": 1}
ENDS = {"at_first": 0, "at_last": -1}
NAMES = ("previous", "found", "copied")


def measure(runs: Runs, *, d: int, length: int, steps: int, panels: int) -> dict[str, Tensor]:
    """Shares of where attention looks, and both maps of one sequence, at so many moments of the training."""
    problem = task(length, triggers="frequent")
    setting = Setting(task=problem, d=d, steps=steps, every=steps // (panels - 1), accuracy_alone=True)
    letters = shakespeare().tokens
    film = torch.tensor([[letters.index(letter) for letter in SHOWN]], device=runs.device)
    rows: list[dict[str, Tensor]] = []
    for run, generator in enumerate(runs.generators):
        tested = moved(problem.sample(TESTED, generator), runs.device)
        folder = runs.scratch_of(run) / "steps"
        model, history = train(setting, runs, run, keep=folder)
        seen = replay(model, folder, {"shares": partial(shares, sequences=tested)})
        maps = replay(model, folder, {name: partial(layer_map, tokens=film, layer=n) for name, n in MAPS.items()})
        along = dict(zip(NAMES, seen.column("shares").unbind(1), strict=True))
        moments = {"step": history.step_numbers(), "accuracy": history.column("accuracy"), **along}
        size = len(SHOWN) ** 2
        places = torch.arange(size)
        row = {name: values.double().repeat_interleave(size) for name, values in moments.items()}
        row |= {
            f"{name}_{when}": row[name][at].expand(len(row[name])) for name in NAMES for when, at in ENDS.items()
        }
        row |= {"query": (places // len(SHOWN)).repeat(panels), "key": (places % len(SHOWN)).repeat(panels)}
        row |= {name: maps.column(name).flatten() for name in MAPS}
        rows.append(row)
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def shares(model: Transformer, sequences: Sequences) -> Tensor:
    """Of looking one back, of looking after the trigger, of saying what is looked at."""
    inputs = sequences.inputs
    trace = Trace("layers.*.attention.weights")
    with torch.no_grad():
        logits = model.run(inputs, trace=trace)
    targets = attention_targets(trace, inputs, sequences.occurrence, logits=logits)
    return torch.tensor([targets.previous, targets.induction, targets.copied])


def layer_map(model: Transformer, tokens: Tensor, layer: int) -> Tensor:
    """Attention of a layer on one sequence."""
    name = f"layers.{layer}.attention.weights"
    trace = Trace(name)
    with torch.no_grad():
        model.run(tokens, trace=trace)
    return trace[name][0, 0]


def grid(d: int, length: int, steps: int) -> Grid:
    """One training; seven moments of it are kept."""
    return product(d=[d], length=[length], steps=[steps], panels=[7]).with_seeds(5)


claim = Claim(
    question="Where does attention look while an induction head is born?",
    statement=r"\text{layer 1: } t \to t - 1, \qquad \text{layer 2: } t \to s + 1, \; z_s = z_t = q",
    source="Bietti et al. (2023), section 4",
    references=["bietti2023birth"],
    scales={"smoke": grid(64, 32, 300), "desk": grid(128, 64, 300), "paper": grid(256, 256, 900)},
    measure=measure,
    rules=[
        Threshold(column="found_at_last", at_least=0.8),
        Threshold(column="found_at_first", at_most=0.3),
        Threshold(column="previous_at_last", at_least=0.5),
        Threshold(column="copied_at_last", at_least=0.8),
    ],
    figures=[
        Film(
            zs={"layer 1": "layer_1", "layer 2": "layer_2"},
            time="step",
            down="query",
            across="key",
            labels=SHOWN,
            title="Attention along training, mean of five runs",
            x_label="map after steps of SGD; key",
            y_label="query",
            z_label="attention",
        ),
        Curves(
            ys={
                "in-context accuracy": "accuracy",
                "layer 1 looks one back": "previous",
                "layer 2 looks after the trigger": "found",
                "what is looked at is said": "copied",
            },
            x="step",
            log="",
            title="Where attention looks along training",
            x_label="steps of SGD",
            y_label="share",
        ),
    ],
    untested="that layer 1 looks at the token before at every place: only where a trigger stood is it asked to",
)

"""The training loop: any model, any loss, any optimiser; probes every few steps, exact resume, a live bar.

The state after s updates is a function of the model's start, the generator's state and s alone, so a run that was
broken off and goes on from its checkpoint ends with the same bits.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer

from simonides.base import SimonidesError, check_at_least
from simonides.training.checkpoint import State, load_snapshot, load_state, save_snapshot, save_state, snapshots

Record = dict[str, Tensor]
Seen = float | Tensor | Mapping[str, float | Tensor]


class DivergenceError(SimonidesError):
    """The loss of every run is no longer finite; `history` is what was seen until then."""

    def __init__(self, message: str, history: "History") -> None:
        super().__init__(message)
        self.history = history


@dataclass(kw_only=True)
class History:
    """What was seen along a training: a row for every recorded step.

    Arguments:
        steps: updates done before each row.
        rows: "loss" and the probes, each a number or one for each run.
        stopped: whether the run ended before its last step because `stop` said so.
    """

    steps: list[int] = field(default_factory=list)
    rows: list[Record] = field(default_factory=list)
    stopped: bool = False

    def step_numbers(self) -> Int[Tensor, " records"]:
        """The recorded steps."""
        return torch.tensor(self.steps)

    def column(self, name: str) -> Float[Tensor, " records *runs"]:
        """One of the columns, a row for every recorded step."""
        if not self.rows or name not in self.rows[0]:
            raise SimonidesError(f"no column {name!r} was recorded; there are {sorted(self.rows[0])}.")
        return torch.stack([row[name] for row in self.rows])

    def finite(self) -> Bool[Tensor, "*runs"]:
        """Which runs had a finite loss at every recorded step."""
        return torch.isfinite(self.column("loss")).all(0)


def fit(
    model: nn.Module,
    loss: Callable[[Any, Any], Float[Tensor, "*runs"]],
    batches: Callable[[torch.Generator], Any],
    optimiser: Callable[[list[nn.Parameter]], Optimizer],
    steps: int,
    generator: torch.Generator,
    probes: Mapping[str, Callable[[Any], Seen]] | None = None,
    every: int = 0,
    stop: Callable[[Record], bool] | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 0,
    kept: Path | Callable[[Any, int], None] | None = None,
    progress: bool = False,
) -> History:
    """Train a model in place.

    Arguments:
        model: a module, or a `StackedModel`.
        loss: `loss(model, batch)`, a number or one for each stacked run; runs do not see each other.
        batches: draws the next batch from the generator.
        optimiser: makes the optimiser of the parameters that are to be trained.
        steps: updates.
        generator: of all that is random in batches.
        probes: `probe(model)` by name, a number or one for each run, or several such by names of their own; called
            without gradients, in eval mode.
        every: record the loss (on the next batch) and the probes each so many steps, also before the first and
            after the last; 0 only then.
        stop: asked at every record after the first; the run ends where it says so.
        checkpoint: a file that holds all that is needed to go on; where it is there already, the run goes on from
            it, bit for bit as if it had never stopped.
        checkpoint_every: write it each so many steps; 0 only at the end.
        kept: a folder that takes the model of every recorded step, for `replay`; or `kept(model, step)`, which
            keeps it in a form of its own.
        progress: show a bar with the latest loss and probes.

    Raises:
        DivergenceError: when the loss of every run is no longer finite; the checkpoint, if any, is left as it was.
        SimonidesError: when no parameter is to be trained, or a checkpoint belongs to another model.
    """
    check_at_least("steps", steps, 1)
    check_at_least("every", every, 0)
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise SimonidesError("the model has no parameter to train: all have requires_grad=False.")
    method = optimiser(trained)
    state = State(model=model, optimiser=method, generator=generator, history=History(), done=0)
    if checkpoint is not None and checkpoint.exists():
        load_state(state, checkpoint)
    with _bar(progress, steps) as show:
        while not state.history.stopped:
            step, before = state.done, generator.get_state()
            value = loss(model, batches(generator))
            due = step in (0, steps) or (every and step % every == 0)
            if due and step not in state.history.steps[-1:]:
                if not torch.isfinite(value).any():
                    raise DivergenceError(
                        f"the loss is no longer finite after {step} steps; lower the learning rate.", state.history
                    )
                row = _record(model, value, probes or {})
                state.history.steps.append(step)
                state.history.rows.append(row)
                if isinstance(kept, Path):
                    save_snapshot(model, kept, step)
                elif kept is not None:
                    kept(model, step)
                show(step, row)
                state.history.stopped = bool(stop is not None and step > 0 and stop(row))
            if step >= steps or state.history.stopped:
                generator.set_state(before)  # a longer run would draw this batch for its next step
                break
            method.zero_grad(set_to_none=True)
            value.sum().backward()
            method.step()
            state.done += 1
            if checkpoint is not None and checkpoint_every and state.done % checkpoint_every == 0:
                save_state(state, checkpoint)
    if checkpoint is not None:
        save_state(state, checkpoint)
    return state.history


def replay(model: nn.Module, kept: Path, probes: Mapping[str, Callable[[Any], Seen]]) -> History:
    """Ask the models that `fit` kept: probes thought of after the training, a row for every step.

    Arguments:
        model: takes the weights of each step in turn, and ends with the last.
        kept: the folder.
        probes: `probe(model)` by name, a number each, or several by names of their own.

    Raises:
        SimonidesError: when the folder holds no snapshots, or those of another model.
    """
    history = History()
    for step, path in snapshots(kept).items():
        load_snapshot(model, path)
        history.steps.append(step)
        history.rows.append(_asked(model, probes))
    return history


def _record(model: nn.Module, loss: Tensor, probes: Mapping[str, Callable[[Any], Seen]]) -> Record:
    return {"loss": loss.detach().clone().cpu(), **_asked(model, probes)}


def _asked(model: nn.Module, probes: Mapping[str, Callable[[Any], Seen]]) -> Record:
    training = model.training
    model.eval()
    with torch.no_grad():
        found: dict[str, float | Tensor] = {}
        for name, probe in probes.items():
            value = probe(model)
            found.update(value if isinstance(value, Mapping) else {name: value})
    model.train(training)
    return {name: torch.as_tensor(value).detach().cpu() for name, value in found.items()}


@contextlib.contextmanager
def _bar(wanted: bool, steps: int) -> Iterator[Callable[[int, Record], None]]:
    if not wanted:
        yield lambda step, row: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=steps)

        def show(step: int, row: Record) -> None:
            text = "  ".join(f"{name} {value.float().mean():.3g}" for name, value in row.items())
            bar.update(task, completed=step, description=text)

        yield show

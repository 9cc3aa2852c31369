"""The training loop: any model, any loss, any optimiser; records every few steps, exact resume, a live bar.

The state after s updates is a function of the model's start, the generators' states and s alone, so a run that was
broken off and goes on from its checkpoint ends with the same bits on the same kind of processor. Runs stacked on a
first axis do not see each other; those that are finished leave the stack.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.optim import Optimizer

from simonides.base import DivergenceError, SimonidesError, check_at_least, progress
from simonides.training.checkpoint import load_state, save_snapshot, save_state
from simonides.training.distributed import is_distributed, is_first, share_of, sum_gradients
from simonides.training.evaluation import asked, in_eval_mode, moved
from simonides.training.line_search import LineSearch
from simonides.training.parts import ClipNorm, sum_by_run
from simonides.training.settings import Checkpoint, Records, Update
from simonides.training.stacking import Stack, keep_optimiser_runs
from simonides.training.state import History, Record, TrainingState

Loss = Callable[[Any, Any], Float[Tensor, "*runs"]]
Event = Callable[[TrainingState], None]
# updates between two looks at whether losses on another device are finite: each look waits for the device
_PATIENCE = 32
# optimisers of torch that do otherwise than a step from each run's own gradient
_UNSUPPORTED: dict[type[Optimizer], str] = {
    torch.optim.LBFGS: "it evaluates the loss by itself; give LineSearch",
    torch.optim.Adafactor: "its steps mix the runs of a stack",
}


class DivergedTraining(DivergenceError):  # noqa: N818 - its base says that it is an error
    """The loss of every run is no longer finite; `history` is what was seen until then."""

    def __init__(self, message: str, history: History) -> None:
        super().__init__(message)
        self.history = history


def fit(
    model: nn.Module,
    loss: Loss,
    batches: Callable[..., Any],
    optimiser: Callable[[list[nn.Parameter]], Optimizer],
    steps: int,
    generator: torch.Generator | Sequence[torch.Generator],
    update: Update | None = None,
    records: Records | None = None,
    checkpoint: Checkpoint | None = None,
    before_update: Iterable[Event] = (),
    after_update: Iterable[Event] = (),
) -> History:
    """Train a model in place.

    Arguments:
        model: a module, or a `Stack` of runs, such as `StackedModel`. It stays on its device; batches are moved there.
        loss: `loss(model, batch)`, a number, of a stack one for each run; runs do not see each other. What it draws
            from torch's global generator, as dropout in training mode does, a resume does not bring back.
        batches: `batches(generator)` draws the next batch; of a stack with a generator for each run,
            `batches(generators, runs)` draws that of the runs still in training, told by their numbers. Asked exactly
            `accumulate` times for each update, and once more where runs leave the stack. With one generator a batch
            is for all runs alike where runs may leave.
        optimiser: makes the optimiser of the parameters that are to be trained.
        steps: updates.
        generator: of all that is random in batches; one, or one for each run.
        update: accumulation, clipping, schedule, type.
        records: what is recorded, and where runs end.
        checkpoint: where the training goes on from, bit for bit as if it had never stopped.
        before_update: called when gradients are there, before they are used.
        after_update: called after each update.

    Returns:
        What was recorded. The loss of a record is that of the next batch before its update; after the last update it
        is that of the last batch once more.

    Raises:
        DivergedTraining: when the loss of every run is no longer finite; the checkpoint is left as it was.
        SimonidesError: when no parameter is to be trained, settings do not go together, or a checkpoint belongs to
            another model, optimiser or setting.
    """
    check_at_least("steps", steps, 1)
    update, records = update or Update(), records or Records()
    if is_distributed() and (records.stop is not None or records.retire is not None):
        raise SimonidesError(
            "stop and retire look at what one process sees, so several would part ways; train with one process, or "
            "leave them out."
        )
    generators = _generators(generator)
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise SimonidesError("the model has no parameter to train: all have requires_grad=False.")
    runs = list(range(model.runs)) if isinstance(model, Stack) else []
    if not isinstance(generator, torch.Generator) and len(generators) != max(len(runs), 1):
        raise SimonidesError(
            f"{len(generators)} generators for {max(len(runs), 1)} runs; give one for each, or one alone."
        )
    if records.retire is not None and not isinstance(model, Stack):
        raise SimonidesError(
            "retire takes runs out of a stack, and this model is none; give stop, or a StackedModel."
        )
    before_update, after_update = _events("before_update", before_update), _events("after_update", after_update)
    state = TrainingState(
        model=model, optimiser=_made(optimiser, trained), generators=generators, history=History(), runs=runs
    )
    if isinstance(state.optimiser, LineSearch) and update.accumulate > 1:
        raise SimonidesError(
            f"a line search with accumulate = {update.accumulate} would search along the gradient of several batches "
            "on the last alone; give accumulate=1, and larger batches."
        )
    if isinstance(model, Stack):
        for group in state.optimiser.param_groups:
            if "stacked" in group:  # an optimiser of ours that reduces over a run: over each of these runs
                group["stacked"] = True
    loop = _Loop(
        state=state,
        loss=loss,
        batches=batches,
        single=isinstance(generator, torch.Generator),
        update=update,
        records=records,
        steps=steps,
    )
    settings = {"update": update.told(), **(checkpoint.about if checkpoint else {})}
    if checkpoint is not None and Path(checkpoint.path).exists():
        load_state(state, Path(checkpoint.path), settings)
        if state.done > steps:
            raise SimonidesError(
                f"checkpoint {checkpoint.path} has done {state.done} steps already, {steps} are asked for; ask for "
                "more, or remove it."
            )
        if state.history.ended and not state.history.stopped and state.done < steps:
            state.history.drop_last()  # it was made of an old batch, for want of the next
            state.history.ended = False
    with progress(loop.records.progress and is_first()) as start:
        loop.advance = start("training", steps, state.done)
        while state.done < steps and not state.history.stopped:
            batch = loop.step(before_update)
            if state.history.stopped:  # by the record before this update, which was not made
                break
            for event in after_update:
                event(state)
            if state.done == steps:
                loop.last_record(batch)
            elif checkpoint is not None and checkpoint.every and state.done % checkpoint.every == 0:
                loop.save(checkpoint, settings)
    loop.look_back()
    if checkpoint is not None:
        loop.save(checkpoint, settings)
    if isinstance(model, Stack):
        model.put_back(state.runs, state.retired)
    return state.history


def _generators(given: torch.Generator | Sequence[torch.Generator]) -> tuple[torch.Generator, ...]:
    """The generators as they were given, one or several."""
    if isinstance(given, torch.Generator):
        return (given,)
    if not isinstance(given, Sequence) or not all(isinstance(one, torch.Generator) for one in given):
        raise SimonidesError(
            f"generator came as {type(given).__name__}; give torch.Generator().manual_seed(0), or a list of them, "
            "one a run."
        )
    return tuple(given)


def _events(name: str, events: Iterable[Event]) -> tuple[Event, ...]:
    """What is called at each step, as a list that can be gone through again and again."""
    if callable(events) or not isinstance(events, Iterable):
        raise SimonidesError(f"{name} came as {type(events).__name__}; give a list of functions of the state.")
    return tuple(events)


def _made(optimiser: Callable[[list[nn.Parameter]], Optimizer], trained: list[nn.Parameter]) -> Optimizer:
    """The optimiser of the parameters that are trained, and of no others."""
    made = optimiser(trained) if callable(optimiser) else optimiser
    if not callable(optimiser) or not isinstance(made, Optimizer):
        raise SimonidesError(
            f"optimiser came as {type(optimiser).__name__}, and makes {type(made).__name__}; give a function of the "
            "parameters, such as lambda parameters: torch.optim.Adam(parameters, 1e-3)."
        )
    for kind, why in _UNSUPPORTED.items():
        if isinstance(made, kind):
            raise SimonidesError(f"{kind.__name__} is not supported: {why}.")
    own = {id(parameter) for parameter in trained}
    if any(id(parameter) not in own for group in made.param_groups for parameter in group["params"]):
        raise SimonidesError(
            "the optimiser holds parameters that the model does not train; make it of those it is given."
        )
    return made


@dataclass(kw_only=True)
class _Loop:
    """One training under way."""

    state: TrainingState
    loss: Loss
    batches: Callable[..., Any]
    single: bool
    update: Update
    records: Records
    steps: int
    advance: Callable[..., None] = lambda *_: None
    unseen: list[Tensor] = field(default_factory=list)

    def step(self, before_update: Iterable[Event]) -> Any:
        """One update, with a record before it where one is due, which may end all; returns the last batch."""
        state, accumulate = self.state, self.update.accumulate
        device = next(state.model.parameters()).device
        state.optimiser.zero_grad(set_to_none=True)
        total: Tensor | None = None
        batch = None
        for number in range(accumulate):
            # every process draws all batches, so that all hold one state of the generators
            batch = moved(self._draw(), device)
            if not share_of(number):
                continue
            runs = len(state.runs)
            value = self._loss(batch)
            total = value.detach() if total is None else total + value.detach()
            if number == 0 and self._due():
                self._record(value.detach())
                if state.history.stopped:
                    return batch
                if len(state.runs) != runs:
                    # runs have left: what was computed with them is of no use any more
                    batch = batch if self.single else moved(self._again(), device)
                    value = self._loss(batch)
                    total = value.detach()
            (value.sum() / accumulate).backward()
        sum_gradients(state.model)
        self._look(total)
        for event in before_update:
            event(state)
        if self.update.clip is not None:
            self._clip(self.update.clip)
        self._schedule()
        if isinstance(state.optimiser, LineSearch):
            state.optimiser.step(lambda: self._loss(batch))
        else:
            state.optimiser.step()
        state.done += 1
        return batch

    def last_record(self, batch: Any) -> None:
        """The record after the last update."""
        with torch.no_grad():
            value = self._loss(batch)
        self._record(value)
        self.state.history.ended = True

    def _draw(self) -> Any:
        state = self.state
        if self.single:
            return self.batches(state.generators[0])
        runs = state.runs or [0]
        self._before = {run: state.generators[run].get_state() for run in runs}
        return self.batches([state.generators[run] for run in runs], runs)

    def _again(self) -> Any:
        """The batch of the runs that stay: theirs of before, drawn once more."""
        state = self.state
        for run in state.runs:
            state.generators[run].set_state(self._before[run])
        return self.batches([state.generators[run] for run in state.runs], state.runs)

    def _loss(self, batch: Any) -> Tensor:
        kind = self.update.autocast
        device = next(self.state.model.parameters()).device.type
        with nullcontext() if kind is None else torch.autocast(device, kind):
            value = self.loss(self.state.model, batch)
        self._check(value)
        return value

    def _check(self, value: Tensor) -> None:
        """Refuse a loss of which it cannot be told what its gradient is meant to be."""
        model = self.state.model
        if not isinstance(value, Tensor):
            raise SimonidesError(f"the loss is {type(value).__name__}; return a tensor that hangs on the model.")
        if tuple(value.shape) != ((model.runs,) if isinstance(model, Stack) else ()):
            wanted = (
                f"one for each of {model.runs} runs" if isinstance(model, Stack) else "a number, as .mean() gives"
            )
            raise SimonidesError(f"the loss has shape {list(value.shape)}; return {wanted}.")
        if torch.is_grad_enabled() and not value.requires_grad:
            raise SimonidesError(
                "the loss does not hang on the model's parameters (it has no gradient); compute it from the model's "
                "output, without detach() or no_grad()."
            )

    def _due(self) -> bool:
        done, every = self.state.done, self.records.every
        due = done == 0 or bool(every and done % every == 0)
        return due and done not in self.state.history.steps[-1:]

    def _look(self, value: Tensor | None) -> None:
        """Notice at once that losses are no longer finite; on another device every few steps, without waiting."""
        if value is None:
            return
        if value.device.type == "cpu":
            self._finite(value)
            return
        self.unseen.append(value)
        if len(self.unseen) >= _PATIENCE:
            self.look_back()

    def look_back(self) -> None:
        """Look at the losses that were not looked at yet."""
        for seen in self.unseen:
            self._finite(seen)
        self.unseen.clear()

    def save(self, checkpoint: Checkpoint, settings: Mapping[str, str]) -> None:
        """Write the checkpoint, unless the training has diverged."""
        self.look_back()
        stacked = isinstance(self.state.model, Stack)
        parameters = [p.detach() for p in self.state.model.parameters() if p.requires_grad]
        self._finite(sum_by_run([torch.where(p.isfinite(), 0.0, torch.inf) for p in parameters], stacked))
        save_state(self.state, Path(checkpoint.path), settings)

    def _finite(self, value: Tensor) -> None:
        if not bool(torch.isfinite(value).any()):
            why = "lower the learning rate" if self.state.done else "look at the first batch and the weights"
            raise DivergedTraining(
                f"the loss is no longer finite after {self.state.done} steps; {why}.", self.state.history
            )

    def _record(self, value: Tensor) -> None:
        state, records = self.state, self.records
        self._finite(value)
        seen = {"loss": value.detach().clone().cpu(), **asked(state.model, records.probes)}
        if records.validation:
            with in_eval_mode(state.model), torch.no_grad():
                losses = [self._loss(moved(batch, value.device)) for batch in records.validation]
            seen["validation_loss"] = torch.stack(losses).mean(0).cpu()
        record = self._of_all_runs(seen)
        state.history.append(state.done, record)
        if is_first():
            if isinstance(records.keep, (str, Path)):
                save_snapshot(state.model, Path(records.keep), state.done)
            elif records.keep is not None:
                records.keep(state.model, state.done)
        text = "  ".join(f"{name} {float(column.float().nanmean()):.3g}" for name, column in record.items())
        self.advance(text, state.done - (state.history.steps[-2] if len(state.history.steps) > 1 else 0))
        if state.done == 0:
            return
        state.history.stopped = bool(records.stop is not None and records.stop(record))
        if records.retire is not None and isinstance(state.model, Stack):
            self._retire(records.retire(seen, state.done))

    def _of_all_runs(self, seen: Record) -> Record:
        """A record with an entry for every run: those that have left keep their last."""
        state = self.state
        if not state.retired:
            return seen
        record = {name: values.clone() for name, values in state.history.last.items()}
        count = len(state.runs) + len(state.retired)
        for name, values in seen.items():
            if record[name].shape[-1:] == (count,):
                record[name][..., state.runs] = values.to(record[name])
            else:  # of the stack as a whole
                record[name] = values
        return record

    def _retire(self, finished: Bool[Tensor, " runs"]) -> None:
        state = self.state
        model = state.model
        assert isinstance(model, Stack)
        if not bool(finished.any()):
            return
        for place in finished.nonzero()[:, 0].tolist():
            state.retired[state.runs[place]] = model.state_of(place)
        stay = (~finished).nonzero()[:, 0]
        state.runs = [state.runs[place] for place in stay.tolist()]
        if not state.runs:
            state.history.stopped = True
        else:
            before = [p for p in model.parameters() if p.requires_grad]
            model.keep(stay)
            after = [p for p in model.parameters() if p.requires_grad]
            state.optimiser = keep_optimiser_runs(state.optimiser, before, after, stay)

    def _clip(self, most: float) -> None:
        stacked = isinstance(self.state.model, Stack)
        gradients = [p.grad for p in self.state.model.parameters() if p.grad is not None]
        for gradient, clipped in zip(gradients, ClipNorm(most)(gradients, [], [], stacked), strict=True):
            gradient.copy_(clipped)

    def _schedule(self) -> None:
        if self.update.schedule is None:
            return
        factor = self.update.schedule(self.state.done)
        for group in self.state.optimiser.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * factor

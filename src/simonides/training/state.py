"""What a training is at one moment: the model, its optimiser, its generators, and what was seen until then."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer

from simonides.base import SimonidesError, suggest

Record = dict[str, Tensor]


@dataclass(kw_only=True)
class History:
    """What was seen along a training: for every recorded step an entry in each column.

    Arguments:
        steps: updates done before each record.
        stopped: whether the run ended before its last step because it was asked to.
        ended: whether the last record was made after the last update, so that its loss is that of the last batch
            once more.
    """

    steps: list[int] = field(default_factory=list)
    stopped: bool = False
    ended: bool = False
    _columns: dict[str, list[Tensor]] = field(default_factory=dict)

    def append(self, step: int, record: Mapping[str, Tensor]) -> None:
        """Add a record.

        Raises:
            SimonidesError: when its columns are others than before.
        """
        if self.steps and record.keys() != self._columns.keys():
            raise SimonidesError(
                f"step {step} has the columns {sorted(record)}, the records before it {sorted(self._columns)}; a "
                "probe must give the same names each time."
            )
        self.steps.append(step)
        for name, value in record.items():
            self._columns.setdefault(name, []).append(value)

    def drop_last(self) -> None:
        """Take the last record away."""
        self.steps.pop()
        for values in self._columns.values():
            values.pop()

    def restore(self, steps: list[int], columns: Mapping[str, Tensor]) -> None:
        """Take up the records of an earlier run."""
        self.steps = steps
        self._columns = {name: list(values.unbind(0)) for name, values in columns.items()}

    @property
    def columns(self) -> dict[str, Float[Tensor, " records *runs"]]:
        """All columns by name."""
        return {name: torch.stack(values) for name, values in self._columns.items()}

    @property
    def last(self) -> Record:
        """The last record."""
        return {name: values[-1] for name, values in self._columns.items()}

    def step_numbers(self) -> Int[Tensor, " records"]:
        """The recorded steps."""
        return torch.tensor(self.steps)

    def column(self, name: str) -> Float[Tensor, " records *runs"]:
        """One of the columns: an entry, or one for each run, for every recorded step.

        Raises:
            SimonidesError: when there is none of this name.
        """
        if name not in self._columns:
            raise SimonidesError(f"no column {name!r} was recorded; {suggest(name, self._columns)}")
        return torch.stack(self._columns[name])

    def finite(self) -> Bool[Tensor, "*runs"]:
        """Which runs had a finite loss at every recorded step."""
        return torch.isfinite(self.column("loss")).all(0)


@dataclass(kw_only=True)
class TrainingState:
    """All that decides how a training goes on.

    Arguments:
        model: the model, or the stack of runs that are still in training.
        optimiser: its optimiser.
        generators: of all that is random in batches; one, or one for each run.
        history: what was seen.
        done: updates done.
        runs: numbers of the runs still in training; empty where they are not stacked.
        retired: parameters of the runs that have left the stack, by run and name.
    """

    model: nn.Module
    optimiser: Optimizer
    generators: tuple[torch.Generator, ...]
    history: History
    done: int = 0
    runs: list[int] = field(default_factory=list)
    retired: dict[int, dict[str, Tensor]] = field(default_factory=dict)

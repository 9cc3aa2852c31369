"""How updates are made, what is recorded, and where a training can go on from."""

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.training.schedules import Schedule
from simonides.training.state import Record

Seen = float | Tensor | Mapping[str, float | Tensor]


Probe = Callable[[Any], Seen]


@dataclass(frozen=True, kw_only=True)
class Update:
    """How an update is made.

    Arguments:
        accumulate: batches whose mean gradient makes an update; processes of a group share them.
        clip: the largest norm of a gradient over all parameters, run by run; None leaves it as it is.
        schedule: by what the learning rate is multiplied, given the updates done.
        autocast: the type in which the forward pass computes, such as torch.bfloat16; None leaves it.
    """

    accumulate: int = 1
    clip: float | None = None
    schedule: Schedule | None = None
    autocast: torch.dtype | None = None

    def __post_init__(self) -> None:
        check_at_least("accumulate", self.accumulate, 1)
        if self.clip is not None and not self.clip > 0:
            raise SimonidesError(f"clip = {self.clip} makes no sense; give a norm above zero, or None.")
        if self.autocast not in (None, torch.bfloat16, torch.float16):
            raise SimonidesError(f"autocast = {self.autocast} is not supported; give torch.bfloat16 or None.")
        if self.autocast == torch.float16:
            raise SimonidesError(
                "autocast = float16 would lose small gradients, for want of a scaled loss; give torch.bfloat16."
            )

    def told(self) -> str:
        """These settings in words that are the same in every process; a resume must share them."""
        schedule = "None" if self.schedule is None else _told(self.schedule)
        return f"accumulate={self.accumulate}, clip={self.clip}, schedule={schedule}, autocast={self.autocast}"


def _told(function: Any) -> str:
    """A function in words that are the same in every process, and other for another function; no address."""
    if isinstance(function, functools.partial):
        given = [*map(repr, function.args), *(f"{name}={value!r}" for name, value in function.keywords.items())]
        return f"partial({', '.join([_told(function.func), *given])})"
    code = getattr(function, "__code__", None)
    if code is not None:
        constants = [value for value in code.co_consts if not hasattr(value, "co_code")]
        inside = [cell.cell_contents for cell in function.__closure__ or ()]
        text = repr((code.co_code.hex(), constants, code.co_names, inside))
        return f"{function.__qualname__} ({hashlib.sha256(text.encode()).hexdigest()[:8]})"
    if repr(function).startswith("<"):  # Python's own, with an address
        return f"{type(function).__qualname__}({vars(function)!r})"
    return repr(function)


@dataclass(frozen=True, kw_only=True)
class Records:
    """What is recorded along a training, and where it may end.

    Arguments:
        every: steps between records, which are also made before the first update and after the last; 0 makes these
            two alone.
        probes: `probe(model)` by name, a number or one for each run, or several such by names of their own; called
            without gradients, in eval mode.
        validation: batches whose mean loss is recorded as "validation_loss".
        stop: asked at every record after the first; the training ends where it says so.
        retire: asked at every record after the first, of stacked runs: true for each run that is finished, which
            leaves the stack as it is then.
        keep: a folder that takes the model of every recorded step, for `replay`; or `keep(model, step)`, which keeps
            it in a form of its own.
        progress: whether a bar shows the latest record.
    """

    every: int = 0
    probes: Mapping[str, Probe] = field(default_factory=dict)
    validation: Sequence[Any] = ()
    stop: Callable[[Record], bool] | None = None
    retire: Callable[[Record, int], Bool[Tensor, " runs"]] | None = None
    keep: Path | str | Callable[[Any, int], None] | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        check_at_least("every", self.every, 0)
        if taken := sorted({"loss", "validation_loss"} & self.probes.keys()):
            raise SimonidesError(
                f"a probe is called {taken[0]!r}, as what is recorded anyway; give it another name."
            )


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a training can go on from.

    Arguments:
        path: a file; where it is there already, the training goes on from it.
        every: updates between two writings; 0 writes it only at the end.
        about: by name what else makes the training what it is, such as the loss and the data; a resume under others is
            refused.
    """

    path: Path | str
    every: int = 0
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_at_least("every", self.every, 0)
        if Path(self.path).is_dir():
            raise SimonidesError(f"checkpoint {self.path} is a folder; give the path of a file.")

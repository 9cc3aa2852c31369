"""Measuring one stack of points, on whatever machine, and keeping what came of it.

`measure` touches no file, so its result may travel to where the store is; `keep` writes it there.
"""

import contextlib
import hashlib
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch

from simonides.base import DivergenceError, SimonidesError, chosen_device
from simonides.lab.claim import Claim, Runs
from simonides.lab.environment import described_device, environment
from simonides.lab.loading import ClaimFile, line_in, package_fingerprint
from simonides.lab.memory import within_memory
from simonides.lab.plan import Plan
from simonides.lab.point import Point
from simonides.lab.store import Damage, Store, Stored


@dataclass(frozen=True, kw_only=True)
class Task:
    """One stack of a plan, with what a worker needs to measure it.

    Arguments:
        file: the claim's file.
        points: the whole stack: it is measured whole, so that its numbers do not depend on what is missing.
        missing: keys of those to be kept.
        rule: hash of the rule they are measured under.
        package: fingerprint of the package that planned it; a worker with another one refuses.
        device: "auto", or as torch names devices.
    """

    file: ClaimFile
    points: tuple[Point, ...]
    missing: frozenset[str]
    rule: str
    package: str
    device: str = "auto"

    @property
    def scratch(self) -> str:
        """The name of the folder for checkpoints: of these points as this version measures them there."""
        keys = "".join(point.key for point in self.points) + self.package + self.device
        return hashlib.sha256(keys.encode()).hexdigest()[:24]

    @property
    def wanted(self) -> list[Point]:
        """The points to be kept."""
        return [point for point in self.points if point.key in self.missing]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A point that could not be measured: why, in a line, and the record that is kept of it.

    It was `refused` where its parameters are to blame and not what came of them.
    """

    point: Point
    message: str
    record: str
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came of a stack: tables with what is known of them, and failures."""

    claim: str
    finished: tuple[tuple[Point, pl.DataFrame, dict[str, Any]], ...] = ()
    failed: tuple[Failure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a stack: points stored, points failed with the reason, columns, and a word on the numbers."""

    claim: str
    computed: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    refused: int = 0
    columns: tuple[str, ...] = ()
    glimpse: str = ""


@dataclass(frozen=True, kw_only=True)
class Pending:
    """What a store lacks of a plan.

    Arguments:
        tasks: the stacks with missing points.
        known: the points that are there, read and checked, by key.
        damaged: what was found damaged and set aside; it counts as missing.
    """

    tasks: tuple[Task, ...]
    known: dict[str, Stored]
    damaged: tuple[Damage, ...]


def pending(plan: Plan, store: Store, device: str = "auto") -> Pending:
    """The stacks of a plan with points that the store lacks; what is damaged is set aside."""
    tasks, known, damaged = [], {}, []
    for stack in plan.stacks:
        missing = set()
        for point in stack:
            stored = store.read(point)
            if isinstance(stored, Stored):
                known[point.key] = stored
                continue
            missing.add(point.key)
            if isinstance(stored, Damage):
                store.set_aside(stored)
                damaged.append(stored)
        if missing:
            tasks.append(
                Task(
                    file=plan.file,
                    points=tuple(stack),
                    missing=frozenset(missing),
                    rule=plan.rule,
                    package=package_fingerprint(),
                    device=device,
                )
            )
    return Pending(tasks=tuple(tasks), known=known, damaged=tuple(damaged))


def measure(task: Task, root: Path | None = None) -> Measured:
    """Measure one stack on one thread; whatever the claim's `measure` raises becomes a failure.

    Arguments:
        task: the stack.
        root: of the store, where this machine sees it: checkpoints of long runs are kept in it. Elsewhere a kill
            loses them.
    """
    with contextlib.ExitStack() as stack:
        if root is None:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simonides-")))
        else:
            scratch = scratch_folder(root, task)
        return _measure(task, scratch)


def scratch_folder(root: Path, task: Task) -> Path:
    """Where a stack keeps its checkpoints in a store."""
    return root / ".scratch" / task.scratch


def _measure(task: Task, scratch: Path) -> Measured:
    try:
        if task.package != package_fingerprint():
            raise SimonidesError(
                "this worker has another version of simonides than the plan, or its source was changed meanwhile; "
                "install the same version everywhere and run again."
            )
        claim: Claim = task.file.module.claim
        runs = Runs(
            seeds=tuple(point.seed for point in task.points),
            generators=tuple(point.generator() for point in task.points),
            device=chosen_device(task.device),
            scratch=scratch,
        )
        start = time.perf_counter()
        with _one_thread(), within_memory():
            columns = claim.measure(runs, **dict(task.points[0].parameters))
        seconds = time.perf_counter() - start
        tables = _tables(columns, task.points)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's measure may raise anything
        place = f" ({task.file.path.name}{line})" if (line := line_in(task.file.path, error)) else ""
        refused = isinstance(error, SimonidesError) and not isinstance(error, DivergenceError)
        message = str(error) if isinstance(error, SimonidesError) else f"{type(error).__name__}: {error}"
        # torch adds the frames of its own code
        message = " ".join(message.partition("Exception raised from")[0].split())
        return failure(task, f"{message}{place}", traceback.format_exc(), refused)
    about = {
        "rule": task.rule,
        "environment": {**environment(), **described_device(runs.computed_on)},
        "seconds": round(seconds / len(task.points), 6),
        "measured with": len(task.points),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    return Measured(
        claim=task.file.id,
        finished=tuple(
            (point, table, {**about, **_divergence(table)})
            for point, table in zip(task.points, tables, strict=True)
            if point.key in task.missing
        ),
    )


def failure(task: Task, message: str, record: str = "", refused: bool = False) -> Measured:
    """All missing points of a stack failed for one reason."""
    return Measured(
        claim=task.file.id,
        failed=tuple(
            Failure(point=point, message=message, record=record or message, refused=refused)
            for point in task.wanted
        ),
    )


def measure_into(root: Path, task: Task) -> Outcome:
    """Measure a stack on a machine that sees the store, put it there, and remove its checkpoints.

    Raises:
        StoreError: when the store cannot be written.
    """
    outcome = keep(measure(task, root), Store(root))
    shutil.rmtree(scratch_folder(root, task), ignore_errors=True)
    return outcome


def keep(measured: Measured, store: Store) -> Outcome:
    """Put what was measured into the store.

    Raises:
        StoreError: when the store cannot be written.
    """
    glimpse, columns = "", tuple[str, ...]()
    for point, table, about in measured.finished:
        columns = tuple(table.columns)
        store.write(point, table, about)
        glimpse = f"{point}: " + glimpse_of(table)
    for failed in measured.failed:
        store.write_failure(failed.point, failed.record, failed.message)
    return Outcome(
        claim=measured.claim,
        computed=len(measured.finished),
        failed=tuple((str(failed.point), failed.message) for failed in measured.failed),
        refused=sum(failed.refused for failed in measured.failed),
        columns=columns,
        glimpse=glimpse,
    )


def glimpse_of(table: pl.DataFrame) -> str:
    """The last row of a point's table, for the progress bar."""
    return ", ".join(f"{name} {value:.4g}" for name, value in table.row(-1, named=True).items())


def _divergence(table: pl.DataFrame) -> dict[str, Any]:
    """For a table that is not finite throughout: since which row, in which columns, and the last row before."""
    finite = table.select(pl.all().is_finite())
    whole = finite.select(pl.all_horizontal(pl.all())).to_series()
    if whole.all():
        return {}
    row = whole.arg_min()
    names = [name for name, good in finite.row(row, named=True).items() if not good]
    message = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} NaN or infinite"
    if table.height > 1:
        message += f" from row {row} of {table.height} on"
    last = table.row(row - 1, named=True) if row else None
    if last is not None:
        message += f"; the last finite row: {glimpse_of(table[:row])}"
    return {"diverged": {"message": message, "row": row, "last finite": last}}


def _tables(columns: object, points: tuple[Point, ...]) -> list[pl.DataFrame]:
    """One table of rows a point, from columns of shape (runs,) or (runs, rows)."""
    if not isinstance(columns, dict) or not columns:
        raise SimonidesError(
            f"measure returned {type(columns).__name__}; it must return a dictionary of columns, not empty."
        )
    rows = 1
    reserved = {"row", "seed", *(name for name, _ in points[0].parameters)}
    for name, column in columns.items():
        if name in reserved or not isinstance(name, str) or name.startswith(("cell ", "predicted ")):
            raise SimonidesError(f"column {name!r} has the name of a parameter or a reserved one; choose another.")
        if not isinstance(column, torch.Tensor) or column.dim() not in (1, 2) or len(column) != len(points):
            given = list(column.shape) if isinstance(column, torch.Tensor) else type(column).__name__
            raise SimonidesError(
                f"column {name!r} is {given}; it must be a tensor of shape [{len(points)}], one number a run, "
                f"or [{len(points)}, rows]."
            )
        if not column.numel():
            raise SimonidesError(f"column {name!r} has no rows ({list(column.shape)}); return at least one a run.")
        if column.is_complex():
            raise SimonidesError(f"column {name!r} is complex; return its real and imaginary parts, or its size.")
        rows = max(rows, column.shape[1] if column.dim() == 2 else 1)
    arrays = {}
    for name, column in columns.items():
        wide = column.detach().cpu().double()
        wide = wide[:, None].expand(-1, rows) if wide.dim() == 1 else wide
        if wide.shape[1] != rows:
            raise SimonidesError(f"column {name!r} has {wide.shape[1]} rows a run where another has {rows}.")
        arrays[name] = wide.numpy()
    return [pl.DataFrame({name: array[run] for name, array in arrays.items()}) for run in range(len(points))]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    # the order of a sum, and with it the last bits, depends on the number of threads
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

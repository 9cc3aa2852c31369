"""The local engine: measures the stacks of a plan in worker processes, one thread each.

Workers write finished points to the store by themselves; the driver only learns what became of them. So a
kill loses the stacks in flight and nothing else.
"""

import contextlib
import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch

from simonides.errors import SimonidesError
from simonides.lab.claim import Claim, Runs
from simonides.lab.environment import environment
from simonides.lab.loading import ClaimFile, line_in
from simonides.lab.plan import Plan
from simonides.lab.point import Point
from simonides.lab.store import Damage, Store

# a stack whose worker died this often is given up
_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Task:
    """One stack of a plan, with what a worker needs to measure and store it."""

    file: ClaimFile
    points: tuple[Point, ...]
    missing: frozenset[str]
    store: Path
    rule: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a stack: points computed, points failed with the reason, and a word on the numbers."""

    claim: str
    computed: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    glimpse: str = ""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What became of a plan's points."""

    reused: int
    computed: int
    failed: tuple[tuple[str, str], ...]
    damaged: tuple[Damage, ...]


def pending(plan: Plan, store: Store) -> tuple[list[Task], int, list[Damage]]:
    """The stacks with missing points, how many points are there already, and the damage found and set aside."""
    tasks, reused, damaged = [], 0, []
    for stack in plan.stacks:
        missing = set()
        for point in stack:
            found = store.read(point)
            if isinstance(found, Damage):
                store.set_aside(found)
                damaged.append(found)
            if found is None or isinstance(found, Damage):
                missing.add(point.key)
            else:
                reused += 1
        if missing:
            tasks.append(
                Task(
                    file=plan.file,
                    points=tuple(stack),
                    missing=frozenset(missing),
                    store=store.root,
                    rule=plan.rule,
                )
            )
    return tasks, reused, damaged


def run(tasks: list[Task], workers: int, on_outcome: Callable[[Outcome], None]) -> None:
    """Measure all tasks; `on_outcome` is called in this process as each ends.

    With one worker everything happens in this process. The largest stacks, which grids list last, go first.
    """
    if workers == 1:
        with _one_thread():
            for task in tasks[::-1]:
                on_outcome(measure_task(task))
        return
    waiting = list(tasks)
    while waiting:
        # which of the stacks in flight a worker died of is told by giving each a worker of its own
        suspects = _run_in_pool(waiting, workers, on_outcome)
        for task in suspects:
            tries = 0
            while tries < _TRIES and _run_in_pool([task], 1, on_outcome):
                tries += 1
            if tries == _TRIES:
                message = f"its worker died {tries} times (killed, or out of memory)"
                on_outcome(_failure(task, message, message))


def measure_task(task: Task) -> Outcome:
    """Measure one stack and store its missing points; whatever `measure` raises is recorded as a failure."""
    store = Store(task.store)
    wanted = [point for point in task.points if point.key in task.missing]
    try:
        claim: Claim = task.file.module.claim
        runs = Runs(
            seeds=tuple(point.seed for point in task.points),
            generators=tuple(point.generator() for point in task.points),
            device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        )
        start = time.perf_counter()
        columns = claim.measure(runs, **dict(task.points[0].parameters))
        seconds = time.perf_counter() - start
        tables = _tables(columns, task.points)
    except (Exception, SystemExit) as error:  # a stranger's measure may raise anything
        place = f" ({task.file.path.name}{line})" if (line := line_in(task.file.path, error)) else ""
        return _failure(task, f"{type(error).__name__}: {error}{place}", traceback.format_exc())
    failed, glimpse = [], ""
    about = {
        "rule": task.rule,
        "environment": environment(),
        "seconds": round(seconds / len(task.points), 6),
        "measured with": len(task.points),
    }
    for point, table in zip(task.points, tables, strict=True):
        if point.key not in task.missing:
            continue
        if broken := [name for name in table.columns if not table[name].is_finite().all()]:
            message = f"measure returned NaN or infinity in {', '.join(broken)}"
            store.write_failure(point, message)
            failed.append((str(point), message))
            continue
        store.write(point, table, {**about, "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
        last = table.row(-1, named=True)
        glimpse = f"{point}: " + ", ".join(f"{name} {value:.4g}" for name, value in last.items())
    return Outcome(claim=task.file.id, computed=len(wanted) - len(failed), failed=tuple(failed), glimpse=glimpse)


def _failure(task: Task, message: str, record: str) -> Outcome:
    """All missing points of a stack failed, with `record` kept in the store."""
    store = Store(task.store)
    wanted = [point for point in task.points if point.key in task.missing]
    for point in wanted:
        store.write_failure(point, record)
    return Outcome(claim=task.file.id, failed=tuple((str(point), message) for point in wanted))


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
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _run_in_pool(waiting: list[Task], workers: int, on_outcome: Callable[[Outcome], None]) -> list[Task]:
    """Run tasks off the end of `waiting` until none is left, or until a worker dies; returns those in flight then.

    Only as many are handed out as there are workers, so that a death concerns few.
    """
    executor = ProcessPoolExecutor(
        min(workers, len(waiting)), multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    running: dict[Future[Outcome], Task] = {}

    def collect(done: Iterable[Future[Outcome]]) -> None:
        for future in list(done):
            if future.exception() is None:
                del running[future]
                on_outcome(future.result())

    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running[executor.submit(measure_task, waiting[-1])] = waiting[-1]
                waiting.pop()
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            collect(done)
            for future in done & running.keys():
                future.result()  # raises what ended it
    except BrokenProcessPool:
        wait(running)
        collect(running)
        return list(running.values())
    except BaseException:
        for process in (executor._processes or {}).values():
            process.kill()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    return []


def _start_worker() -> None:
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

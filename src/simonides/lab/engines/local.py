"""The local engine: measures stacks in worker processes of this machine, one thread each.

Workers write finished points to the store by themselves; the driver only learns what became of them. So a
kill loses the stacks in flight and nothing else.
"""

import multiprocessing
import os
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from simonides.base import check_at_least
from simonides.lab.engines import OnOutcome
from simonides.lab.forking import context
from simonides.lab.measuring import Outcome, Task, failure, keep, measure_into
from simonides.lab.store import Store

# a stack whose worker died this often is given up
_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Local:
    """Processes of this machine.

    Arguments:
        workers: how many; 0 takes one a core, 1 measures in this process.
    """

    workers: int = 0

    def __post_init__(self) -> None:
        check_at_least("--workers", self.workers, 0)

    def check(self) -> None:
        """This machine is always there."""

    def run(self, tasks: Sequence[Task], root: Path, on_outcome: OnOutcome) -> None:
        """Measure all tasks. The largest stacks, which grids list last, go first."""
        workers = self.workers or _cores()
        if workers == 1:
            for task in tasks[::-1]:
                on_outcome(measure_into(root, task))
            return
        waiting = list(tasks)
        while waiting:
            # which of the stacks in flight a worker died of is told by giving each a worker of its own
            suspects = _run_in_pool(waiting, root, workers, on_outcome)
            for task in suspects:
                tries = 0
                while tries < _TRIES and _run_in_pool([task], root, 1, on_outcome):
                    tries += 1
                if tries == _TRIES:
                    why = f"its worker died {tries} times (killed, or out of memory)"
                    on_outcome(keep(failure(task, why), Store(root)))


def _run_in_pool(waiting: list[Task], root: Path, workers: int, on_outcome: OnOutcome) -> list[Task]:
    """Run tasks off the end of `waiting` until none is left, or until a worker dies; returns those in flight then.

    Only as many are handed out as there are workers, so that a death concerns few.
    """
    executor = ProcessPoolExecutor(min(workers, len(waiting)), context(), initializer=_start_worker)
    running: dict[Future[Outcome], Task] = {}

    def collect(done: Iterable[Future[Outcome]]) -> None:
        for future in list(done):
            if future.exception() is None:
                del running[future]
                on_outcome(future.result())

    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running[executor.submit(measure_into, root, waiting[-1])] = waiting[-1]
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
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Interleaved timing: on a busy machine only ratios within one run mean something."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class HotPath:
    """What is done most, and the least it could cost: a row of the table of results.

    Arguments:
        name: what is done.
        floor: what it cannot do without.
        seconds: measured.
        least: seconds of the floor alone, in the same rounds.
    """

    name: str
    floor: str
    seconds: float
    least: float

    @property
    def row(self) -> str:
        """A row of a Markdown table."""
        spent, least = (_time(value) for value in (self.seconds, self.least))
        return f"| {self.name} | {self.floor} | {least} | {spent} | {self.seconds / self.least:.2f} |"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.2f} ms"


def interleaved(candidates: dict[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Median seconds of each candidate, all of them called once a round, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, call in candidates.items():
            start = time.perf_counter()
            call()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def apart(measure: Callable[[], Result]) -> Result:
    """What `measure` returns in a process of its own, whose peak memory owes nothing to what ran before."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure)

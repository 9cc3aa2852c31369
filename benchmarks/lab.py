"""What the lab costs: 10,000 points that measure nothing, one process; and what a second worker brings."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from simonides.lab import Plan, Store, gather, judge, keep_plan, local, pending
from simonides.lab.engines.local import Local

CLAIM = '''"""Nothing, many times."""
import time
import torch
from simonides.lab import Claim
from simonides.lab import product
from simonides.lab import Threshold

def measure(runs, *, n):
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        pass
    return {"value": torch.stack([torch.rand((), generator=g) for g in runs.generators])}

grid = product(n=list(range(CELLS))).with_seeds(8)
claim = Claim(question="?", source="-", scales={"smoke": grid, "desk": grid, "paper": grid}, measure=measure,
              rules=[Threshold(column="value", at_most=2.0)], stack=STACK)
'''


def lines() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _a_point(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from _two_workers(Path(folder))


def _claim(folder: Path, cells: int, seconds: float, stack: int) -> Path:
    path = folder / "nothing.py"
    text = CLAIM.replace("SECONDS", str(seconds)).replace("CELLS", str(cells)).replace("STACK", str(stack))
    path.write_text(text)
    return path


def _a_point(folder: Path) -> Iterator[str]:
    path = _claim(folder, cells=1250, seconds=0, stack=8)
    rounds: dict[str, list[float]] = {}
    for attempt in range(3):
        plan, store = Plan(local(path), "desk"), Store(folder / str(attempt))
        store.open_for_writing()
        times = [time.perf_counter()]
        keep_plan(plan, store)
        found = pending(plan, store)
        times.append(time.perf_counter())
        Local(workers=1).run(found.tasks, store.root, lambda outcome: None)
        times.append(time.perf_counter())
        gathered = gather(plan, store)
        judge(plan, gathered)
        times.append(time.perf_counter())
        names = ("plan", "measure and store", "read and judge")
        for name, start, end in zip(names, times, times[1:], strict=False):
            rounds.setdefault(name, []).append(end - start)
    points = len(plan.points)
    yield f"{points} points that measure nothing, stacks of 8, one process, median of {len(rounds['plan'])} rounds"
    total = 0.0
    for name, seconds in rounds.items():
        total += statistics.median(seconds)
        yield f"{name}: {1000 * statistics.median(seconds) / points:.2f} ms a point"
    yield f"together: {1000 * total / points:.2f} ms a point (wanted: under 2)"
    command = [sys.executable, "-m", "simonides", "status", str(path), "--store", str(store.root)]
    seconds = [_seconds(command) for _ in range(5)]
    yield f"the command status: {statistics.median(seconds):.2f} s (wanted: under 1)"
    yield f"most entries of one folder: {max(len(list(f.iterdir())) for f in store.root.rglob('*') if f.is_dir())}"


def _two_workers(folder: Path) -> Iterator[str]:
    path = _claim(folder, cells=50, seconds=0.4, stack=2)
    spent: dict[int, list[float]] = {1: [], 2: []}
    for attempt in range(2):
        for workers in (1, 2):
            store = folder / f"{attempt}-{workers}"
            command = [sys.executable, "-m", "simonides", "run", str(path), "--store", str(store), "--json"]
            spent[workers].append(_seconds([*command, "--workers", str(workers)]))
            assert json.loads((store / "simonides-store.json").read_text())
    ratios = sorted(one / two for one, two in zip(spent[1], spent[2], strict=True))
    yield (
        f"400 points in 200 stacks of 0.4 s: the whole command takes {statistics.median(spent[1]):.1f} s with one "
        f"worker, {statistics.median(spent[2]):.1f} s with two: {statistics.median(ratios):.2f} times "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}; wanted: 1.8)"
    )


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start

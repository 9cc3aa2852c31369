"""What the lab costs a point: planning, storing, reading back, judging 2,000 points that measure nothing."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from simonides.lab.engine import pending, run
from simonides.lab.loading import local
from simonides.lab.plan import Plan
from simonides.lab.store import Store
from simonides.lab.verdict import gather, judge

CLAIM = '''"""Nothing, 2,000 times."""
import torch
from simonides.lab import Claim, Threshold, product

def measure(runs, *, n):
    return {"value": torch.stack([torch.rand((), generator=g) for g in runs.generators])}

grid = product(n=list(range(250))).with_seeds(8)
claim = Claim(question="?", source="-", scales={"smoke": grid, "desk": grid, "paper": grid}, measure=measure,
              rules=[Threshold(column="value", at_most=2.0)])
'''


def lines() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nothing.py"
        path.write_text(CLAIM)
        plan, store = Plan(local(path), "desk"), Store(Path(folder) / "store")
        store.open_for_writing()
        start = time.perf_counter()
        tasks, _, _ = pending(plan, store)
        planned = time.perf_counter()
        run(tasks, 1, lambda outcome: None)
        stored = time.perf_counter()
        gathered = gather(plan, store)
        read = time.perf_counter()
        judge(plan, gathered)
        judged = time.perf_counter()
        points = len(plan.points)
        yield f"{points} points that measure nothing, stacks of 8, one process"
        for name, seconds in (
            ("plan", planned - start),
            ("measure and store", stored - planned),
            ("read back", read - stored),
            ("judge", judged - read),
        ):
            yield f"{name}: {1000 * seconds / points:.2f} ms a point"

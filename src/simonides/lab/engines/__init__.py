"""Where stacks are measured: here in processes, on a Ray cluster, or on a SLURM cluster.

Each engine is given tasks and tells, as each ends, what became of it. All measure by `simonides.lab.measuring`
on one thread, so all give the same bits.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from simonides.lab.measuring import Outcome, Task

OnOutcome = Callable[[Outcome], None]


@runtime_checkable
class Engine(Protocol):
    """Measures tasks and stores what came of them."""

    def check(self) -> None:
        """Raise `SimonidesError` where the cluster is not there or would refuse, before work starts."""

    def run(self, tasks: Sequence[Task], root: Path, on_outcome: OnOutcome) -> None:
        """Measure all tasks into the store at `root`; `on_outcome` is called in this process as each ends.

        Raises:
            StoreError: when the store cannot be written.
        """

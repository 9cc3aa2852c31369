"""The progress bar of commands that read checkpoints: what is done, and a glimpse of what was measured last."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Tick = Callable[[str], None]
Start = Callable[[str, int], Tick]


@contextmanager
def ticking(quiet: bool) -> Iterator[Start]:
    """A bar on standard error: `start(what, total)` gives a function that advances it by one, with a glimpse."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[glimpse]}", style="dim", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:

        def start(what: str, total: int) -> Tick:
            task = bar.add_task(what, total=total, glimpse="")
            return lambda glimpse: bar.update(task, advance=1, glimpse=glimpse)

        yield start

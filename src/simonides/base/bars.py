"""One progress display: a bar in a terminal, a line now and then in a log, with what was measured last."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# seconds between two lines of a log
_PAUSE = 30.0

Advance = Callable[[str], None]
Start = Callable[..., Callable[..., None]]


@contextmanager
def progress(shown: bool = True) -> Iterator[Start]:
    """Show how far a work has come, on standard error.

    Gives `start(what, total)`, which begins a stretch of `total` parts and returns `advance(glimpse, parts=1)`: a
    call for each part done, with a glimpse of what it gave. In a terminal it is a bar; elsewhere a line at most
    every half minute.
    """
    if not shown:
        yield lambda what, total, done=0: lambda glimpse="", parts=1: None
    elif sys.stderr.isatty():
        with _bar() as start:
            yield start
    else:
        yield _log


@contextmanager
def _bar() -> Iterator[Start]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    # what was measured last is the first to give way on a narrow terminal
    whole, rest = Column(no_wrap=True), Column(no_wrap=True, ratio=1)
    columns = (
        TextColumn("{task.description}", markup=False, table_column=whole),
        BarColumn(bar_width=10),
        MofNCompleteColumn(table_column=whole),
        TimeRemainingColumn(compact=True, table_column=whole),
        TextColumn("{task.fields[glimpse]}", style="dim", markup=False, table_column=rest),
    )
    with Progress(*columns, expand=True, console=Console(stderr=True)) as bar:

        def start(what: str, total: int, done: int = 0) -> Callable[..., None]:
            task = bar.add_task(what, total=total, completed=done, glimpse="")
            return lambda glimpse="", parts=1: bar.update(task, advance=parts, glimpse=glimpse)

        yield start


def _log(what: str, total: int, done: int = 0) -> Callable[..., None]:
    count, begun = done, time.monotonic()
    last = begun

    def advance(glimpse: str = "", parts: int = 1) -> None:
        nonlocal count, last
        count += parts
        now = time.monotonic()
        if now - last >= _PAUSE:
            last = now
            left = (now - begun) / max(count - done, 1) * (total - count)
            more = f", {glimpse}" if glimpse else ""
            print(f"{what}: {count} of {total}, about {left:.0f} s left{more}", file=sys.stderr, flush=True)

    return advance

"""`report`: offline pages of what a store holds."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from simonides.commands.shared import STORE, Scale, StoreFolder, Target
from simonides.commands.targets import find


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write offline pages with verdicts, figures and tables; prints the index's path.

    The index lists what this call was asked for: one of another target or scale goes to a folder of its own.

    Example: simonides report memories --out pages
    """

    target: Target = "all"
    scale: Scale = "desk"
    store: StoreFolder = STORE
    out: Annotated[Path | None, arg(metavar="DIR", help="Folder of the pages; by default STORE/report.")] = None


def execute(options: Report) -> int:
    """Write the pages."""
    from simonides.commands.verdict import verdict_line
    from simonides.lab import Plan, Store, write_report

    plans = [Plan(file, options.scale) for file in find(options.target)]
    store = Store(options.store)
    if options.out is None:
        store.open_for_writing()
    index, verdicts, problems = write_report(plans, store, options.out or options.store / "report")
    for verdict in verdicts:
        print(verdict_line(verdict))
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    print(f"report: {index.resolve()}")
    return 2 if problems else 0

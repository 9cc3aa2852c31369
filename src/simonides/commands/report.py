"""`report`: offline pages of what a store holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from simonides.base import SimonidesError, check_output_folder, say, tell
from simonides.commands.shared import STORE, Recorded, Scale, StoreFolder, Target
from simonides.commands.targets import find


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write offline pages with verdicts, figures and tables; prints the index's path.

    The index lists what this call was asked for: one of another target or scale goes to a folder of its own.

    With --recorded, claims that the store does not hold whole are shown as they were recorded with the code.

    Example: simonides report memories --out pages

    Example: simonides report --recorded
    """

    target: Target = "all"
    scale: Scale = "desk"
    store: StoreFolder = STORE
    recorded: Recorded = False
    out: Annotated[Path | None, arg(metavar="DIR", help="Folder of the pages; by default STORE/report.")] = None


def execute(options: Report) -> int:
    """Write the pages."""
    from simonides.commands.verdict import verdict_line
    from simonides.lab import Plan, Store, write_report

    files = find(options.target)
    if not options.store.exists() and not options.recorded:
        raise SimonidesError(f"store {options.store} does not exist; nothing has been run there.")
    there = options.store.exists()
    out = options.out or (options.store / "report" if there else Path("simonides-report"))
    check_output_folder(out)
    plans = [Plan(file, options.scale) for file in files]
    index, verdicts, problems = write_report(plans, Store(options.store) if there else None, out, options.recorded)
    for verdict in verdicts:
        say(verdict_line(verdict))
    for problem in problems:
        tell(f"error: {problem}")
    say(f"report: {index.resolve()}")
    return 2 if problems else 0

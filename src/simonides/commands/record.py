"""`record`: results of a store kept beside the code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from simonides.base import say
from simonides.commands.shared import STORE, Scale, StoreFolder, Target
from simonides.commands.targets import existing_folder, find


@dataclass(frozen=True, kw_only=True)
class Record:
    """Keep verdicts, cells and runs of a store as files that travel with the code.

    `verdict --recorded` and `report --recorded` read them; the tables of the documentation are made of them.

    Example: simonides record all --store results-store
    """

    target: Target = "all"
    scale: Scale = "desk"
    store: StoreFolder = STORE
    out: Annotated[Path | None, arg(metavar="DIR", help="Folder; by default that of the package.")] = None


def execute(options: Record) -> int:
    """Record what is whole; the first claim that is not ends it."""
    from simonides.commands.verdict import verdict_line
    from simonides.lab import Plan, Store, gather, record

    store = Store(existing_folder(options.store))
    for file in find(options.target):
        plan = Plan(file, options.scale)
        say(verdict_line(record(plan, gather(plan, store), options.out)))
    return 0

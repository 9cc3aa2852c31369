"""`run`: measure what a store does not hold yet, then judge it."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from simonides import options as given
from simonides.commands.results import verdict_line
from simonides.commands.targets import plans_for
from simonides.errors import SimonidesError, check_at_least
from simonides.lab.engine import Outcome, Task, pending
from simonides.lab.engine import run as run_tasks
from simonides.lab.plan import Plan
from simonides.lab.references import bibtex
from simonides.lab.report import means_table
from simonides.lab.rules import check_rule
from simonides.lab.store import Store
from simonides.lab.verdict import gather, judge


def run(options: given.Run, overrides: dict[str, Any]) -> int:
    """Measure what is missing, then judge."""
    check_at_least("--workers", options.workers, 0)
    plans = plans_for(options.target, options.scale, overrides)
    for plan in plans:  # what is wrong with a claim shows before work starts
        _ = plan.points, plan.rule, bibtex(plan.claim.references)
        for rule in plan.claim.rules if not overrides else ():
            check_rule(rule, plan.grid.cells)
    store = Store(options.store)
    store.open_for_writing()
    tasks: list[Task] = []
    counts: dict[str, dict[str, Any]] = {}
    for plan in plans:
        found, reused, damaged = pending(plan, store)
        tasks += found
        damages = [str(damage) for damage in damaged]
        counts[plan.file.id] = {"reused": reused, "computed": 0, "failed": [], "damaged": damages}
        for damage in damages:
            print(f"{damage}; kept aside, measured again", file=sys.stderr)

    reasons: dict[tuple[str, str], list[str]] = {}

    def note(outcome: Outcome) -> None:
        counts[outcome.claim]["computed"] += outcome.computed
        for point, why in outcome.failed:
            counts[outcome.claim]["failed"].append(f"{point}: {why}")
            reasons.setdefault((outcome.claim, why), []).append(point)

    _measure(tasks, options.workers or _cores(), note)
    for (name, why), points in reasons.items():
        more = f" and {len(points) - 1} more runs" if len(points) > 1 else ""
        print(f"failed: {name} ({points[0]}){more}: {why}", file=sys.stderr)
    entries, code = [], 0
    for plan in plans:
        count = counts[plan.file.id]
        code = max(code, 1 if count["failed"] else 0)
        try:
            text, entry = _explored(plan, store, overrides) if overrides else _judged(plan, store, count)
        except SimonidesError as error:  # one claim that cannot be judged does not silence the others
            print(f"error: {plan.file.id}: {error}", file=sys.stderr)
            code = 2
            continue
        entries.append({**entry, **count})
        if not options.json:
            print(text)
    if options.json:
        print(json.dumps(entries, indent=1))
    return code


def _judged(plan: Plan, store: Store, count: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    found = judge(plan, gather(plan, store))
    tally = f"{count['reused']} reused, {count['computed']} computed, {len(count['failed'])} failed"
    return f"{verdict_line(found)}  ({tally})", found.as_json()


def _explored(plan: Plan, store: Store, overrides: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    names, rows = means_table(gather(plan, store))
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    settings = ", ".join(f"{name} = {value}" for name, value in overrides.items())
    # columns are as wide as they need: in a table cut to the terminal numbers would be worth nothing
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    lines = [
        "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in [names, *rows]
    ]
    text = "\n".join([f"{plan.file.id}: exploration with {settings}; moves no verdict", *lines])
    return text, {"claim": plan.file.id, "scale": plan.scale, "exploration": overrides, "cells": cells}


def parse_overrides(unknown: Sequence[str]) -> dict[str, Any]:
    """Parameters set by hand, from arguments such as --d 96 or --d=96.

    Raises:
        SimonidesError: when an argument has not this form.

    >>> parse_overrides(["--d", "96", "--kind=sphere"])
    {'d': 96, 'kind': 'sphere'}
    """
    words = [part for word in unknown for part in (word.split("=", 1) if word.startswith("--") else [word])]
    found: dict[str, Any] = {}
    for name, text in zip(words[::2], words[1::2], strict=False):
        if not name.startswith("--") or text.startswith("--"):
            break
        found[name[2:].replace("-", "_")] = _value(text)
    if 2 * len(found) != len(words):
        raise SimonidesError(
            f"cannot read {' '.join(unknown)!r}; parameters are set once each, as in --d 96. "
            "Options: simonides run --help; parameters: simonides show CLAIM"
        )
    return found


def _value(text: str) -> int | float | str | bool:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def _measure(tasks: list[Task], workers: int, note: Callable[[Outcome], None]) -> None:
    if not tasks:
        return
    # what was measured last is the first to give way on a narrow terminal
    whole, rest = Column(no_wrap=True), Column(no_wrap=True, ratio=1)
    bar = Progress(
        TextColumn("{task.fields[claim]}", markup=False, table_column=whole),
        BarColumn(bar_width=10),
        MofNCompleteColumn(table_column=whole),
        TimeRemainingColumn(compact=True, table_column=whole),
        TextColumn("{task.fields[glimpse]}", style="dim", markup=False, table_column=rest),
        expand=True,
        console=Console(stderr=True),
    )
    with bar:
        total = sum(len(task.missing) for task in tasks)
        shown = bar.add_task("", total=total, claim="starting", glimpse="")

        def on_outcome(outcome: Outcome) -> None:
            note(outcome)
            done = outcome.computed + len(outcome.failed)
            bar.update(shown, advance=done, claim=outcome.claim, glimpse=outcome.glimpse)

        run_tasks(tasks, workers, on_outcome)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

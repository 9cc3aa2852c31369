"""`run`: measure what a store does not hold yet, then judge it."""

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from simonides import options as given
from simonides.base import SimonidesError
from simonides.commands.results import verdict_line
from simonides.commands.targets import plans_for
from simonides.lab import (
    Gathered,
    Outcome,
    Pending,
    Plan,
    Store,
    Task,
    bibtex,
    check_rule,
    gather,
    judge,
    keep_plan,
    means_table,
    pending,
)
from simonides.lab.engines import Engine
from simonides.lab.engines.local import Local
from simonides.lab.engines.ray_cluster import Ray
from simonides.lab.engines.slurm_cluster import Slurm


def run(options: given.Run, overrides: dict[str, Any]) -> int:
    """Measure what is missing, then judge."""
    engine = _engine(options)
    plans = plans_for(options.target, options.scale, overrides)
    for plan in plans:  # what is wrong with a claim shows before work starts
        _ = plan.points, plan.rule, bibtex(plan.claim.references)
        for rule in plan.claim.rules if not overrides else ():
            check_rule(rule, plan.grid.cells)
    store = Store(options.store)
    store.open_for_writing()
    tasks: list[Task] = []
    there: dict[str, Pending] = {}
    counts: dict[str, dict[str, Any]] = {}
    for plan in plans:
        keep_plan(plan, store)
        found = there[plan.file.id] = pending(plan, store)
        tasks += found.tasks
        damages = [str(damage) for damage in found.damaged]
        counts[plan.file.id] = {"reused": len(found.known), "computed": 0, "failed": [], "damaged": damages}
        for damage in damages:
            print(f"{damage}; kept aside, measured again", file=sys.stderr)

    reasons: dict[tuple[str, str], list[str]] = {}
    refused = 0

    def note(outcome: Outcome) -> None:
        nonlocal refused
        refused += outcome.refused
        counts[outcome.claim]["computed"] += outcome.computed
        for point, why in outcome.failed:
            counts[outcome.claim]["failed"].append(f"{point}: {why}")
            reasons.setdefault((outcome.claim, why), []).append(point)

    # what a claim or a cluster prints is no part of the results
    with contextlib.redirect_stdout(sys.stderr):
        if tasks:
            engine.check()
            _measure(tasks, engine, store, note)
    for (name, why), points in reasons.items():
        more = f" and {len(points) - 1} more runs" if len(points) > 1 else ""
        print(f"failed: {name} ({points[0]}){more}: {why}", file=sys.stderr)
    # what was set by hand and is refused is the user's to put right; a claim's own points are not
    entries, code = [], 2 if overrides and refused else 0
    for plan in plans:
        count = counts[plan.file.id]
        try:
            gathered = gather(plan, store, there[plan.file.id].known)
            text, entry = _explored(plan, gathered, overrides) if overrides else _judged(plan, gathered, count)
        except SimonidesError as error:  # one claim that cannot be judged does not silence the others
            print(f"error: {plan.file.id}: {error}", file=sys.stderr)
            code = 2
            continue
        code = max(code, 1 if count["failed"] or gathered.diverged else 0)
        entries.append({**entry, **count})
        if not options.json:
            print(text)
    if options.json:
        print(json.dumps(entries, indent=1))
    return code


def _engine(options: given.Run) -> Engine:
    """The engine asked for, with the options given; those of another engine are refused."""
    kinds = {"local": Local, "ray": Ray, "slurm": Slurm}
    asked = {
        name: getattr(options, name) for name in ("address", "partition", "minutes", "cpus", "gpus", "memory")
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    kind = kinds[options.engine]
    known = {field.name for field in fields(kind)}
    if strange := sorted(asked.keys() - known):
        takers = [name for name, other in kinds.items() if strange[0] in {f.name for f in fields(other)}]
        raise SimonidesError(
            f"--{strange[0]} is no option of the engine {options.engine}; add --engine {' or '.join(takers)}."
        )
    return kind(workers=options.workers, **asked)


def _judged(plan: Plan, gathered: Gathered, count: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    found = judge(plan, gathered)
    tally = f"{count['reused']} reused, {count['computed']} computed, {len(count['failed'])} failed"
    return f"{verdict_line(found)}  ({tally})", found.as_json()


def _explored(plan: Plan, gathered: Gathered, overrides: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    names, rows = means_table(gathered)
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


def _measure(tasks: list[Task], engine: Engine, store: Store, note: Callable[[Outcome], None]) -> None:
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

        engine.run(tasks, store.root, on_outcome)

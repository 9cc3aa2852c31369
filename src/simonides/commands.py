"""What each command does: each takes its options, prints, and returns the exit code."""

import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simonides import options as given
from simonides.errors import SimonidesError, check_at_least, suggest
from simonides.lab import loading
from simonides.lab.loading import ClaimFile

if TYPE_CHECKING:
    from simonides.facts import Answer, FactMemory
    from simonides.lab.engine import Outcome, Task
    from simonides.lab.plan import Plan
    from simonides.lab.store import Store
    from simonides.lab.verdict import Verdict


def execute(command: object, unknown: list[str]) -> int:
    """Do what the command line asked for."""
    match command:
        case given.List():
            return list_claims(command)
        case given.Show():
            return show(command)
        case given.Run():
            return run(command, parse_overrides(unknown))
        case given.Status():
            return status(command)
        case given.Verdict():
            return verdict(command)
        case given.Report():
            return report(command)
        case given.Cite():
            return cite(command)
        case given.Recall():
            return recall(command)
    raise AssertionError(f"no command for {command}")


def find(target: str) -> list[ClaimFile]:
    """The claims that a name on the command line means.

    Raises:
        SimonidesError: when it names none.
    """
    path = Path(target)
    if path.suffix == ".py" or path.is_file():
        if not path.is_file():
            raise SimonidesError(f"claim file {target} does not exist; check the path.")
        return [loading.local(path)]
    known = loading.scan()
    chosen = [file for file in known if target in ("all", file.id, file.paper)]
    if not chosen:
        names = {file.id for file in known} | {file.paper for file in known} | {"all"}
        raise SimonidesError(
            f"no claim or paper is called {target!r}; {suggest(target, names)} See: simonides list"
        )
    return chosen


def list_claims(options: given.List) -> int:
    """Names and first lines, read without importing a claim."""
    files = loading.scan()
    if options.json:
        print(json.dumps([{"claim": f.id, "paper": f.paper, "summary": f.summary} for f in files], indent=1))
        return 0
    width = max(len(file.id) for file in files)
    for file in files:
        print(f"{file.id:{width}}  {file.summary}")
    return 0


def show(options: given.Show) -> int:
    """Everything a claim says of itself."""
    for plan in _plans(options.target, "desk"):
        claim = plan.claim
        print(f"{plan.file.id}\n  {claim.question}\n  {claim.source}")
        if claim.statement:
            print(f"  {claim.statement}")
        for scale, grid in claim.scales.items():
            axes = ", ".join(
                f"{axis} = {_values([cell[axis] for cell in grid.cells])}" for axis in sorted(grid.axes)
            )
            print(f"  {scale}: {len(grid.cells)} cells x {grid.seeds} seeds; {axes}")
        for rule in claim.rules:
            print(f"  rule: {rule}")
        if claim.finding:
            print(f"  finding: {claim.finding}")
        print(f"  file: {plan.file.path}")
    return 0


def run(options: given.Run, overrides: dict[str, Any]) -> int:
    """Measure what is missing, then judge."""
    check_at_least("--workers", options.workers, 0)
    plans = _plans(options.target, options.scale, overrides)
    from simonides.lab.engine import pending
    from simonides.lab.references import bibtex
    from simonides.lab.report import means_table
    from simonides.lab.rules import check_rule
    from simonides.lab.store import Store
    from simonides.lab.verdict import gather, judge

    store = Store(options.store)
    store.open_for_writing()
    for plan in plans:
        _ = plan.points, plan.rule, bibtex(plan.claim.references)  # what is wrong shows before work starts
        for rule in plan.claim.rules if not overrides else ():
            check_rule(rule, plan.grid.cells)
    tasks: list[Task] = []
    counts: dict[str, dict[str, Any]] = {}
    for plan in plans:
        found, reused, damaged = pending(plan, store)
        tasks += found
        counts[plan.file.id] = {
            "reused": reused,
            "computed": 0,
            "failed": [],
            "damaged": [str(d) for d in damaged],
        }
        for damage in damaged:
            print(f"{damage}; kept aside, measured again", file=sys.stderr)

    def note(outcome: "Outcome") -> None:
        counts[outcome.claim]["computed"] += outcome.computed
        counts[outcome.claim]["failed"] += [f"{point}: {why}" for point, why in outcome.failed]

    _measure(tasks, options.workers or _cores(), note)
    failed = [(name, *line.split(": ", 1)) for name, count in counts.items() for line in count["failed"]]
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, point, why in failed:
        reasons.setdefault((name, why), []).append(point)
    for (name, why), points in reasons.items():
        more = f" and {len(points) - 1} more runs" if len(points) > 1 else ""
        print(f"failed: {name} ({points[0]}){more}: {why}", file=sys.stderr)
    entries = []
    for plan in plans:
        count, gathered = counts[plan.file.id], gather(plan, store)
        if overrides:
            names, rows = means_table(gathered)
            entries.append(
                {
                    "claim": plan.file.id,
                    "scale": plan.scale,
                    "exploration": overrides,
                    **count,
                    "cells": [dict(zip(names, row, strict=True)) for row in rows],
                }
            )
            if not options.json:
                print(f"{plan.file.id}: exploration with {overrides}; moves no verdict")
                _print_table(names, rows)
            continue
        judged = judge(plan, gathered)
        entries.append({**judged.as_json(), **count})
        if not options.json:
            tally = f"{count['reused']} reused, {count['computed']} computed, {len(count['failed'])} failed"
            print(f"{_line(judged)}  ({tally})")
    if options.json:
        print(json.dumps(entries, indent=1))
    return 1 if failed else 0


def status(options: given.Status) -> int:
    """What the store holds of each plan."""
    from simonides.lab.verdict import gather

    store = _existing(options.store)
    entries: list[dict[str, Any]] = []
    for plan in _plans(options.target, options.scale):
        gathered = gather(plan, store)
        entries.append(
            {
                "claim": plan.file.id,
                "scale": plan.scale,
                "planned": len(plan.points),
                "present": gathered.present,
                "missing": gathered.missing,
                "failed": [f"{point}: {why}" for point, why in gathered.failed],
                "damaged": [str(damage) for damage in gathered.damaged],
            }
        )
    if options.json:
        print(json.dumps(entries, indent=1))
        return 0
    width = max(len(str(entry["claim"])) for entry in entries)
    for entry in entries:
        troubles = [f"{len(entry[what])} {what}" for what in ("failed", "damaged") if entry[what]]
        print(
            f"{entry['claim']:{width}}  {entry['present']} of {entry['planned']} runs at scale {options.scale}"
            + "".join(f", {trouble}" for trouble in troubles)
        )
        for line in [*entry["failed"], *entry["damaged"]][:3]:
            print(f"    {line}")
    return 0


def verdict(options: given.Verdict) -> int:
    """Judge, without measuring anything."""
    from simonides.lab.report import interval_text, number

    verdicts = _judge(_plans(options.target, options.scale), options.store)
    if options.json:
        print(json.dumps([found.as_json() for found in verdicts], indent=1))
    else:
        for found in verdicts:
            print(_line(found))
            if len(found.checks) > 1 or found.reason:
                for check in found.checks:
                    ends = interval_text(check.interval)
                    print(f"    {check.verdict}: {check.rule}: {number(check.effect)} {ends}")
            if found.reason and found.effect is not None:
                print(f"    {found.reason}")
            if found.rule_older_than_data is False:
                print("    the rule is younger than some of the data")
    return 1 if any(found.verdict == "fails" for found in verdicts) else 0


def report(options: given.Report) -> int:
    """Write the pages."""
    plans = _plans(options.target, options.scale)
    from simonides.lab.report import write_report
    from simonides.lab.store import Store

    store = Store(options.store)
    if options.out is None:
        store.open_for_writing()
    index, verdicts = write_report(plans, store, options.out or options.store / "report")
    for found in verdicts:
        print(_line(found))
    print(f"report: {index.resolve()}")
    return 0


def cite(options: given.Cite) -> int:
    """Print each entry once."""
    from simonides.lab.references import bibtex

    references = dict.fromkeys(r for plan in _plans(options.target, "desk") for r in plan.claim.references)
    print(bibtex(list(references)))
    return 0


def recall(options: given.Recall) -> int:
    """Store a table and ask it."""
    from simonides.facts import FactMemory, read_facts

    table = read_facts(options.table, delimiter=options.delimiter, header=options.header)
    if table.first_row:
        print(
            f"{table.name}: the first row was taken as {table.first_row} (--header True or False)", file=sys.stderr
        )
    memory = FactMemory.store(
        table, d=options.d, seed=options.seed, embedding=options.embedding, rule=options.rule
    )
    answers = [memory.ask(key, options.top) for key in options.keys or _examples(memory)]
    expected = memory.expected_right
    if options.json:
        print(
            json.dumps(
                {
                    "table": table.name,
                    "facts": len(table),
                    "answers": len(table.answers),
                    "d": memory.d,
                    "right": memory.right,
                    "expected_right": expected,
                    "asked": [_as_json(answer) for answer in answers],
                },
                indent=1,
                ensure_ascii=False,
            )
        )
        return 0
    for answer in answers:
        best = ", ".join(f"{name} {score:.2f}" for name, score in answer.best)
        mark = "right" if answer.right else f"wrong, stored was {answer.expected}"
        print(f"{answer.key}: {best}  (margin {answer.margin:+.2f}, {mark})")
    print(
        f"{memory.right} of {len(table)} facts recalled from one {memory.d} x {memory.d} matrix"
        f" ({len(table.answers)} different answers)."
    )
    if expected is not None:
        print(
            f"Theory expects {expected:.1f} at this d and N, and d = {memory.width_needed()} for 99 % "
            "of this table by outer products."
        )
    return 0


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


def _plans(target: str, scale: str, overrides: dict[str, Any] | None = None) -> list["Plan"]:
    files = find(target)
    from simonides.lab.plan import Plan

    return [Plan(file, scale, tuple((overrides or {}).items())) for file in files]


def _judge(plans: list["Plan"], folder: Path) -> list["Verdict"]:
    from simonides.lab.verdict import gather, judge

    store = _existing(folder)
    return [judge(plan, gather(plan, store)) for plan in plans]


def _existing(folder: Path) -> "Store":
    from simonides.lab.store import Store

    if not folder.exists():
        print(f"store {folder} does not exist yet; nothing has been run there", file=sys.stderr)
    return Store(folder)


def _measure(tasks: list["Task"], workers: int, note: Any) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    from simonides.lab.engine import run as run_tasks

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

        def on_outcome(outcome: "Outcome") -> None:
            note(outcome)
            done = outcome.computed + len(outcome.failed)
            bar.update(shown, advance=done, claim=outcome.claim, glimpse=outcome.glimpse)

        run_tasks(tasks, workers, on_outcome)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _line(found: "Verdict") -> str:
    from simonides.lab.report import interval_text, number

    if found.effect is None:
        return f"{found.verdict:9}  {found.claim}  {found.reason}"
    return f"{found.verdict:9}  {found.claim}  effect {number(found.effect)}, 95 % {interval_text(found.interval)}"


def _print_table(names: list[str], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*map(escape, names), box=None)
    for row in rows:
        table.add_row(*map(escape, row))
    # a table too wide for the terminal wraps: cut numbers would be worth nothing
    Console(width=max(80, sum(max(map(len, column)) + 2 for column in zip(names, *rows, strict=True)))).print(
        table
    )


def _as_json(answer: "Answer") -> dict[str, Any]:
    return {
        "key": answer.key,
        "expected": answer.expected,
        "best": answer.best,
        "margin": answer.margin if math.isfinite(answer.margin) else None,  # infinite without a rival
        "right": answer.right,
    }


def _examples(memory: "FactMemory") -> list[str]:
    """A few keys to show when none was asked for: the first three, and up to two that were forgotten."""
    forgotten = (~memory.recalled).nonzero()[:, 0].tolist()[:2]
    return [memory.table.keys[row] for row in dict.fromkeys([*range(min(3, len(memory.table))), *forgotten])]


def _values(values: list[Any]) -> str:
    different = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    if len(different) > 8 and all(isinstance(value, (int, float)) for value in different):
        return f"{min(different)} .. {max(different)}"
    return ", ".join(str(value) for value in different)

"""`status`, `verdict` and `report`: what a store holds, without measuring anything."""

import json
import sys
from pathlib import Path
from typing import Any

from simonides import options as given
from simonides.commands.targets import plans_for
from simonides.lab.report import interval_text, number, write_report
from simonides.lab.store import Store
from simonides.lab.verdict import Verdict, gather, judge


def execute(command: given.Status | given.Verdict | given.Report) -> int:
    """Do one of the three."""
    match command:
        case given.Status():
            return status(command)
        case given.Verdict():
            return verdict(command)
        case given.Report():
            return report(command)


def status(options: given.Status) -> int:
    """What the store holds of each plan."""
    store = _existing(options.store)
    entries: list[dict[str, Any]] = []
    for plan in plans_for(options.target, options.scale):
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
    store = _existing(options.store)
    verdicts = [judge(plan, gather(plan, store)) for plan in plans_for(options.target, options.scale)]
    if options.json:
        print(json.dumps([found.as_json() for found in verdicts], indent=1))
    else:
        for found in verdicts:
            print(verdict_line(found))
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
    plans = plans_for(options.target, options.scale)
    store = Store(options.store)
    if options.out is None:
        store.open_for_writing()
    index, verdicts = write_report(plans, store, options.out or options.store / "report")
    for found in verdicts:
        print(verdict_line(found))
    print(f"report: {index.resolve()}")
    return 0


def verdict_line(found: Verdict) -> str:
    """One line: verdict, claim, effect and interval, or why there is none."""
    if found.effect is None:
        return f"{found.verdict:9}  {found.claim}  {found.reason}"
    return f"{found.verdict:9}  {found.claim}  effect {number(found.effect)}, 95 % {interval_text(found.interval)}"


def _existing(folder: Path) -> Store:
    if not folder.exists():
        print(f"store {folder} does not exist yet; nothing has been run there", file=sys.stderr)
    return Store(folder)

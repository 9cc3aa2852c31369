"""`verdict`: what is to be thought of what a store holds, without measuring anything."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simonides.commands.shared import STORE, Json, Scale, StoreFolder, Target
from simonides.commands.targets import existing_folder, find

if TYPE_CHECKING:
    from simonides.lab import ClaimFile
    from simonides.lab import Verdict as Judged


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Judge what a store holds; exits with 1 when a claim fails.

    Example: simonides verdict memories --json
    """

    target: Target = "all"
    scale: Scale = "desk"
    store: StoreFolder = STORE
    json: Json = False


def execute(options: Verdict) -> int:
    """Judge, without measuring anything."""
    from simonides.lab import remembered

    store = existing_folder(options.store)
    told = [
        remembered(store, file, options.scale) or _judged(file, options.scale, store)
        for file in find(options.target)
    ]
    if options.json:
        print(json.dumps([one["verdict"] for one in told], indent=1))
    else:
        for one in told:
            print("\n".join(one["lines"]))
    return 1 if any(one["verdict"]["verdict"] == "fails" for one in told) else 0


def _judged(file: "ClaimFile", scale: str, root: Path) -> dict[str, Any]:
    """A claim's verdict, as it is printed and as JSON, which is kept in the store."""
    from simonides.lab import Plan, Store, gather, interval_text, judge, number, remember

    plan = Plan(file, scale)
    found = judge(plan, gather(plan, Store(root)))
    lines = [verdict_line(found)]
    for check in found.checks:
        ends, place = interval_text(check.interval), f", at {check.place}" if check.place else ""
        lines.append(f"    {check.verdict}: {check.rule}: {check.meaning} {number(check.effect)} {ends}{place}")
    if found.rule_older_than_data is False:
        lines.append("    the rule is younger than some of the data")
    if len(found.versions) > 1:
        lines.append(f"    the data are of several versions: {'; '.join(found.versions)}")
    remember(root, file, scale, lines, found.as_json())
    return {"lines": lines, "verdict": found.as_json()}


def verdict_line(found: "Judged") -> str:
    """One line: verdict, claim, effect and interval, or why there is none."""
    from simonides.lab import interval_text, number

    if found.effect is None:
        return f"{found.verdict:9}  {found.claim}  {found.reason}"
    text = f"{found.verdict:9}  {found.claim}  effect {number(found.effect)}, 95 % {interval_text(found.interval)}"
    return f"{text}  ({found.reason})" if found.reason else text

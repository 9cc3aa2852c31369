"""`verdict`: what is to be thought of what a store holds, without measuring anything."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simonides.base import say, say_json
from simonides.commands.shared import STORE, Json, Recorded, Scale, StoreFolder, Target
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
    recorded: Recorded = False
    json: Json = False


def execute(options: Verdict) -> int:
    """Judge, without measuring anything."""
    from simonides.lab import remembered

    if options.recorded:
        return _recorded(options)
    store = existing_folder(options.store)
    judged = [
        remembered(store, file, options.scale) or _judged(file, options.scale, store)
        for file in find(options.target)
    ]
    if options.json:
        say_json([one["verdict"] for one in judged])
    else:
        for one in judged:
            say("\n".join(one["lines"]))
    return 1 if any(one["verdict"]["verdict"] == "fails" for one in judged) else 0


def _recorded(options: Verdict) -> int:
    """What was recorded, without loading a claim."""
    from simonides.lab import recorded_entry

    entries = [{"claim": file.id, **recorded_entry(file, options.scale)} for file in find(options.target)]
    if options.json:
        say_json(entries)
    else:
        for entry in entries:
            say(entry_line(entry))
    return 1 if any(entry["verdict"] == "fails" for entry in entries) else 0


def entry_line(entry: dict[str, Any]) -> str:
    """One line of a recorded verdict."""
    ends = tuple(entry["interval"] or (None, None))
    return _line(entry["verdict"], entry["claim"], entry["quantity"], entry["effect"], ends, entry["reason"])


def _line(verdict: str, claim: str, what: str, effect: float | None, ends: Any, reason: str) -> str:
    from simonides.lab import interval_text, number

    text = f"{verdict:9}  {claim}  {what}: {number(effect)} {interval_text(ends)}"
    return f"{text}  ({reason})" if reason else text


def _judged(file: "ClaimFile", scale: str, root: Path) -> dict[str, Any]:
    """A claim's verdict, as it is printed and as JSON, which is kept in the store."""
    from simonides.lab import Plan, Store, band_text, gather, interval_text, judge, number, remember

    plan = Plan(file, scale)
    verdict = judge(plan, gather(plan, Store(root)))
    lines = [verdict_line(verdict)]
    for check in verdict.checks:
        place = f", at {check.place}" if check.place and check.cells > 1 else ""
        paper = "" if check.paper is None else f"; the paper: {number(check.paper.value)}, {check.paper.where}"
        lines.append(f"    {check.verdict}: {check.rule}")
        lines.append(
            f"        {check.quantity} {number(check.effect)} {interval_text(check.interval)}{place}, asked is "
            f"{band_text(check.low, check.high)}{paper}"
        )
        if note := "; ".join(filter(None, [check.note, check.reason])):
            lines.append(f"        {note}")
    lines += [f"    rules changed {c.date}: {c.reason}; under those before: {c.before}" for c in verdict.changes]
    if verdict.rule_older_than_data is False:
        lines.append("    the rule is younger than some of the data")
    if len(verdict.versions) > 1:
        lines.append(f"    the data are of several versions: {'; '.join(verdict.versions)}")
    remember(root, file, scale, lines, verdict.as_json())
    return {"lines": lines, "verdict": verdict.as_json()}


def verdict_line(judged: "Judged") -> str:
    """One line: verdict, claim, effect and interval, or why there is none."""
    if judged.effect is None:
        return f"{judged.verdict:9}  {judged.claim}  {judged.reason}"
    what = judged.checks[0].quantity
    return _line(judged.verdict, judged.claim, what, judged.effect, judged.interval, judged.reason)

"""`verdict`: what is to be thought of what a store holds, without measuring anything."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simonides.commands.shared import STORE, Json, Scale, StoreFolder, Target
from simonides.commands.targets import existing, plans_for

if TYPE_CHECKING:
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
    from simonides.lab import gather, interval_text, judge, number

    store = existing(options.store)
    verdicts = [judge(plan, gather(plan, store)) for plan in plans_for(options.target, options.scale)]
    if options.json:
        print(json.dumps([found.as_json() for found in verdicts], indent=1))
    else:
        for found in verdicts:
            print(verdict_line(found))
            for check in found.checks:
                ends, place = interval_text(check.interval), f", at {check.place}" if check.place else ""
                print(f"    {check.verdict}: {check.rule}: {check.meaning} {number(check.effect)} {ends}{place}")
            if found.rule_older_than_data is False:
                print("    the rule is younger than some of the data")
    return 1 if any(found.verdict == "fails" for found in verdicts) else 0


def verdict_line(found: "Judged") -> str:
    """One line: verdict, claim, effect and interval, or why there is none."""
    from simonides.lab import interval_text, number

    if found.effect is None:
        return f"{found.verdict:9}  {found.claim}  {found.reason}"
    text = f"{found.verdict:9}  {found.claim}  effect {number(found.effect)}, 95 % {interval_text(found.interval)}"
    return f"{text}  ({found.reason})" if found.reason else text

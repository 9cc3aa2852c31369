"""`verdict` and `report`: what is to be thought of what a store holds, without measuring anything."""

import json
import sys

from simonides import options as given
from simonides.commands.targets import existing, plans_for
from simonides.lab import Store, Verdict, gather, interval_text, judge, number, write_report


def execute(command: given.Verdict | given.Report) -> int:
    """Do one of the two."""
    match command:
        case given.Verdict():
            return verdict(command)
        case given.Report():
            return report(command)


def verdict(options: given.Verdict) -> int:
    """Judge, without measuring anything."""
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


def report(options: given.Report) -> int:
    """Write the pages."""
    plans = plans_for(options.target, options.scale)
    store = Store(options.store)
    if options.out is None:
        store.open_for_writing()
    index, verdicts, problems = write_report(plans, store, options.out or options.store / "report")
    for found in verdicts:
        print(verdict_line(found))
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    print(f"report: {index.resolve()}")
    return 2 if problems else 0


def verdict_line(found: Verdict) -> str:
    """One line: verdict, claim, effect and interval, or why there is none."""
    if found.effect is None:
        return f"{found.verdict:9}  {found.claim}  {found.reason}"
    text = f"{found.verdict:9}  {found.claim}  effect {number(found.effect)}, 95 % {interval_text(found.interval)}"
    return f"{text}  ({found.reason})" if found.reason else text

"""`rules`: what every claim is judged by, written down with the reason of each change."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from simonides.base import say
from simonides.commands.shared import Target
from simonides.commands.targets import find


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Check that the rules of claims are those that were written down, or write changed ones down.

    Exits with 1 where they are not.

    Example: simonides rules all

    Example: simonides rules memories/linear-capacity --reason "the paper's exponent, in place of a wider band"
    """

    target: Target = "all"
    reason: Annotated[str, arg(metavar="TEXT", help="Why they were changed; writes them down.")] = ""


def execute(options: Rules) -> int:
    """Check, or lock."""
    from simonides.lab import Plan, history_of, lock, rules_hash

    changed = 0
    for file in find(options.target):
        if options.reason:
            if lock(file, options.reason):
                say(f"locked: {file.id}")
            continue
        history = history_of(file)
        if not history or history[-1]["hash"] != rules_hash(Plan(file, "desk")):
            changed += 1
            say(f"changed: {file.id}: {'never locked' if not history else 'since ' + history[-1]['date']}")
    if changed:
        say(
            f"{changed} claims are not judged by the rules that are locked; say why: "
            "simonides rules TARGET --reason TEXT"
        )
    return 1 if changed else 0

"""Running claims: measure what a store lacks, then judge."""

import contextlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simonides.base import SimonidesError, check_at_least, chosen_device, progress, suggest
from simonides.base import tell as told_on_stderr
from simonides.lab.controls import check_plan
from simonides.lab.engines import Engine
from simonides.lab.engines.local import Local
from simonides.lab.judging import UNDECIDED
from simonides.lab.loading import find
from simonides.lab.measuring import Outcome, Pending, Task, pending
from simonides.lab.plan import Plan, keep_plan
from simonides.lab.references import bibtex
from simonides.lab.rules import columns_of
from simonides.lab.store import Store
from simonides.lab.verdict import Gathered, Verdict, gather, judge

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What became of one claim.

    Arguments:
        plan: the claim at its scale.
        gathered: what the store holds of it now; None where it cannot be judged.
        verdict: None for an exploration, and where it cannot be judged.
        reused, computed: how many runs were there, and how many were measured.
        failed: points that could not be measured, with the reason.
        damaged: what was found damaged and measured again.
        refused: how many of the failed were refused for their parameters.
        problem: why it cannot be judged, in words; empty where it can.
    """

    plan: Plan
    gathered: Gathered | None
    verdict: Verdict | None
    reused: int
    computed: int
    failed: tuple[str, ...]
    damaged: tuple[str, ...]
    refused: int
    problem: str = ""


def run(
    target: str,
    scale: str = "desk",
    store: Path | str = "simonides-store",
    engine: Engine | None = None,
    overrides: Mapping[str, Any] | None = None,
    device: str = "auto",
    tell: Tell | None = None,
    shown: bool = True,
    until_decided: int = 0,
) -> list[Ran]:
    """Measure what a store does not hold yet of some claims, and judge them.

    Broken off at any moment, the same call goes on where it stopped.

    Arguments:
        target: a claim, a paper, a group such as "talk", "all", the path of a claim's file, or several with commas.
        scale: "smoke", "desk" or "paper".
        store: folder of the results.
        engine: where; by default processes of this machine, one a core.
        overrides: parameters set by hand, each to a value or a list of them, for an exploration, which is not
            counted in the verdict.
        device: "auto", the GPU where there is one, or as torch names devices.
        shown: whether progress is.
        until_decided: where a verdict is undecided for want of runs, more are added, up to so many a cell.
        tell: told of failures and damage as they are found; by default they are printed on standard error.

    Raises:
        SimonidesError: when there is no such claim, a claim is wrong in itself, or the store cannot be written.
    """
    engine = engine or Local()
    tell = tell or told_on_stderr
    check_at_least("until_decided", until_decided, 0)
    settings = tuple((overrides or {}).items())
    plans = [Plan(file, scale, settings) for file in find(target)]
    ran = _run(plans, engine, Store(store), device, tell, shown)
    while more := [plan for one in ran if (plan := _with_more(one, until_decided)) is not None]:
        again = _run(more, engine, Store(store), device, tell, shown)
        better = {one.plan.file.id: one for one in again}
        ran = [better.get(one.plan.file.id, one) for one in ran]
    return ran


def _with_more(ran: Ran, most: int) -> Plan | None:
    """The plan with as many runs as would decide, if that is more than there are and no more than allowed."""
    plan = ran.plan
    if ran.verdict is None or ran.verdict.verdict != UNDECIDED or plan.grid.seeds >= most:
        return None
    needs = [check.needed for check in ran.verdict.checks if check.needed]
    if not needs:
        return None
    # what was needed is itself known roughly: a tenth more
    return replace(plan, seeds=min(most, max(plan.grid.seeds + 1, math.ceil(1.1 * max(needs)))))


def _run(plans: list[Plan], engine: Engine, place: Store, device: str, tell: Tell, shown: bool) -> list[Ran]:
    settings = plans[0].overrides
    chosen_device(device)
    for plan in plans:  # what is wrong with a claim shows before work starts
        _ = plan.points, plan.rule, bibtex(plan.claim.references)
        if not settings:
            check_plan(plan)
    place.open_for_writing()
    waiting: dict[str, Pending] = {}
    for plan in plans:
        keep_plan(plan, place)
        waiting[plan.file.id] = pending(plan, place, device)
        for damage in waiting[plan.file.id].damaged:
            tell(f"{damage}; kept aside, measured again")
    tasks = [task for lacking in waiting.values() for task in lacking.tasks]
    asked = {plan.file.id: [name for rule in plan.claim.rules for name in columns_of(rule)] for plan in plans}
    counts = _measured(tasks, engine, place, tell, asked, shown)
    ran = []
    for plan in plans:
        count, lacking = counts.get(plan.file.id, _Count()), waiting[plan.file.id]
        gathered, verdict, problem = None, None, ""
        try:
            gathered = gather(plan, place, lacking.known)
            verdict = None if settings else judge(plan, gathered)
        except Exception as error:  # a claim that cannot be judged does not silence the others
            own = isinstance(error, SimonidesError)
            problem = str(error) if own else f"it cannot be judged: {type(error).__name__}: {error}"
        ran.append(
            Ran(
                plan=plan,
                gathered=gathered,
                verdict=verdict,
                reused=len(lacking.known),
                computed=count.computed,
                failed=tuple(count.failed),
                damaged=tuple(map(str, lacking.damaged)),
                refused=count.refused,
                problem=problem,
            )
        )
    return ran


class _Count:
    """What became of one claim's points so far."""

    def __init__(self) -> None:
        self.computed, self.refused = 0, 0
        self.failed: list[str] = []


def _measured(
    tasks: list[Task], engine: Engine, store: Store, tell: Tell, asked: Mapping[str, Sequence[str]], shown: bool
) -> dict[str, _Count]:
    counts: dict[str, _Count] = {}
    reasons: dict[tuple[str, str], list[str]] = {}
    if not tasks:
        return counts
    # what a claim or a cluster prints is no part of the results
    with contextlib.redirect_stdout(sys.stderr), progress(shown) as start:
        engine.check()
        advance = start("measuring", sum(len(task.missing) for task in tasks))

        def note(outcome: Outcome) -> None:
            if outcome.claim not in counts and outcome.columns:  # told after the first run, not after the last
                for name in asked[outcome.claim]:
                    if name not in outcome.columns:
                        tell(
                            f"{outcome.claim}: a rule asks for the column {name!r}, which measure does not return; "
                            f"{suggest(name, outcome.columns)} What is measured is kept."
                        )
            count = counts.setdefault(outcome.claim, _Count())
            count.computed += outcome.computed
            count.refused += outcome.refused
            for point, why in outcome.failed:
                count.failed.append(f"{point}: {why}")
                reasons.setdefault((outcome.claim, why), []).append(point)
            advance(f"{outcome.claim} {outcome.glimpse}", outcome.computed + len(outcome.failed))

        engine.run(tasks, store.root, note)
    for (name, why), points in reasons.items():
        more = f" and {len(points) - 1} more runs" if len(points) > 1 else ""
        tell(f"failed: {name} ({points[0]}){more}: {why}")
    return counts

"""Verdicts: holds, fails or undecided, with the measured effect and its interval."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from simonides.base import SimonidesError
from simonides.lab.judging import HOLDS, PARTLY, UNDECIDED, Judgement, judge_rules, of_rules
from simonides.lab.locking import from_json, history_of
from simonides.lab.plan import Plan
from simonides.lab.point import Point
from simonides.lab.prediction import with_predictions
from simonides.lab.store import Damage, Store, Stored, rows_of


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """All that a store holds of a plan.

    The table has the columns "cell <parameter>", seed, row, the measured ones and "predicted <column>".
    `diverged` and `failed` are points with the reason; the rows of a diverged one are in the table.
    """

    table: pl.DataFrame
    about: tuple[dict[str, Any], ...]
    present: int
    missing: int
    damaged: tuple[Damage, ...]
    diverged: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]


def gather(plan: Plan, store: Store, known: Mapping[str, Stored] | None = None) -> Gathered:
    """Read a plan's points, but for those `known` already, by key."""
    points, stored, damaged, failed = [], [], [], []
    for point in plan.points:
        entry = (known or {}).get(point.key) or store.read(point)
        if isinstance(entry, Stored):
            points.append(point)
            stored.append(entry)
            continue
        if isinstance(entry, Damage):
            damaged.append(entry)
        if message := store.read_failure(point):
            failed.append((str(point), message))
    return Gathered(
        table=_join(plan, points, stored) if points else pl.DataFrame(),
        about=tuple(entry.about for entry in stored),
        present=len(points),
        missing=len(plan.points) - len(points),
        damaged=tuple(damaged),
        diverged=tuple(
            (str(point), entry.about["diverged"]["message"])
            for point, entry in zip(points, stored, strict=True)
            if "diverged" in entry.about
        ),
        failed=tuple(failed),
    )


def _join(plan: Plan, points: list[Point], stored: list[Stored]) -> pl.DataFrame:
    try:
        rows, counts = rows_of(stored)
    except pl.exceptions.PolarsError:
        raise SimonidesError(
            f"runs of {plan.file.id} have different columns ({_difference(stored)}); measure must return the same "
            "for all."
        ) from None
    cells = {f"cell {name}": [dict(p.parameters)[name] for p in points] for name, _ in points[0].parameters}
    head = pl.DataFrame({**cells, "seed": [point.seed for point in points]}, strict=False)
    repeated = head.select(pl.all().repeat_by(pl.Series(counts)).explode())
    row = np.concatenate([np.arange(length, dtype=np.uint32) for length in counts])
    table = pl.concat([repeated, pl.DataFrame({"row": row}), rows], how="horizontal")
    return with_predictions(table, plan.claim.predictions, forgiving=bool(plan.overrides))


def _difference(stored: list[Stored]) -> list[str]:
    columns = list({tuple(entry.rows.columns) for entry in stored})
    return sorted(set(columns[0]) ^ set(columns[-1]))


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of a claim's rules: the day, the reason, and the verdict under the rules before it."""

    date: str
    reason: str
    before: str


# fewer give no interval worth the name
LEAST_SEEDS = 5


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be thought of a claim at a scale.

    `effect` and `interval` are those of the claim's first rule; `checks` has every rule's. All rules must
    hold; one that fails makes the claim fail; where all hold and the statement says more than they test, it holds
    partly. While runs are missing, or with runs that diverged, nothing is decided. `rule_older_than_data` is None
    without data.
    """

    claim: str
    paper: str
    scale: str
    verdict: str
    effect: float | None
    interval: tuple[float, float] | None
    rule: str
    rule_older_than_data: bool | None
    seeds: int
    present: int
    missing: int
    diverged: int
    checks: tuple[Judgement, ...]
    reason: str
    versions: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values; infinities become None."""

        def number(value: float | None) -> float | None:
            return value if value is not None and abs(value) < float("inf") else None

        def ends(pair: tuple[float, float] | None) -> list[float | None] | None:
            return [number(end) for end in pair] if pair else None

        return {
            "claim": self.claim,
            "paper": self.paper,
            "scale": self.scale,
            "verdict": self.verdict,
            "quantity": self.checks[0].quantity if self.checks else None,
            "effect": number(self.effect),
            "interval": ends(self.interval),
            "rule": self.rule,
            "rule_older_than_data": self.rule_older_than_data,
            "seeds": self.seeds,
            "present": self.present,
            "missing": self.missing,
            "diverged": self.diverged,
            "reason": self.reason,
            "versions": list(self.versions),
            "changes": [asdict(change) for change in self.changes],
            "checks": [
                {
                    "rule": check.rule,
                    "quantity": check.quantity,
                    "place": check.place,
                    "verdict": check.verdict,
                    "effect": number(check.effect),
                    "interval": ends(check.interval),
                    "band": ends((check.low, check.high)),
                    "cells": check.cells,
                    "paper": None if check.paper is None else asdict(check.paper),
                    "note": check.note,
                    "reason": check.reason,
                    "needed": check.needed,
                }
                for check in self.checks
            ],
        }


def judge(plan: Plan, gathered: Gathered) -> Verdict:
    """The verdict on what a store holds of a plan."""
    checks: tuple[Judgement, ...] = ()
    reason = ""
    if gathered.present:
        try:
            checks = judge_rules(plan.claim.rules_at(plan.scale), _copied(plan, gathered.table), plan.grid.seeds)
        except SimonidesError:
            if not gathered.missing:
                raise
    if gathered.missing or not checks:
        verdict = UNDECIDED
        reason = f"{gathered.missing} of {len(plan.points)} runs are missing"
        if gathered.failed:
            reason += f", {len(gathered.failed)} of them failed, the first with: {gathered.failed[0][1]}"
    elif plan.grid.seeds < LEAST_SEEDS and not plan.claim.deterministic:
        verdict = UNDECIDED
        reason = f"{plan.grid.seeds} seeds a cell, where an interval needs at least {LEAST_SEEDS}"
    elif gathered.diverged:
        verdict = UNDECIDED
    elif (verdict := of_rules(checks)) != HOLDS:
        first = next(check for check in checks if check.verdict == verdict)
        reason = f"{first.quantity}: {first.reason}"
    elif plan.claim.untested:
        verdict, reason = PARTLY, f"not tested: {plan.claim.untested}"
    if gathered.diverged:
        point, why = gathered.diverged[0]
        count = f"{len(gathered.diverged)} of {gathered.present} runs diverged and count in no mean"
        reason = "; ".join(filter(None, [reason, f"{count}, the first ({point}): {why}"]))
    return Verdict(
        claim=plan.file.id,
        paper=plan.file.paper,
        scale=plan.scale,
        verdict=verdict,
        effect=checks[0].effect if checks else None,
        interval=checks[0].interval if checks else None,
        rule="; ".join(str(rule) for rule in plan.claim.rules_at(plan.scale)),
        rule_older_than_data=(
            all(about.get("rule") == plan.rule for about in gathered.about) if gathered.about else None
        ),
        seeds=plan.grid.seeds,
        present=gathered.present,
        missing=gathered.missing,
        diverged=len(gathered.diverged),
        checks=checks,
        reason=reason,
        versions=_versions(gathered),
        changes=_changes(plan, gathered, verdict),
    )


def _changes(plan: Plan, gathered: Gathered, verdict: str) -> tuple[Change, ...]:
    """How the rules were changed, and what they would have said before; of the scale that is judged by them."""
    history = history_of(plan.file)
    if plan.scale == "smoke" or plan.overrides or len(history) < 2:
        return ()
    changes = []
    for before, after in pairwise(history):
        was = UNDECIDED
        if verdict != UNDECIDED or not gathered.missing:
            try:
                rules = [from_json(rule) for rule in before["rules"]]
                checks = judge_rules(rules, _copied(plan, gathered.table), plan.grid.seeds)
                was = of_rules(checks)
            except SimonidesError:  # a column or a parameter of before is there no more
                was = "cannot be judged now"
        changes.append(Change(date=after["date"], reason=after["reason"], before=was))
    return tuple(changes)


def _copied(plan: Plan, table: pl.DataFrame) -> pl.DataFrame:
    """The table; of a claim whose runs do not differ with one run twice, whose spread is none."""
    if not plan.claim.deterministic:
        return table
    one = table.filter(pl.col("seed") == table["seed"].min())
    return pl.concat([one, one.with_columns(pl.col("seed") + 1)])


def _versions(gathered: Gathered) -> tuple[str, ...]:
    """What the data were measured with, where that changes numbers: package, torch and device; each once."""
    versions = []
    for about in gathered.about:
        made = about.get("environment", {})
        parts = [f"{name} {made[name]}" for name in ("simonides", "torch") if name in made]
        parts += [str(made[name]) for name in ("commit", "device") if name in made]
        versions.append(", ".join(parts))
    return tuple(dict.fromkeys(versions))

"""Verdicts: holds, fails or undecided, with the measured effect and its interval."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from simonides.errors import SimonidesError
from simonides.lab.plan import Plan
from simonides.lab.prediction import with_predictions
from simonides.lab.rules import FAILS, HOLDS, UNDECIDED, Judgement
from simonides.lab.store import Damage, Store, Stored


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """All that a store holds of a plan.

    The table has the columns "cell <parameter>", seed, row, the measured ones and "predicted <column>".
    """

    table: pl.DataFrame
    about: tuple[dict[str, Any], ...]
    present: int
    missing: int
    damaged: tuple[Damage, ...]
    failed: tuple[tuple[str, str], ...]


def gather(plan: Plan, store: Store) -> Gathered:
    """Read a plan's points."""
    tables, about, damaged, failed, missing = [], [], [], [], 0
    for point in plan.points:
        found = store.read(point)
        if isinstance(found, Stored):
            cell = [pl.lit(value).alias(f"cell {name}") for name, value in point.parameters]
            rows = found.rows.with_row_index("row")
            tables.append(rows.select([*cell, pl.lit(point.seed).alias("seed"), pl.all()]))
            about.append(found.about)
            continue
        missing += 1
        if isinstance(found, Damage):
            damaged.append(found)
        if message := store.read_failure(point):
            failed.append((str(point), message.strip().splitlines()[-1]))
    table = _join(tables, plan) if tables else pl.DataFrame()
    return Gathered(
        table=table,
        about=tuple(about),
        present=len(tables),
        missing=missing,
        damaged=tuple(damaged),
        failed=tuple(failed),
    )


def _join(tables: list[pl.DataFrame], plan: Plan) -> pl.DataFrame:
    columns = {tuple(table.columns) for table in tables}
    if len(columns) > 1:
        different = sorted(set.symmetric_difference(*(set(names) for names in list(columns)[:2])))
        raise SimonidesError(
            f"runs of {plan.file.id} have different columns ({different}); measure must return the same for all."
        )
    table = pl.concat(tables, how="vertical_relaxed")
    return with_predictions(table, plan.claim.predictions, forgiving=bool(plan.overrides))


# fewer give no interval worth the name
LEAST_SEEDS = 5


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be thought of a claim at a scale.

    `effect` and `interval` are those of the claim's first rule; `checks` has every rule's. All rules must
    hold; one that fails makes the claim fail. While runs are missing nothing holds or fails.
    `rule_older_than_data` is None without data.
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
    checks: tuple[Judgement, ...]
    reason: str

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
            "effect": number(self.effect),
            "interval": ends(self.interval),
            "rule": self.rule,
            "rule_older_than_data": self.rule_older_than_data,
            "seeds": self.seeds,
            "present": self.present,
            "missing": self.missing,
            "reason": self.reason,
            "checks": [
                {
                    "rule": check.rule,
                    "verdict": check.verdict,
                    "effect": number(check.effect),
                    "interval": ends(check.interval),
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
            checks = tuple(rule.judge(gathered.table) for rule in plan.claim.rules)
        except SimonidesError:
            if not gathered.missing:
                raise
    verdicts = {check.verdict for check in checks}
    if gathered.missing or not checks:
        verdict = UNDECIDED
        reason = f"{gathered.missing} of {len(plan.points)} runs are missing"
        if gathered.failed:
            reason += f", {len(gathered.failed)} of them failed, the first with: {gathered.failed[0][1]}"
    elif plan.grid.seeds < LEAST_SEEDS:
        verdict = UNDECIDED
        reason = f"{plan.grid.seeds} seeds a cell, where an interval needs at least {LEAST_SEEDS}"
    elif FAILS in verdicts:
        verdict = FAILS
    elif UNDECIDED in verdicts:
        verdict = UNDECIDED
        reason = next(check.reason for check in checks if check.verdict == UNDECIDED)
    else:
        verdict = HOLDS
    return Verdict(
        claim=plan.file.id,
        paper=plan.file.paper,
        scale=plan.scale,
        verdict=verdict,
        effect=checks[0].effect if checks else None,
        interval=checks[0].interval if checks else None,
        rule="; ".join(str(rule) for rule in plan.claim.rules),
        rule_older_than_data=(
            all(about.get("rule") == plan.rule for about in gathered.about) if gathered.about else None
        ),
        seeds=plan.grid.seeds,
        present=gathered.present,
        missing=gathered.missing,
        checks=checks,
        reason=reason,
    )

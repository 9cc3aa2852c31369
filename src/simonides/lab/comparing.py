"""Two sets of results side by side: of two versions, machines or engines, and which verdicts changed."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simonides.base import SimonidesError
from simonides.lab.claim import SCALES
from simonides.lab.loading import ClaimFile
from simonides.lab.plan import Plan
from simonides.lab.recording import environments_of, recorded_entry
from simonides.lab.store import Store
from simonides.lab.verdict import gather, judge


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one set of results says of a claim.

    Arguments:
        verdict: of all rules.
        effect: of the first rule; None where there is none.
        interval: of the effect, 95 %.
        runs: how many.
        computed_with: versions, processor and device, each once; what is the same on both sides is left out.
    """

    verdict: str
    effect: float | None
    interval: tuple[float | None, float | None] | None
    runs: int
    computed_with: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A claim in two sets of results.

    Arguments:
        claim: its identifier.
        quantity: what the effects are.
        one, other: the two sides.
        apart: the effects' difference over the root of the sum of squares of both intervals' half widths: beyond 1 they
            are further apart than runs explain. NaN where one has no effect or no interval.
    """

    claim: str
    quantity: str
    one: Side
    other: Side
    apart: float

    @property
    def changed(self) -> bool:
        """Whether the verdicts differ."""
        return self.one.verdict != self.other.verdict

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "changed": self.changed}


def compare(files: Sequence[ClaimFile], scale: str, one: Path, other: Path) -> tuple[list[Compared], list[str]]:
    """Claims that both places hold, and those that one or both lack.

    Arguments:
        files: the claims.
        scale: of the results.
        one, other: each a store, or a folder of recorded results, as `record` writes it.

    Raises:
        SimonidesError: when a place is neither.
    """
    found, lacking = [], []
    for file in files:
        first, second = (_entry(place, file, scale) for place in (one, other))
        if first is None or second is None:
            lacking.append(file.id)
            continue
        environments = [_told(entry) for entry in (first, second)]
        common = set(environments[0]) & set(environments[1])
        made = [
            Side(
                verdict=entry["verdict"],
                effect=entry["effect"],
                interval=None if entry["interval"] is None else (entry["interval"][0], entry["interval"][1]),
                runs=entry["present"],
                computed_with=tuple(text for text in told if text not in common),
            )
            for entry, told in zip((first, second), environments, strict=True)
        ]
        found.append(
            Compared(
                claim=file.id,
                quantity=first["quantity"] or "",
                one=made[0],
                other=made[1],
                apart=_apart(made[0], made[1]),
            )
        )
    return found, lacking


def _entry(place: Path, file: ClaimFile, scale: str) -> dict[str, Any] | None:
    """What a place says of a claim; None where it holds it not, or not whole."""
    if any((place / name).is_dir() for name in SCALES):
        try:
            return recorded_entry(file, scale, place)
        except SimonidesError:
            return None
    if not place.exists():
        raise SimonidesError(f"{place} does not exist; give a store, or a folder of recorded results.")
    plan = Plan(file, scale)
    gathered = gather(plan, Store(place))
    if gathered.missing or not gathered.present:
        return None
    return {**judge(plan, gathered).as_json(), "environments": environments_of(gathered)}


def _told(entry: dict[str, Any]) -> list[str]:
    """What the runs were computed with, a line a fact; the commit is no part of it."""
    facts = {
        f"{name} {value}"
        for one in entry["environments"]
        for name, value in one["environment"].items()
        if name != "commit"
    }
    return sorted(facts)


def _apart(one: Side, other: Side) -> float:
    if one.effect is None or other.effect is None or one.interval is None or other.interval is None:
        return math.nan
    ends = (*one.interval, *other.interval)
    if any(end is None for end in ends):
        return math.nan
    low, high, low_other, high_other = (float(end) for end in ends if end is not None)
    half = math.hypot((high - low) / 2, (high_other - low_other) / 2)
    difference = abs(one.effect - other.effect)
    return difference / half if half > 0 else (0.0 if difference == 0 else math.inf)

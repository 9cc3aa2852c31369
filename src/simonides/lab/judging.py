"""From the numbers of rules to verdicts: holds, partly, fails or undecided, with the sizes of the errors stated.

*holds*: the 90 % interval of every number of every rule lies in its band. Each is a pair of one-sided tests of size
5 %, and all have to pass, so that a claim which is wrong anywhere holds with probability 5 % at most
(intersection-union: Berger 1982; Schuirmann 1987). *fails*: some number lies outside its band by Holm's correction over
all numbers of the claim, so that one which is right everywhere fails with probability 5 % at most. Else *undecided*.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from simonides.base import SimonidesError, holm, runs_needed
from simonides.lab.rules import Part, Reported, Rule

HOLDS, PARTLY, FAILS, UNDECIDED = "holds", "partly", "fails", "undecided"
# probability of a false "fails", and of a false "holds"
SIZE = 0.05


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One rule applied to a table.

    Arguments:
        rule: in words.
        verdict: of this rule.
        quantity: what the effect is, with its unit.
        effect, interval: the number nearest to leaving its band, or farthest outside, and its 95 % interval.
        low, high: its band.
        place: the cell it is of, where it is of one.
        cells: how many numbers the rule has.
        paper: what the paper says.
        note: how straight a line is, over which range.
        reason: why it is undecided, or fails.
        needed: how many runs a cell would decide it; None where that is not known, or nothing is to be decided.
    """

    rule: str
    verdict: str
    quantity: str
    effect: float
    interval: tuple[float, float]
    low: float
    high: float
    place: str = ""
    cells: int = 1
    paper: Reported | None = None
    note: str = ""
    reason: str = ""
    needed: int | None = None


def judge_rules(rules: Sequence[Rule], table: pl.DataFrame, runs: int) -> tuple[Judgement, ...]:
    """Every rule applied to a table of `runs` runs a cell.

    Raises:
        SimonidesError: when a rule asks for what the table does not have.
    """
    parts = [rule.parts(table) for rule in rules]
    for rule, own in zip(rules, parts, strict=True):
        if not own:
            raise SimonidesError(f"rule '{rule}' has no cell to be judged by.")
    corrected = iter(holm([part.p_value for own in parts for part in own]))
    family = sum(map(len, parts))
    return tuple(
        _judged(rule, own, [next(corrected) for _ in own], runs, family)
        for rule, own in zip(rules, parts, strict=True)
    )


def of_rules(checks: Sequence[Judgement]) -> str:
    """What all rules come to: fails where one does, undecided where one is, else holds."""
    verdicts = {check.verdict for check in checks}
    return next((one for one in (FAILS, UNDECIDED) if one in verdicts), HOLDS)


def _judged(rule: Rule, parts: Sequence[Part], p_values: Sequence[float], runs: int, family: int) -> Judgement:
    verdict, reason, needed = HOLDS, "", None
    worst = min(range(len(parts)), key=lambda place: _margin(parts[place]))
    if min(p_values) < SIZE:
        verdict = FAILS
        worst = min(range(len(parts)), key=lambda place: (p_values[place], _margin(parts[place])))
        count = sum(p < SIZE for p in p_values)
        reason = f"{count} of {len(parts)} numbers outside the band" if len(parts) > 1 else "outside the band"
    elif not all(part.holds for part in parts):
        verdict = UNDECIDED
        open_parts = [part for part in parts if not part.holds]
        reason, needed = _why_open(open_parts, runs, family)
    part = parts[worst]
    return Judgement(
        rule=str(rule),
        verdict=verdict,
        quantity=rule.says or rule.quantity,
        effect=part.estimate.value,
        interval=part.interval(),
        low=part.low,
        high=part.high,
        place=part.place,
        cells=len(parts),
        paper=rule.paper,
        note=part.note,
        reason=reason,
        needed=needed,
    )


def _margin(part: Part) -> float:
    """How far a number is inside its band, in standard errors; negative outside; none where there is no number."""
    value, error = part.estimate.value, part.estimate.error
    if not math.isfinite(value):
        return -math.inf
    room = min(value - part.low, part.high - value)
    return room / error if error > 0 else math.copysign(math.inf, room) if room else 0.0


def _why_open(parts: Sequence[Part], runs: int, family: int) -> tuple[str, int | None]:
    """Why numbers are neither in their bands nor outside, and how many runs would decide."""
    unknown = [part for part in parts if not math.isfinite(part.estimate.value)]
    if unknown:
        place = f" ({unknown[0].place})" if unknown[0].place else ""
        return (
            f"a number has no value{place}: a curve without a crossing, a run that never got there, or no prediction",
            None,
        )
    needs = []
    for part in parts:
        value = part.estimate.value
        inside = part.low <= value <= part.high
        room = min(value - part.low, part.high - value) if inside else max(part.low - value, value - part.high)
        share = 1 - SIZE if inside else 1 - SIZE / family
        needs.append(runs_needed(part.estimate, runs, room, share))
    across = f"{len(parts)} intervals reach" if len(parts) > 1 else "its interval reaches"
    if any(need is None for need in needs):
        return f"{across} over the edge of the band, on which a number lies", None
    most = max(need for need in needs if need is not None)
    return f"{across} over the edge of the band; about {most} runs a cell would decide", most

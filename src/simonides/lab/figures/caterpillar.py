"""All claims in one frame: where each one's number lies in its band."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simonides.base import INK, painted
from simonides.lab.judging import FAILS, HOLDS, PARTLY, Judgement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# numbers farther from their band are drawn at its edge
_FARTHEST = 3.0
# colour and mark of each verdict, told apart in grey as well
_MARKS = {HOLDS: ("#009E73", "o"), PARTLY: ("#0072B2", "s"), FAILS: ("#D55E00", "X")}
_OPEN = ("#7a7a7a", "D")


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A claim's number in units of half its band, from the middle of the band."""

    claim: str
    verdict: str
    value: float
    low: float
    high: float


def placed(claim: str, verdict: str, checks: Sequence[Judgement]) -> Placed | None:
    """The first rule of a claim whose band has two ends; None where all have one."""
    for check in checks:
        middle, half = (check.low + check.high) / 2, (check.high - check.low) / 2
        if np.isfinite(half) and half > 0 and np.isfinite(check.effect):
            low, high = ((end - middle) / half for end in check.interval)
            return Placed(claim=claim, verdict=verdict, value=(check.effect - middle) / half, low=low, high=high)
    return None


def caterpillar(claims: Sequence[Placed]) -> dict[str, bytes]:
    """A row for each claim, its 95 % interval against its band from -1 to 1; "svg", "png" and "pdf"."""
    rows = sorted(claims, key=lambda one: one.value)

    def draw(picture: "Figure") -> None:
        axes = picture.subplots()
        axes.axvspan(-1, 1, color="#7a7a7a", alpha=0.15, lw=0)
        axes.axvline(0, lw=0.8, color=INK, alpha=0.5)
        for place, one in enumerate(rows):
            colour, mark = _MARKS.get(one.verdict, _OPEN)
            ends = np.clip([one.low, one.value, one.high], -_FARTHEST, _FARTHEST)
            axes.plot(ends[[0, 2]], [place, place], lw=1.4, color=colour)
            axes.plot(ends[1], place, mark, ms=4.5, color=colour)
        for name, (colour, mark) in {**_MARKS, "undecided": _OPEN}.items():
            axes.plot([], [], mark, ms=4.5, color=colour, label=name)
        axes.set_yticks(range(len(rows)), [one.claim for one in rows], fontsize=7)
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.set_xlim(-1.05 * _FARTHEST, 1.05 * _FARTHEST)
        axes.set_xlabel("distance from the middle of the band, in half bands (beyond 3 drawn at 3)")
        axes.legend(fontsize=7, loc="lower right", ncols=4, bbox_to_anchor=(1.0, 1.0))

    return painted(draw, "Where the number of each claim lies in its band", (7.2, 0.8 + 0.17 * len(rows)))

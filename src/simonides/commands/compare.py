"""`compare`: two sets of results, and which verdicts changed between them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from simonides.base import say, say_json, tell
from simonides.commands.shared import Json, Scale
from simonides.commands.targets import find

if TYPE_CHECKING:
    from simonides.lab import Compared, Side

# beyond this, effects are further apart than their intervals explain
_APART = 1.0


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Compare two sets of results: of two versions, processors or engines. Exits with 1 when a verdict changed.

    Each is a store, or a folder of recorded results as `record --out` writes it; the second is by default what was
    recorded with the code. Claims that one of them does not hold whole are left out, and counted.

    Example: simonides compare simonides-store

    Example: simonides compare store-avx2 store-plain --target dynamics
    """

    one: Annotated[Positional[Path], arg(metavar="DIR", help="A store, or recorded results.")]
    other: Annotated[Positional[Path | None], arg(metavar="DIR", help="Another.")] = None
    target: Annotated[str, arg(metavar="CLAIM|PAPER|..", help="Which claims.")] = "all"
    scale: Scale = "desk"
    json: Json = False


def execute(options: Compare) -> int:
    """Compare, and say what changed."""
    from simonides.lab import compare
    from simonides.lab.registry import results_folder

    files = find(options.target)
    found, lacking = compare(files, options.scale, options.one, options.other or results_folder())
    if options.json:
        say_json([one.as_json() for one in found])
    else:
        for claim in found:
            say(_line(claim))
        changed = sum(one.changed for one in found)
        say(f"{len(found)} claims in both, {changed} verdict{'' if changed == 1 else 's'} changed.")
    if lacking:
        tell(f"left out, as one does not hold them whole: {len(lacking)} of {len(files)} claims")
    return 1 if any(one.changed for one in found) else 0


def _line(claim: "Compared") -> str:
    from simonides.lab import number

    verdicts = f"{claim.one.verdict} -> {claim.other.verdict}" if claim.changed else claim.one.verdict
    text = f"{verdicts:9}  {claim.claim}  {claim.quantity}: {_told(claim.one)}, {_told(claim.other)}"
    if claim.apart > _APART:
        text += f", {number(claim.apart)} times as far apart as their intervals explain"
    if claim.changed:
        differing = [", ".join(side.computed_with) or "no difference" for side in (claim.one, claim.other)]
        text += f"\n    computed with: {differing[0]} | {differing[1]}"
    return text


def _told(side: "Side") -> str:
    from simonides.lab import interval_text, number

    ends = None if side.interval is None else (side.interval[0], side.interval[1])
    return f"{number(side.effect)} {interval_text(ends)}"  # type: ignore[arg-type]

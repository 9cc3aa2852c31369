"""`status`: how much of each plan a store holds. It reads names of folders alone, so it answers at once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simonides.base import say, say_json
from simonides.commands.shared import STORE, Json, Scale, StoreFolder, Target
from simonides.commands.targets import existing, find

if TYPE_CHECKING:
    from simonides.lab import ClaimFile

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Status:
    """Count the runs that a store holds, lacks, or found failed, without reading them.

    Example: simonides status memories --scale desk
    """

    target: Target = "all"
    scale: Scale = "desk"
    store: StoreFolder = STORE
    json: Json = False


def execute(options: Status) -> int:
    """Count the runs of each claim."""
    from simonides.lab import count, kept_keys

    store = existing(options.store)
    entries: list[dict[str, Any]] = []
    for file in find(options.target):
        keys = kept_keys(file, options.scale, store)
        counts = count(file, _planned(file, options.scale) if keys is None else keys, store)
        entries.append(
            {
                "claim": file.id,
                "scale": options.scale,
                "planned": counts.planned,
                "present": counts.present,
                "missing": counts.planned - counts.present,
                "failed": [f"{point}: {why}" for point, why in counts.failures],
            }
        )
    if options.json:
        say_json(entries)
        return 0
    width = max(len(str(entry["claim"])) for entry in entries)
    for entry in entries:
        failed = f", {len(entry['failed'])} failed" if entry["failed"] else ""
        line = f"{entry['claim']:{width}}  {entry['present']} of {entry['planned']} runs at scale {options.scale}"
        say(line + failed)
        for reason in entry["failed"][:_SHOWN]:
            say(f"    {reason}")
    return 0


def _planned(file: "ClaimFile", scale: str) -> list[str]:
    # the claim was never run here as it is now, so it must be loaded, and torch with it
    from simonides.lab import Plan

    return [point.key for point in Plan(file, scale).points]

"""What claims say of themselves, remembered: a claim that was loaded once is shown again without loading it.

Remembered by the hash of its file and of the package, in the user's cache folder; where that cannot be written
nothing is remembered.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simonides.base import SimonidesError, read_json_object, write_text
from simonides.lab.loading import ClaimFile, find, sources

if TYPE_CHECKING:
    from simonides.lab.grid import Grid


def described(target: str) -> list[dict[str, Any]]:
    """Of each claim that a name means: "claim", "lines" to be shown, "parameters" and "references"."""
    return [describe(file) for file in find(target)]


def describe(file: ClaimFile) -> dict[str, Any]:
    """What one claim says of itself."""
    place = _folder() / f"{sources(file)}.json"
    with contextlib.suppress(SimonidesError):
        kept = read_json_object(place)
        if kept.get("file") == str(file.path) and {"claim", "lines", "parameters", "references"} <= kept.keys():
            return kept
    loaded = _load(file)
    with contextlib.suppress(SimonidesError):
        write_text(place, json.dumps(loaded))
    return loaded


def _load(file: ClaimFile) -> dict[str, Any]:
    from simonides.lab.plan import Plan

    claim = Plan(file, "desk").claim
    lines = [file.id, f"  {claim.question}", f"  {claim.source}"]
    lines += [f"  {claim.statement}"] if claim.statement else []
    for scale, grid in claim.scales.items():
        axes = ", ".join(f"{axis} = {values}" for axis, values in _settings(grid))
        lines.append(f"  {scale}: {len(grid.cells)} cells x {grid.seeds} seeds; {axes}")
    lines += [f"  rule: {rule}" for rule in claim.rules]
    lines += [f"  finding: {claim.finding}"] if claim.finding else []
    return {
        "claim": file.id,
        "file": str(file.path),
        "lines": [*lines, f"  file: {file.path}"],
        "parameters": _settings(claim.scales["desk"]),
        "references": list(claim.references),
    }


def _settings(grid: "Grid") -> list[tuple[str, str]]:
    """Every parameter of a grid with the values it takes."""
    return [(axis, _values([cell[axis] for cell in grid.cells])) for axis in sorted(grid.axes)]


def _values(values: list[Any]) -> str:
    different = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    if len(different) > 8 and all(isinstance(value, (int, float)) for value in different):
        return f"{min(different)} .. {max(different)}"
    return ", ".join(str(value) for value in different)


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "simonides" / "claims"

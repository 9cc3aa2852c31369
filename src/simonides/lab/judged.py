"""Verdicts remembered: what was judged once is told again without loading its claim, as long as nothing changed.

A verdict is kept in the store, with a hash of the claim's file, of the package, and of the name, size and time of
every file that the store holds of the claim.
"""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from simonides.base import SimonidesError, read_json_object, write_text
from simonides.lab.loading import ClaimFile, sources


def remembered(root: Path, file: ClaimFile, scale: str) -> dict[str, Any] | None:
    """What was kept of a claim's verdict, or None where anything has changed since."""
    try:
        kept = read_json_object(_place(root, file, scale))
    except SimonidesError:
        return None
    return kept if kept.get("state") == _state(root, file) and {"lines", "verdict"} <= kept.keys() else None


def remember(root: Path, file: ClaimFile, scale: str, lines: list[str], verdict: dict[str, Any]) -> None:
    """Keep a verdict, as it is printed and as JSON, where the store can be written."""
    if not root.is_dir():
        return
    kept = {"state": _state(root, file), "lines": lines, "verdict": verdict}
    with contextlib.suppress(SimonidesError):
        write_text(_place(root, file, scale), json.dumps(kept))


def _place(root: Path, file: ClaimFile, scale: str) -> Path:
    return root / file.id / "verdicts" / f"{scale}.json"


def _state(root: Path, file: ClaimFile) -> str:
    digest = hashlib.sha256(sources(file).encode())
    folder = root / file.id
    for path in sorted(
        [*folder.glob("[0-9a-f][0-9a-f]/*/*"), *folder.glob("failed/*"), *folder.glob("damaged/*")]
    ):
        try:
            state = path.stat()
        except FileNotFoundError:  # another run has just moved it
            continue
        digest.update(f"{path.relative_to(folder)} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]

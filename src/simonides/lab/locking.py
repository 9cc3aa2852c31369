"""rules.lock: the rules of every claim as they were fixed, with the day and the reason of each change.

A file beside the papers, of one list for each claim, the last entry being what is judged by now. A verdict tells how
often its rules were changed, and what it would be under those before.
"""

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from simonides.base import SimonidesError, read_json_object, write_text
from simonides.lab import rules as kinds
from simonides.lab.fingerprint import keyword_fingerprint
from simonides.lab.loading import ClaimFile
from simonides.lab.plan import Plan
from simonides.lab.registry import folders
from simonides.lab.rules import Crossing, Reported, Rule

_NAME = "rules.lock"
# the rules that judge a result
_SCALE = "desk"


def lock(file: ClaimFile, reason: str) -> bool:
    """Write a claim's rules down; returns whether they had changed.

    Raises:
        SimonidesError: when a change has no reason, or the claim is none of a registered folder.
    """
    plan = Plan(file, _SCALE)
    place = lock_file(file)
    kept = read_json_object(place) if place.exists() else {}
    history = kept.setdefault(file.id, [])
    digest = rules_hash(plan)
    if history and history[-1]["hash"] == digest:
        return False
    if not reason.strip():
        raise SimonidesError(f"the rules of {file.id} have changed; say why, with --reason.")
    history.append(
        {
            "hash": digest,
            "date": datetime.date.today().isoformat(),
            "reason": reason,
            "rules": [as_json(rule) for rule in plan.claim.rules],
        }
    )
    write_text(place, json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
    return True


def rules_hash(plan: Plan) -> str:
    """Hash of a claim's rules and of the source of its predictions; the same on every processor."""
    source = keyword_fingerprint(plan.file.text, "claim", "predictions")
    text = json.dumps([[as_json(rule) for rule in plan.claim.rules], source], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def lock_file(file: ClaimFile) -> Path:
    """Where the rules of a claim are written down.

    Raises:
        SimonidesError: when it is none of a registered folder.
    """
    for folder in folders():
        if file.path.is_relative_to(folder):
            return folder / _NAME
    raise SimonidesError(f"{file.id} is in no registered folder; its rules are not locked.")


def history_of(file: ClaimFile) -> list[dict[str, Any]]:
    """The entries of a claim, the last being the one that counts; none of a file outside the package."""
    try:
        place = lock_file(file)
    except SimonidesError:
        return []
    return list(_read(place, place.stat().st_mtime_ns if place.exists() else 0).get(file.id, []))


@cache
def _read(place: Path, changed: int) -> Mapping[str, Any]:
    return read_json_object(place) if changed else {}


def as_json(rule: Any) -> dict[str, Any]:
    """A rule, or a part of one, by its class and what is not left as it is by itself."""
    plain: dict[str, Any] = {"class": type(rule).__name__}
    for entry in fields(rule):
        value = getattr(rule, entry.name)
        if value == entry.default or (entry.name == "where" and not value):
            continue
        plain[entry.name] = as_json(value) if is_dataclass(value) else value
    return plain


def from_json(plain: Mapping[str, Any]) -> Rule:
    """The rule that `as_json` wrote down."""
    values: dict[str, Any] = {}
    for name, value in plain.items():
        if name == "class":
            continue
        if name in ("of", "paper") and isinstance(value, Mapping):
            part = Crossing if value["class"] == "Crossing" else Reported
            values[name] = part(**{key: entry for key, entry in value.items() if key != "class"})
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    made: Rule = getattr(kinds, plain["class"])(**values)
    return made

"""Counting a plan's points in a store by their folders' names alone: no claim is loaded and no row is read."""

from collections.abc import Sequence
from dataclasses import dataclass

from simonides.lab.loading import ClaimFile, sources
from simonides.lab.store import Store, failure_in


@dataclass(frozen=True, kw_only=True)
class Count:
    """What a store has of a plan; `failures` are points with the reason, of those that are not there."""

    planned: int
    present: int
    failures: tuple[tuple[str, str], ...]


def kept_keys(file: ClaimFile, scale: str, store: Store) -> list[str] | None:
    """The keys of the plan that was run last at a scale, or None where the claim has changed since."""
    kept = store.read_plan(file.id, scale)
    return kept["keys"] if kept.get("sources") == sources(file) and isinstance(kept.get("keys"), list) else None


def count(file: ClaimFile, keys: Sequence[str], store: Store) -> Count:
    """Count the points with these keys."""
    present, failures = store.listing(file.id)
    reasons = tuple(failure_in(failures[key]) for key in keys if key in failures and key not in present)
    return Count(planned=len(keys), present=sum(key in present for key in keys), failures=reasons)

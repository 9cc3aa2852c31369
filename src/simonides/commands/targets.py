"""From a name on the command line to claims and plans."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simonides.base import SimonidesError, suggest
from simonides.lab import ClaimFile, loading

if TYPE_CHECKING:
    from simonides.lab import Plan, Store


# one claim for each part of the talk, in its order
TALK = (
    "memories/linear-capacity",
    "memories/low-rank-capacity",
    "memories/mlp-capacity",
    "gradients/one-step-memory",
    "scaling/data-limited",
    "induction/depth",
    "induction/global-before-context",
    "facts/sequential-learning",
    "facts/hallucination-order",
    "truncation/noise-in-feedforward",
)


def find(target: str) -> list[ClaimFile]:
    """The claims that a name on the command line means, or several names with commas between.

    Raises:
        SimonidesError: when it names none.
    """
    if "," in target and not Path(target).exists():
        found = [file for part in target.split(",") for file in find(part.strip())]
        by_id = {file.id: file for file in found}
        for file in found:
            if (other := by_id[file.id]).path != file.path:
                raise SimonidesError(f"{file.path} and {other.path} would both be {file.id}; rename one of them.")
        return list(by_id.values())
    path = Path(target)
    if path.suffix == ".py" or path.is_file():
        if not path.is_file():
            raise SimonidesError(f"claim file {target} does not exist; check the path.")
        return [loading.local(path)]
    known = loading.scan()
    chosen = [file for file in known if target in ("all", file.id, file.paper)]
    if target == "talk":
        order = {name: place for place, name in enumerate(TALK)}
        chosen = sorted((file for file in known if file.id in order), key=lambda file: order[file.id])
    if not chosen:
        names = {file.id for file in known} | {file.paper for file in known} | {"all", "talk"}
        near = suggest(target, names)
        hint = f"{near} See: simonides list" if near.startswith("did") else "see: simonides list"
        raise SimonidesError(f"no claim or paper is called {target!r}; {hint}")
    return chosen


def plans_for(target: str, scale: str, overrides: dict[str, Any] | None = None) -> list["Plan"]:
    """A plan for every claim that a name means."""
    files = find(target)
    from simonides.lab import Plan

    return [Plan(file, scale, tuple((overrides or {}).items())) for file in files]


def existing(folder: Path) -> "Store":
    """A store to read from, with a word where there is none yet."""
    if not folder.exists():
        print(f"store {folder} does not exist yet; nothing has been run there", file=sys.stderr)
    from simonides.lab import Store

    return Store(folder)

"""Where claims are: folders that are told, with a folder a paper, and a file a claim in its folder `claims`.

A folder may hold a bibliography, references.bib, whose keys its claims cite.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

_FOLDERS: list[Path] = []
_GROUPS: dict[str, tuple[str, ...]] = {}
_RESULTS: list[Path] = []


def register(folder: Path, groups: Mapping[str, Sequence[str]] | None = None, results: Path | None = None) -> None:
    """Add a folder of papers; those of the package come first.

    Arguments:
        folder: the folder.
        groups: names under which several claims are asked for together, in an order of their own.
        results: the folder of what was recorded of them.
    """
    if folder not in _FOLDERS:
        _FOLDERS.append(folder)
    if results is not None and results not in _RESULTS:
        _RESULTS.append(results)
    _GROUPS.update({name: tuple(claims) for name, claims in (groups or {}).items()})


def folders() -> tuple[Path, ...]:
    """The folders of papers, in the order they were told."""
    return tuple(_FOLDERS)


def results_folder() -> Path:
    """Where recorded results are."""
    return _RESULTS[0]


def groups() -> dict[str, tuple[str, ...]]:
    """The named groups of claims."""
    return dict(_GROUPS)

"""Where claims are: folders that are told, one folder a paper in each, with its claims in PAPER/claims/*.py.

A folder may hold a bibliography, references.bib, whose keys its claims cite.
"""

from pathlib import Path

_FOLDERS: list[Path] = []


def register(folder: Path) -> None:
    """Add a folder of papers; those of the package come first."""
    if folder not in _FOLDERS:
        _FOLDERS.append(folder)


def folders() -> tuple[Path, ...]:
    """The folders of papers, in the order they were told."""
    return tuple(_FOLDERS)

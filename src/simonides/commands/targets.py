"""From a name on the command line to claims, stores and what claims say of themselves."""

from pathlib import Path
from typing import TYPE_CHECKING

from simonides.base import tell
from simonides.lab import described, find

if TYPE_CHECKING:
    from simonides.lab import Store

__all__ = ["described", "existing", "existing_folder", "find"]


def existing_folder(folder: Path) -> Path:
    """The folder of a store to read from, with a word where there is none yet."""
    if not folder.exists():
        tell(f"store {folder} does not exist yet; nothing has been run there")
    return folder


def existing(folder: Path) -> "Store":
    """A store to read from, with a word where there is none yet."""
    from simonides.lab import Store

    return Store(existing_folder(folder))

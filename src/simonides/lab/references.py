"""The bibliography: BibTeX entries by key, from the files beside the registered papers."""

import re
from collections.abc import Sequence
from functools import cache

from simonides.base import SimonidesError, suggest
from simonides.lab.registry import folders


@cache
def bibliography() -> dict[str, str]:
    """Every entry of the registered bibliographies by its key."""
    files = [path for folder in folders() if (path := folder / "references.bib").is_file()]
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in files)
    entries = re.split(r"\n(?=@)", text.strip())
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry.strip() for entry in entries}


def bibtex(references: Sequence[str]) -> str:
    """The BibTeX of a claim's references: keys of the bibliography, or entries of its own.

    Raises:
        SimonidesError: when a key is unknown.
    """
    entries = []
    for reference in references:
        if reference.lstrip().startswith("@"):
            entries.append(reference.strip())
        elif reference in bibliography():
            entries.append(bibliography()[reference])
        else:
            raise SimonidesError(
                f"reference {reference!r} is unknown; {suggest(reference, bibliography())} "
                "A BibTeX entry of your own works too."
            )
    return "\n\n".join(entries)

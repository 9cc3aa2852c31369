"""The bibliography: BibTeX entries by key, from the file that comes with the package."""

import re
from collections.abc import Sequence
from functools import cache

from simonides.errors import SimonidesError, suggest
from simonides.lab.loading import PAPERS


@cache
def bibliography() -> dict[str, str]:
    """Every entry of the package's bibliography by its key."""
    text = (PAPERS / "references.bib").read_text(encoding="utf-8")
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

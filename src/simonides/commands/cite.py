"""`cite`: the BibTeX of what claims rest on."""

from dataclasses import dataclass

from simonides.base import say
from simonides.commands.shared import Target
from simonides.commands.targets import described


@dataclass(frozen=True, kw_only=True)
class Cite:
    """Print the BibTeX of what a claim or paper rests on.

    Example: simonides cite memories/linear-capacity
    """

    target: Target


def execute(options: Cite) -> int:
    """Print each entry once."""
    from simonides.lab import bibtex

    references = dict.fromkeys(key for claim in described(options.target) for key in claim["references"])
    say(bibtex(list(references)))
    return 0

"""`list`: every claim, a line each, read without importing one."""

from dataclasses import dataclass

from simonides.base import say, say_json
from simonides.commands.shared import Json
from simonides.lab import loading


@dataclass(frozen=True, kw_only=True)
class List:
    """List all claims, a line each.

    Example: simonides list
    """

    json: Json = False


def execute(options: List) -> int:
    """Names and first lines, read without importing a claim."""
    files = loading.scan()
    if options.json:
        say_json([{"claim": f.id, "paper": f.paper, "summary": f.summary} for f in files])
        return 0
    width = max(len(file.id) for file in files)
    for file in files:
        say(f"{file.id:{width}}  {file.summary}")
    return 0

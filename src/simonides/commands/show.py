"""`show`: everything a claim says of itself."""

from dataclasses import dataclass

from simonides.base import say
from simonides.commands.shared import Target
from simonides.commands.targets import described


@dataclass(frozen=True, kw_only=True)
class Show:
    """Show one claim: question, source, sizes, rules.

    Example: simonides show memories/linear-capacity
    """

    target: Target


def execute(options: Show) -> int:
    """Print question, source, sizes and rules."""
    for claim in described(options.target):
        say("\n".join(claim["lines"]))
    return 0


def parameters(target: str) -> str:
    """What can be set by hand in the claims that a name means, and what desk scale sets."""
    lines = ["Parameters, to be set for an exploration:"]
    for claim in described(target):
        axes = (f"--{axis} ({values})" for axis, values in claim["parameters"])
        lines.append(f"  {claim['claim']}: {', '.join(axes)}")
    return "\n".join(lines)

"""`list`, `show` and `cite`: what there is, without looking at any result."""

import json
from typing import TYPE_CHECKING, Any

from simonides import options as given
from simonides.commands.targets import plans_for
from simonides.lab import loading

if TYPE_CHECKING:
    from simonides.lab import Grid


def execute(command: given.List | given.Show | given.Cite) -> int:
    """Do one of the three."""
    match command:
        case given.List():
            return list_claims(command)
        case given.Show():
            return show(command)
        case given.Cite():
            return cite(command)


def list_claims(options: given.List) -> int:
    """Names and first lines, read without importing a claim."""
    files = loading.scan()
    if options.json:
        print(json.dumps([{"claim": f.id, "paper": f.paper, "summary": f.summary} for f in files], indent=1))
        return 0
    width = max(len(file.id) for file in files)
    for file in files:
        print(f"{file.id:{width}}  {file.summary}")
    return 0


def show(options: given.Show) -> int:
    """Everything a claim says of itself."""
    for plan in plans_for(options.target, "desk"):
        claim = plan.claim
        print(f"{plan.file.id}\n  {claim.question}\n  {claim.source}")
        if claim.statement:
            print(f"  {claim.statement}")
        for scale, grid in claim.scales.items():
            axes = ", ".join(f"{axis} = {values}" for axis, values in _settings(grid))
            print(f"  {scale}: {len(grid.cells)} cells x {grid.seeds} seeds; {axes}")
        for rule in claim.rules:
            print(f"  rule: {rule}")
        if claim.finding:
            print(f"  finding: {claim.finding}")
        print(f"  file: {plan.file.path}")
    return 0


def parameters(target: str) -> str:
    """What can be set by hand in the claims that a name means, and what desk scale sets."""
    lines = ["Parameters, to be set for an exploration:"]
    for plan in plans_for(target, "desk"):
        axes = (f"--{axis} ({values})" for axis, values in _settings(plan.claim.scales["desk"]))
        lines.append(f"  {plan.file.id}: {', '.join(axes)}")
    return "\n".join(lines)


def cite(options: given.Cite) -> int:
    """Print each entry once."""
    from simonides.lab import bibtex

    references = dict.fromkeys(r for plan in plans_for(options.target, "desk") for r in plan.claim.references)
    print(bibtex(list(references)))
    return 0


def _settings(grid: "Grid") -> list[tuple[str, str]]:
    """Every parameter of a grid with the values it takes."""
    return [(axis, _values([cell[axis] for cell in grid.cells])) for axis in sorted(grid.axes)]


def _values(values: list[Any]) -> str:
    different = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    if len(different) > 8 and all(isinstance(value, (int, float)) for value in different):
        return f"{min(different)} .. {max(different)}"
    return ", ".join(str(value) for value in different)

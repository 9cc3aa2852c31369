"""Plans: the points that a claim needs at a scale, and the rule they are measured under."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from simonides.base import SimonidesError, check_name
from simonides.lab.claim import SCALES, Claim
from simonides.lab.fingerprint import code_fingerprint, keyword_fingerprint
from simonides.lab.grid import Grid, Value, listed
from simonides.lab.loading import ClaimFile, sources
from simonides.lab.point import Point
from simonides.lab.prediction import needed, predict
from simonides.lab.store import Store


@dataclass(frozen=True)
class Plan:
    """A claim at one scale, or an exploration of it.

    Arguments:
        file: the claim's file.
        scale: "smoke", "desk" or "paper".
        overrides: parameters set by hand, each to a value or to several; such a plan explores, and is not counted in
            the verdict.
        seeds: of each cell, in place of the claim's own.
    """

    file: ClaimFile
    scale: str
    overrides: tuple[tuple[str, Value | Sequence[Value]], ...] = ()
    seeds: int | None = None

    def __post_init__(self) -> None:
        check_name("scale", self.scale, SCALES)
        for name, value in self.overrides:
            grid = self.claim.scales[self.scale]
            check_name(f"parameter of {self.file.id}", name, grid.axes)
            kinds = {type(cell[name]) for cell in grid.cells}
            for one in listed(value):
                if type(one) not in kinds and not (kinds == {float} and type(one) is int):
                    expected = " or ".join(sorted(kind.__name__ for kind in kinds))
                    raise SimonidesError(f"--{name} {one} is no {expected}, which {self.file.id} asks for.")

    @cached_property
    def claim(self) -> Claim:
        """The loaded claim."""
        claim = self.file.module.claim
        if not isinstance(claim, Claim):
            raise SimonidesError(f"{self.file.path}: `claim` is a {type(claim).__name__}; it must be a Claim.")
        return claim

    @cached_property
    def grid(self) -> Grid:
        """The cells and seeds."""
        grid = self.claim.scales[self.scale].override(dict(self.overrides))
        return grid if self.seeds is None else grid.with_seeds(self.seeds)

    @cached_property
    def points(self) -> list[Point]:
        """All points, the seeds of a cell beside one another."""
        name = getattr(self.claim.measure, "__name__", "")
        code = code_fingerprint(self.file.text, [name], self.file.local_modules)
        return [
            Point(
                claim=self.file.id,
                version=self.claim.version,
                code=code,
                parameters=tuple(sorted(cell.items())),
                seed=seed,
            )
            for cell in self.grid.cells
            for seed in range(self.grid.seeds)
        ]

    @cached_property
    def stacks(self) -> list[list[Point]]:
        """The points in groups that are measured together: up to `claim.stack` seeds of one cell.

        A group is always measured whole, also when only some of it is missing, so that its numbers never
        depend on where an earlier run was broken off.
        """
        seeds, most = self.grid.seeds, self.claim.stack
        return [
            self.points[start + first : start + min(first + most, seeds)]
            for start in range(0, len(self.points), seeds)
            for first in range(0, seeds, most)
        ]

    @cached_property
    def rule(self) -> str:
        """Hash of what judges the claim: its rules, and its predictions by source and by value.

        The values are those on the smoke grid, to six digits, so that a change anywhere in the theory
        counts as a change of the rule.
        """
        source = keyword_fingerprint(self.file.text, "claim", "predictions")
        values = [
            f"{column} {dict(cell)} {predict(function, cell):.6g}"
            for column, function in self.claim.predictions.items()
            for cell in self.claim.scales["smoke"].cells
            if needed(function) <= set(cell)
        ]
        text = json.dumps([[repr(rule) for rule in self.claim.rules_at(self.scale)], source, values])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def keep_plan(plan: Plan, store: Store) -> None:
    """Write the plan's keys to the store, so that `status` can count them; explorations are not kept."""
    if not plan.overrides:
        keys = [point.key for point in plan.points]
        store.write_plan(plan.file.id, plan.scale, {"sources": sources(plan.file), "keys": keys})

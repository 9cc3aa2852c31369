"""A claim: one result, with its question, its prediction, its measurement and the rule that judges it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Num
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.lab.figures import Figure
from simonides.lab.grid import Grid
from simonides.lab.rules import Rule

SCALES = ("smoke", "desk", "paper")


class Runs:
    """What `measure` is given beside the parameters: R runs of one cell, measured together.

    Arguments:
        seeds: the R seeds.
        generators: one `torch.Generator` for each run, on the CPU.
        device: where to compute: the GPU when there is one, or what was asked for.
        scratch: a folder of these runs alone, which outlives a kill and is removed when they are stored: a long
            `measure` keeps its checkpoints there and goes on from them.
    """

    def __init__(
        self,
        *,
        seeds: tuple[int, ...],
        generators: tuple[torch.Generator, ...],
        device: torch.device,
        scratch: Path,
    ) -> None:
        self.seeds, self.generators, self.scratch = seeds, generators, scratch
        self._device, self._device_read = device, False

    @property
    def device(self) -> torch.device:
        """Where to compute."""
        self._device_read = True
        return self._device

    @property
    def computed_on(self) -> torch.device:
        """Where `measure` has computed: on the CPU if it never asked for the device."""
        return self._device if self._device_read else torch.device("cpu")

    def __len__(self) -> int:
        return len(self.seeds)

    def each(
        self, one_run: Callable[[torch.Generator], Mapping[str, float | Num[Tensor, "..."]]]
    ) -> dict[str, Num[Tensor, "runs ..."]]:
        """The columns of runs that are measured one after the other.

        Arguments:
            one_run: measures one run, from its generator: a number, or the numbers of its rows, for each column.

        Raises:
            SimonidesError: when two runs have different columns.
        """
        rows = [one_run(generator) for generator in self.generators]
        if any(row.keys() != rows[0].keys() for row in rows):
            raise SimonidesError(f"runs gave different columns: {', '.join(rows[0])}, and {', '.join(rows[-1])}.")
        return {name: torch.stack([torch.as_tensor(row[name]).double() for row in rows]) for name in rows[0]}

    def scratch_of(self, run: int) -> Path:
        """The folder of one of the runs, made if it is not there."""
        folder = self.scratch / f"seed-{self.seeds[run]}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


Columns = Mapping[str, Num[Tensor, " runs"] | Num[Tensor, "runs rows"]]
Measure = Callable[..., Columns]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One result and how it is judged.

    Arguments:
        question: what is asked, in one sentence.
        statement: the theorem or finding in LaTeX, shown as a formula; may be empty.
        source: where it is claimed, such as "Nichani, Lee & Bietti (2025), theorem 1".
        references: keys of the bibliography that comes with the package, or BibTeX entries.
        scales: a grid for each of "smoke", "desk" and "paper".
        measure: `measure(runs, **parameters)` returns columns, each of shape (runs,), or (runs, rows) where a
            run yields several rows. Run r may depend on nothing but the parameters and `runs.generators[r]`, up
            to rounding: a stack is always measured whole.
        predictions: for a measured column, the function of parameters (and other columns) that predicts it.
        rules: all must hold; the first gives the claim's effect and interval.
        sanity: rules of the smoke scale, which only shows whether all runs and signs are right; by default the same.
        untested: what the statement says and no rule tests; a claim whose rules hold then holds *partly*.
        differs: how the setting differs from the paper's.
        deterministic: whether runs do not differ: then one is measured, and numbers have no interval.
        figures: drawn for the report.
        finding: what was found out about a claim that fails, or about where its theory is off.
        version: raised when code outside the claim's file changes what is measured.
        stack: how many seeds of a cell are measured together at most.
    """

    question: str
    source: str
    scales: Mapping[str, Grid]
    measure: Measure
    rules: Sequence[Rule]
    statement: str = ""
    sanity: Sequence[Rule] = ()
    untested: str = ""
    differs: str = ""
    deterministic: bool = False
    references: Sequence[str] = ()
    predictions: Mapping[str, Callable[..., float]] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    finding: str = ""
    version: int = 1
    stack: int = 8

    def rules_at(self, scale: str) -> tuple[Rule, ...]:
        """The rules that judge a scale."""
        return tuple(self.sanity if scale == "smoke" and self.sanity else self.rules)

    def _check_kinds(self) -> None:
        """Raise `SimonidesError` where a field is of another kind than it says."""
        texts = ("question", "source", "statement", "untested", "differs", "finding")
        several: dict[str, Any] = {"rules": Rule, "sanity": Rule, "figures": Figure, "references": str}
        for name in texts:
            if not isinstance(getattr(self, name), str):
                raise SimonidesError(f"Claim({name}={getattr(self, name)!r}): expected a text.")
        for name, kind in several.items():
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise SimonidesError(f"Claim({name}={value!r}): expected a list.")
            for entry in value:
                if not isinstance(entry, kind):
                    known = getattr(kind, "__args__", (kind,))
                    names = ", ".join(one.__name__ for one in known)
                    raise SimonidesError(f"Claim({name}=[{entry!r}]): expected {names}.")
        for name in ("scales", "predictions"):
            mapping = getattr(self, name)
            if not isinstance(mapping, Mapping) or not all(isinstance(key, str) for key in mapping):
                raise SimonidesError(f"Claim({name}={mapping!r}): expected a dictionary by name.")
            for key, value in mapping.items():
                if not (isinstance(value, Grid) if name == "scales" else callable(value)):
                    kind = "a Grid" if name == "scales" else "a function"
                    raise SimonidesError(f"Claim({name}={{{key!r}: {value!r}}}): expected {kind}.")
        if not callable(self.measure):
            raise SimonidesError(f"Claim(measure={self.measure!r}): expected a function of runs and parameters.")

    def __post_init__(self) -> None:
        self._check_kinds()
        check_at_least("version", self.version, 1)
        check_at_least("stack", self.stack, 1)
        if not self.rules:
            raise SimonidesError("a claim needs a rule to be judged by; give at least one in rules=[...].")
        if set(self.scales) != set(SCALES):
            raise SimonidesError(f"scales are {sorted(self.scales)}; give smoke, desk and paper.")
        axes = self.scales["smoke"].axes
        for scale, grid in self.scales.items():
            if not grid.cells:
                raise SimonidesError(f"scale {scale} has no cells; give at least one.")
        for scale, grid in self.scales.items():
            if set(grid.axes) != set(axes):
                raise SimonidesError(
                    f"scale {scale} has the parameters {sorted(grid.axes)} where smoke has {sorted(axes)}."
                )
        accepted = inspect.signature(self.measure).parameters
        if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
            wanted = set(list(accepted)[1:])
            if wanted != set(axes):
                raise SimonidesError(
                    f"measure takes the parameters {sorted(wanted)} and the grids give {sorted(axes)}; "
                    "they must agree: def measure(runs, *, " + ", ".join(sorted(axes)) + ")."
                )

"""Grids: the cells (parameter settings) of a claim and how many seeds each is measured with."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simonides.base import SimonidesError, check_at_least

Value = int | float | str | bool
Cell = Mapping[str, Value]


@dataclass(frozen=True)
class Grid:
    """Cells, each measured with seeds 0 .. seeds - 1.

    Built by `product`, `zipped` and `cells`, and combined: `a * b` crosses two grids, `a + b` puts one after
    the other. `seeds` belongs to the whole: set it last, by `with_seeds`.
    """

    cells: tuple[Cell, ...]
    seeds: int = 1

    def __post_init__(self) -> None:
        check_at_least("seeds", self.seeds, 1)
        names = [set(cell) for cell in self.cells]
        if any(other != names[0] for other in names):
            raise SimonidesError(f"the cells of a grid name different parameters: {names}; give all the same.")
        for name, value in itertools.chain.from_iterable(cell.items() for cell in self.cells):
            if not name.isidentifier() or name in ("seed", "row"):
                raise SimonidesError(f"{name!r} cannot name a parameter; give an identifier, not seed or row.")
            if not isinstance(value, (int, float, str, bool)):
                raise SimonidesError(f"{name} = {value!r} is no int, float, str or bool; give one of these.")
        keys = [tuple(sorted(cell.items())) for cell in self.cells]
        if len(set(keys)) != len(keys):
            raise SimonidesError("a grid holds the same cell twice; remove one.")

    def __mul__(self, other: "Grid") -> "Grid":
        shared = set(self.axes) & set(other.axes)
        if shared:
            raise SimonidesError(f"both grids set {sorted(shared)}; cross grids of different parameters.")
        return Grid(tuple({**a, **b} for a in self.cells for b in other.cells))

    def __add__(self, other: "Grid") -> "Grid":
        return Grid(self.cells + other.cells)

    def with_seeds(self, seeds: int) -> "Grid":
        """The same cells with this many seeds each."""
        return Grid(self.cells, seeds)

    def override(self, values: Mapping[str, Value | Sequence[Value]]) -> "Grid":
        """The grid with some parameters set everywhere, to one value or to each of several; equal cells are one.

        >>> product(d=[16, 32], facts=[7]).override({"d": 8, "facts": [1, 2]}).cells
        ({'d': 8, 'facts': 1}, {'d': 8, 'facts': 2})
        """
        lists = map(listed, values.values())
        settings = [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*lists)]
        merged = {
            tuple(sorted({**cell, **setting}.items())): {**cell, **setting}
            for setting in settings
            for cell in self.cells
        }
        return Grid(tuple(merged.values()), self.seeds)

    @property
    def axes(self) -> tuple[str, ...]:
        """The parameters' names."""
        return tuple(self.cells[0]) if self.cells else ()


def listed(value: Value | Sequence[Value]) -> list[Value]:
    """The values that a parameter is set to by hand: one, or several."""
    return [value] if isinstance(value, (int, float, str, bool)) else list(value)


def product(**axes: Sequence[Any]) -> Grid:
    """Every combination of the values given, the last parameter running fastest.

    >>> len(product(d=[16, 32], kind=["sphere", "gaussian"]).cells)
    4
    """
    return Grid(tuple(dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())))


def zipped(**axes: Sequence[Any]) -> Grid:
    """The first values together, the second values together, and so on.

    >>> zipped(d=[16, 32], facts=[7, 28]).cells[1]
    {'d': 32, 'facts': 28}
    """
    lengths = {name: len(values) for name, values in axes.items()}
    if len(set(lengths.values())) > 1:
        raise SimonidesError(f"zipped parameters have different lengths: {lengths}; give equally many values.")
    return Grid(tuple(dict(zip(axes, values, strict=True)) for values in zip(*axes.values(), strict=True)))


def cells(settings: Iterable[Cell]) -> Grid:
    """The cells as they are listed."""
    return Grid(tuple(dict(cell) for cell in settings))

"""What was measured, cell by cell and run by run: what every rule and figure starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from simonides.base import Estimate, SimonidesError, combination, suggest
from simonides.lab.grid import Value

Where = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class CellValues:
    """A column by cells and runs.

    Arguments:
        cells: parameters of each, and the row inside a point where it has many.
        runs: the values, NaN where there is none.
        groups: cells with one mark share their runs, as the rows of a training do.
    """

    cells: tuple[dict[str, Any], ...]
    runs: Float[np.ndarray, "cells n"]
    groups: tuple[object, ...]

    @property
    def means(self) -> Float[np.ndarray, " cells"]:
        """Over the runs that there are."""
        finite = np.isfinite(self.runs)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(finite, self.runs, 0).sum(1) / finite.sum(1)

    def estimate(self, coefficients: Float[np.ndarray, " cells"], value: float) -> Estimate:
        """A number whose change with the cells' means is known: its standard error comes of theirs."""
        if not np.all(np.isfinite(coefficients)):
            return Estimate(value=value, error=np.inf, freedom=0)
        error, freedom = combination(coefficients, self.runs, self.groups)
        return Estimate(value=value, error=error, freedom=freedom)

    def mean_estimates(self) -> list[Estimate]:
        """The mean of each cell."""
        ones = np.eye(len(self.cells))
        return [self.estimate(ones[place], float(mean)) for place, mean in enumerate(self.means)]

    def place(self, index: int) -> str:
        """A cell by those of its parameters that are not the same in all."""
        telling = [name for name in self.cells[0] if len({cell[name] for cell in self.cells}) > 1]
        return ", ".join(f"{name} = {self.cells[index][name]}" for name in telling)


def cell_columns(table: pl.DataFrame) -> list[str]:
    """The columns that tell one cell from another: parameters, and the row inside a point where it has many."""
    names = [name for name in table.columns if name.startswith("cell ")]
    return names + (["row"] if table["row"].max() else [])


def measured_columns(table: pl.DataFrame) -> list[str]:
    """The columns that `measure` returned."""
    return [n for n in table.columns if not n.startswith(("cell ", "predicted ")) and n not in ("seed", "row")]


def check_column(table: pl.DataFrame, column: str) -> None:
    """Raise `SimonidesError` where a table lacks a column."""
    if column not in table.columns:
        raise SimonidesError(
            f"a rule asks for the column {column!r}, which measure does not return; "
            + suggest(column, measured_columns(table))
        )


def cell_values(table: pl.DataFrame, column: str, whole: bool = False) -> CellValues:
    """A column of a table by cells and runs; a number that a run says in each of its rows counts once, unless `whole`.

    Raises:
        SimonidesError: when the table has no such column.
    """
    check_column(table, column)
    keys = cell_columns(table)
    wide = (
        table.select([*keys, "seed", pl.col(column).cast(pl.Float64)])
        .pivot("seed", index=keys, values=column, sort_columns=False)
        .sort(keys)
    )
    cells = tuple(
        {name.removeprefix("cell "): value for name, value in row.items()}
        for row in wide.select(keys).iter_rows(named=True)
    )
    runs = wide.drop(keys).fill_null(np.nan).to_numpy()
    groups = tuple(tuple(value for name, value in cell.items() if name != "row") for cell in cells)
    if "row" in keys and not whole and (firsts := _one_each(runs, groups)) is not None:
        # a number of the whole run, said again in every row, is one number
        cells = tuple({name: value for name, value in cells[n].items() if name != "row"} for n in firsts)
        runs, groups = runs[firsts], tuple(groups[n] for n in firsts)
    return CellValues(cells=cells, runs=runs, groups=groups)


def _one_each(runs: Float[np.ndarray, "cells n"], groups: tuple[object, ...]) -> list[int] | None:
    """The first cell of each group, where all cells of a group have the same runs."""
    first: dict[object, int] = {}
    for place, group in enumerate(groups):
        if not np.array_equal(runs[place], runs[first.setdefault(group, place)], equal_nan=True):
            return None
    return list(first.values())


def selected(table: pl.DataFrame, where: Where) -> pl.DataFrame:
    """The rows of the cells with these values.

    Raises:
        SimonidesError: when the grid has no such parameter, or no row is left.
    """
    for name, value in where.items():
        if f"cell {name}" not in table.columns:
            raise SimonidesError(f"where={dict(where)}: the grid has no parameter {name!r}.")
        table = table.filter(pl.col(f"cell {name}") == value)
    if table.is_empty():
        raise SimonidesError(f"where={dict(where)} selects no row of the table.")
    return table

"""What all figures share: colours, cells chosen and grouped, means with intervals, labels of axes."""

import itertools
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from simonides.base import COLOURS, SimonidesError, check_name, mean_estimate
from simonides.lab.cell_values import Where, cell_columns, measured_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# entries of a legend that find room among the points
_MOST_INSIDE = 5
# measured places that are ticks of their own
_MOST_TICKS = 7


def check_columns(table: pl.DataFrame, column: str, *parameters: str) -> None:
    """Raise `SimonidesError` where a figure names what the table does not have."""
    check_name("a figure asks for a column, and", column, measured_columns(table))
    known = [n.removeprefix("cell ") for n in table.columns if n.startswith("cell ")]
    for name in filter(None, parameters):
        check_name("a figure asks for a parameter, and", name, known)


def cycle() -> list[tuple[str, str]]:
    """Colour and marker of one group after another; neighbours differ in both, for eyes that see few colours."""
    return [(COLOURS[place % len(COLOURS)], "osD^v"[place % 5]) for place in range(5 * len(COLOURS))]


def dashes() -> Iterable[str]:
    """Line styles of curves without marks, so that they are told apart in grey."""
    return itertools.cycle(("-", "--", "-.", ":"))


def label_of(by: str, value: object) -> str:
    """What the legend calls a group."""
    if not by:
        return "measured"
    return value if isinstance(value, str) else f"{by} = {value}"


def select(table: pl.DataFrame, where: Where) -> pl.DataFrame:
    """The rows of the cells with these values."""
    for name, value in where.items():
        table = table.filter(pl.col(f"cell {name}") == value)
    return table


def groups_of(table: pl.DataFrame, by: str) -> list[tuple[object, pl.DataFrame]]:
    """The rows of each value of a parameter, in the table's order; all of them where none is named."""
    if not by:
        return [("", table)]
    column = f"cell {by}"
    return [(value, table.filter(pl.col(column) == value)) for value in table[column].unique(maintain_order=True)]


def check_one_cell_each(table: pl.DataFrame, axes: Sequence[str], title: str) -> None:
    """Raise `SimonidesError` where a point of a figure would be a mean over different settings.

    Arguments:
        table: the rows that one colour shows.
        axes: columns that tell its points apart.
        title: of the figure.
    """
    others = [name for name in table.columns if name.startswith("cell ") and name not in axes]
    if not others or table.is_empty():
        return
    mixed = (
        table.group_by(axes).agg(pl.col(others).n_unique()) if axes else table.select(pl.col(others).n_unique())
    )
    if names := [name.removeprefix("cell ") for name in others if mixed[name].max() != 1]:
        raise SimonidesError(
            f"figure '{title}' would average over {', '.join(names)}; choose one value by where={{...}}, or give each "
            "a colour by by=."
        )


def summary(table: pl.DataFrame, x: str, y: str) -> tuple[np.ndarray, ...]:
    """x, mean, and the ends of its interval over seeds, for every cell in the order of x.

    x is a column of the cells, or a measured one that has the same values in every run.
    """
    keys = cell_columns(table)
    keys += [] if x in keys else [x]
    wide = table.select([*keys, "seed", pl.col(y).cast(pl.Float64)]).pivot("seed", index=keys, values=y).sort(x)
    estimates = [mean_estimate(runs) for runs in wide.drop(keys).fill_null(np.nan).to_numpy()]
    ends = np.array([one.interval() for one in estimates])
    means = np.array([one.value for one in estimates])
    # of one run there is no interval to be drawn
    low, high = np.where(np.isfinite(ends), ends, means[:, None]).T
    return wide[x].to_numpy(), means, low, high


def finish(axes: "Axes", title: str, x_label: str, y_label: str, log: str, places: Iterable[float] = ()) -> None:
    """Scales, title, labels and legend; a logarithmic x axis has ticks at the measured `places` if few."""
    if "x" in log:
        axes.set_xscale("log")
        _label_log_ticks(axes.xaxis, axes.get_xlim())
        few = sorted({float(place) for place in places})
        if 1 < len(few) <= _MOST_TICKS and min(b / a for a, b in pairwise(few)) > 1.3:
            axes.set_xticks(few)
    if "y" in log:
        axes.set_yscale("log")
        _label_log_ticks(axes.yaxis, axes.get_ylim())
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if len(axes.get_legend_handles_labels()[0]) > _MOST_INSIDE:
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        axes.legend(fontsize=8)


def _label_log_ticks(axis: "Axis", limits: tuple[float, float]) -> None:
    """Plain numbers at 1, 2 and 5 of each decade, or at decades alone where there are many."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    wide = limits[1] / max(limits[0], 1e-300) > 1e3
    axis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())

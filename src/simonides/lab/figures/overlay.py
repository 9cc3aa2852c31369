"""A column against a parameter, with its prediction."""

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from simonides.base import INK, SimonidesError
from simonides.lab.cell_values import Where
from simonides.lab.figures.style import (
    check_columns,
    check_one_cell_each,
    cycle,
    finish,
    groups_of,
    label_of,
    select,
    summary,
)
from simonides.lab.prediction import Predictions, needed, predict

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """Means of a column with 95 % intervals over seeds as points, its prediction as lines.

    Arguments:
        y: the column.
        x: the parameter along the axis.
        by: the parameter that gives one colour to each of its values; may be empty.
        title, x_label, y_label: texts; labels name the unit.
        where: draw only these cells.
        log: "x", "y", "xy" or "".
        level: a horizontal line, such as the accuracy that defines a capacity.
        smooth: whether to compute the prediction between the cells as well; for a slow one False.
    """

    y: str
    x: str
    title: str
    x_label: str
    y_label: str
    by: str = ""
    where: Where = field(default_factory=dict)
    log: str = "x"
    level: float | None = None
    smooth: bool = True

    def draw(self, axes: "Axes", table: pl.DataFrame, predictions: Predictions) -> None:
        """Draw on a matplotlib axes."""
        chosen = select(table, self.where)
        check_columns(chosen, self.y, self.x, self.by)
        groups = groups_of(chosen, self.by)
        for (colour, marker), (value, group) in zip(cycle(), groups, strict=False):
            check_one_cell_each(group, [f"cell {self.x}"], self.title)
            x, mean, low, high = summary(group, f"cell {self.x}", self.y)
            errors = np.abs(np.stack([mean - low, high - mean]))
            label = label_of(self.by, value)
            axes.errorbar(x, mean, errors, fmt=marker, ms=4, lw=1.2, capsize=2, color=colour, label=label)
            line = prediction_line(group, self.x, self.y, predictions, self.smooth)
            if line is not None and np.isfinite(line[1]).any():
                # of one cell there is no line to be seen
                axes.plot(*line, "-" if len(line[0]) > 1 else "_", ms=12, lw=1.2, color=colour, alpha=0.8)
            else:  # only to lead the eye
                axes.plot(x, mean, ":", lw=0.8, color=colour, alpha=0.8)
        if self.level is not None:
            axes.axhline(self.level, ls=":", lw=1, color=INK)
        if f"predicted {self.y}" in table.columns:
            axes.plot([], [], "-", lw=1.2, color=INK, label="prediction")
        places = chosen[f"cell {self.x}"].unique()
        finish(axes, self.title, self.x_label, self.y_label, self.log, places if places.dtype.is_numeric() else ())


def prediction_line(
    table: pl.DataFrame, x: str, y: str, predictions: Predictions, smooth: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """The prediction along x: on a fine grid if `smooth` and of parameters alone, else at the cells."""
    if y not in predictions:
        return None
    cells = {name.removeprefix("cell "): table[name][0] for name in table.columns if name.startswith("cell ")}
    others = [name for name in cells if name != x and table[f"cell {name}"].n_unique() > 1]
    values = np.sort(table[f"cell {x}"].unique().to_numpy())
    known = not others and len(values) > 1 and values.dtype.kind in "if" and needed(predictions[y]) <= set(cells)
    if smooth and known and values.min() > 0:
        fine = np.geomspace(values.min(), values.max(), 60)
        if values.dtype.kind == "i":
            fine = np.unique(fine.round().astype(int))
        with contextlib.suppress(SimonidesError):  # a prediction may refuse what lies between the cells
            return fine, np.array([predict(predictions[y], {**cells, x: value.item()}) for value in fine])
    grouped = table.group_by(f"cell {x}").agg(pl.col(f"predicted {y}").mean()).sort(f"cell {x}")
    return grouped[f"cell {x}"].to_numpy(), grouped[f"predicted {y}"].to_numpy()

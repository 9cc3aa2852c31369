"""Several columns in one frame, against a parameter or against a column such as the step of a training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from simonides.base import INK
from simonides.lab.cell_values import Where, measured_columns
from simonides.lab.figures.style import check_columns, check_one_cell_each, cycle, dashes, finish, select, summary
from simonides.lab.prediction import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# so many points are drawn as a line with a band, fewer as marks with bars
_MANY = 25


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Means of several columns with 95 % intervals over seeds, and the predictions of those that have one.

    Arguments:
        ys: the columns, each by the label it gets.
        x: the parameter along the axis, or a measured column with the same values in every run.
        title, x_label, y_label: texts; labels name the unit.
        where: draw only these cells.
        log: "x", "y", "xy" or "".
        level: a horizontal line.
    """

    ys: Mapping[str, str]
    x: str
    title: str
    x_label: str
    y_label: str
    where: Where = field(default_factory=dict)
    log: str = "x"
    level: float | None = None

    def draw(self, axes: "Axes", table: pl.DataFrame, predictions: Predictions) -> None:
        """Draw on a matplotlib axes."""
        chosen = select(table, self.where)
        measured = self.x in measured_columns(chosen)
        along = self.x if measured else f"cell {self.x}"
        for column in self.ys.values():
            check_columns(chosen, column, *([] if measured else [self.x]))
        check_one_cell_each(chosen, [] if measured else [along], self.title)
        predicted = False
        for dash, (colour, marker), (label, column) in zip(dashes(), cycle(), self.ys.items(), strict=False):
            x, mean, low, high = summary(chosen, along, column)
            if len(x) > _MANY:
                axes.plot(x, mean, dash, lw=1.4, color=colour, label=label)
                axes.fill_between(x, low, high, color=colour, alpha=0.25, lw=0)
            else:
                errors = np.abs(np.stack([mean - low, high - mean]))
                axes.errorbar(x, mean, errors, fmt=marker, ms=4, lw=1.2, capsize=2, color=colour, label=label)
            expected_name = f"predicted {column}"
            if expected_name in chosen.columns and chosen[expected_name].is_finite().any():
                x, expected, _, _ = summary(chosen, along, expected_name)
                style = "_" if len(x) == 1 else "--" if len(x) > _MANY else "-"
                axes.plot(x, expected, style, ms=12, lw=1.2, color=colour, alpha=0.8)
                predicted = True
            elif len(x) <= _MANY:  # only to lead the eye
                axes.plot(x, mean, ":", lw=0.8, color=colour, alpha=0.8)
        if self.level is not None:
            axes.axhline(self.level, ls=":", lw=1, color=INK)
        if predicted:
            axes.plot([], [], "-", lw=1.2, color=INK, label="prediction")
        finish(axes, self.title, self.x_label, self.y_label, self.log)

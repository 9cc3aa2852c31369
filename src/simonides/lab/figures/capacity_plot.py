"""Where a curve crosses a level, against another parameter."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from simonides.base import INK, log_slope
from simonides.lab.cell_values import Where, cell_values
from simonides.lab.figures.style import check_columns, cycle, finish, groups_of, label_of, select
from simonides.lab.prediction import Predictions
from simonides.lab.rules import Against, Crossing

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True)
class CapacityPlot:
    """Where a curve crosses a level, against another parameter, log-log; prediction as lines.

    Arguments:
        crossing: as in the rule.
        against: the parameter along the axis, or several whose product it is.
        by: the parameter that gives one colour to each of its values; may be empty.
    """

    crossing: Crossing
    against: Against
    title: str
    x_label: str
    y_label: str
    by: str = ""
    where: Where = field(default_factory=dict)

    def draw(self, axes: "Axes", table: pl.DataFrame, predictions: Predictions) -> None:
        """Draw on a matplotlib axes; each label tells the slope between all points."""
        check_columns(table, self.crossing.column, self.crossing.axis, self.by)
        predicted = f"predicted {self.crossing.column}"
        groups = groups_of(select(table, self.where), self.by)
        places: set[float] = set()
        for (colour, marker), (value, group) in zip(cycle(), groups, strict=False):
            x, mean, low, high = self._curve(group, self.crossing)
            places.update(x.tolist())
            known = np.isfinite(mean)
            if known.sum() < 1:
                continue
            label = label_of(self.by, value)
            if known.sum() > 1:
                slope = float(log_slope(x[known], mean[known]))
                label += f": slope {slope:.2f}"
            errors = np.nan_to_num(np.abs(np.stack([mean - low, high - mean])))
            axes.errorbar(x, mean, errors, fmt=marker, ms=4, lw=1.2, capsize=2, color=colour, label=label)
            if predicted in group.columns:
                expected = self._curve(group, replace(self.crossing, column=predicted))[1]
                # several settings with one product are points of different curves: no line joins them
                style = "-" if len(np.unique(x)) == len(x) else "_"
                axes.plot(x, expected, style, ms=12, lw=1.2, color=colour)
        if predicted in table.columns:
            axes.plot([], [], "-", lw=1.2, color=INK, label="prediction")
        finish(axes, self.title, self.x_label, self.y_label, "xy", places)

    def _curve(self, table: pl.DataFrame, crossing: Crossing) -> tuple[np.ndarray, ...]:
        """x, the crossing, and the ends of its interval."""
        values = cell_values(table, crossing.column)
        curves = crossing.curve(values, self.against)
        ends = [values.estimate(change, log).interval() for _, log, change, _ in curves]
        x, logs = np.array([curve[0] for curve in curves]), np.array([curve[1] for curve in curves])
        low, high = np.exp(np.where(np.isfinite(ends), ends, logs[:, None])).T
        return x, np.exp(logs), low, high

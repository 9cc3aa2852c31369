"""Where a curve crosses a level, against another parameter."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from simonides.base import INK, log_slope, percentile_interval
from simonides.lab.figures.style import check_columns, cycle, finish, groups_of, label_of, select
from simonides.lab.prediction import Predictions
from simonides.lab.rules import Against, Crossing, Where

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
            x, draws = self.crossing.curve(group, self.against)
            places.update(x.tolist())
            ends = [
                percentile_interval(column) if np.isfinite(column).all() else (np.nan, np.nan)
                for column in draws.T
            ]
            low, high = np.array(ends).T
            mean = draws[0]
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
                renamed = group.drop(self.crossing.column).rename({predicted: self.crossing.column})
                # several settings with one product are points of different curves: no line joins them
                style = "-" if len(np.unique(x)) == len(x) else "_"
                axes.plot(x, self.crossing.curve(renamed, self.against)[1][0], style, ms=12, lw=1.2, color=colour)
        if predicted in table.columns:
            axes.plot([], [], "-", lw=1.2, color=INK, label="prediction")
        finish(axes, self.title, self.x_label, self.y_label, "xy", places)

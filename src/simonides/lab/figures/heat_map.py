"""A column over two parameters as colours, with contours of the measurement and of its prediction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from simonides.base import INK, SimonidesError
from simonides.lab.cell_values import Where
from simonides.lab.figures.style import check_columns, check_one_cell_each, finish, select
from simonides.lab.prediction import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """Means of a column z over two parameters; solid contours are measured, dashed ones predicted.

    Arguments:
        z: the column.
        x, y: the parameters along the axes, at least two values each, every pair measured.
        levels: of the contours.
        title, x_label, y_label, z_label: texts; labels name the unit.
        where: draw only these cells.
        log: "x", "y", "xy" or "".
    """

    z: str
    x: str
    y: str
    levels: Sequence[float]
    title: str
    x_label: str
    y_label: str
    z_label: str
    where: Where = field(default_factory=dict)
    log: str = "xy"

    def draw(self, axes: "Axes", table: pl.DataFrame, predictions: Predictions) -> None:
        """Draw on a matplotlib axes."""
        chosen = select(table, self.where)
        check_columns(chosen, self.z, self.x, self.y)
        check_one_cell_each(chosen, [f"cell {self.x}", f"cell {self.y}"], self.title)
        x, y, measured = self._grid(chosen, self.z)
        mesh = axes.pcolormesh(x, y, measured, shading="nearest", cmap="viridis")
        bar = axes.figure.colorbar(mesh, ax=axes)
        bar.set_label(self.z_label)
        axes.contour(x, y, measured, levels=self.levels, colors="white", linewidths=1.2)
        axes.plot([], [], "-", color="#999999", lw=1.2, label="measured")
        if f"predicted {self.z}" in chosen.columns:
            _, _, expected = self._grid(chosen, f"predicted {self.z}")
            lines = axes.contour(x, y, expected, levels=self.levels, colors="#D55E00", linestyles="dashed")
            axes.clabel(lines, fontsize=7)
            axes.plot([], [], "--", color="#D55E00", lw=1.2, label="prediction")
        finish(axes, self.title, self.x_label, self.y_label, self.log)
        axes.grid(False)
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0.0, -0.15), ncols=2, labelcolor=INK)

    def _grid(self, table: pl.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        across, up = f"cell {self.x}", f"cell {self.y}"
        wide = table.group_by(across, up).agg(pl.col(column).cast(pl.Float64).mean()).sort(across, up)
        x, y = (np.sort(table[name].unique().to_numpy()) for name in (across, up))
        if min(len(x), len(y)) < 2 or len(wide) != len(x) * len(y):
            raise SimonidesError(
                f"a heat map needs every pair of two or more values of {self.x} and {self.y}; got {len(wide)} "
                f"cells of {len(x)} by {len(y)}."
            )
        return x, y, wide[column].to_numpy().reshape(len(x), len(y)).T

"""Square maps side by side at moments of a training: a filmstrip."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from simonides.base import SimonidesError
from simonides.lab.cell_values import Where
from simonides.lab.figures.style import check_columns, check_one_cell_each, select
from simonides.lab.prediction import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# panels that can be read side by side
_MOST = 4


@dataclass(frozen=True, kw_only=True)
class Film:
    """Means over seeds of columns that hold a T x T map for every moment, a strip of maps for each column.

    Of many moments four are shown, evenly spaced.

    Arguments:
        zs: the columns, each by the label of its strip.
        time: the measured column that tells the moments apart.
        down, across: the measured columns with the row and the column of each entry, from 0.
        labels: a text for each row and column of the maps, or none.
        title, x_label, y_label, z_label: texts; labels name the unit, x_label what `time` counts.
        where: draw only these cells.
    """

    zs: Mapping[str, str]
    time: str
    down: str
    across: str
    title: str
    x_label: str
    y_label: str
    z_label: str
    labels: str = ""
    where: Where = field(default_factory=dict)

    def draw(self, axes: "Axes", table: pl.DataFrame, predictions: Predictions) -> None:
        """Draw on a matplotlib axes, which is cut into panels."""
        chosen = select(table, self.where)
        for column in (*self.zs.values(), self.time, self.down, self.across):
            check_columns(chosen, column)
        check_one_cell_each(chosen, [], self.title)
        there = chosen[self.time].unique().sort()
        picked = np.linspace(0, len(there) - 1, min(len(there), _MOST)).round().astype(int)
        moments = there.gather(picked.tolist()).to_list()
        maps = {name: [self._map(chosen, name, moment) for moment in moments] for name in self.zs.values()}
        height, width = 1 / len(self.zs), 1 / len(moments)
        axes.set_axis_off()
        for number, (label, name) in enumerate(self.zs.items()):
            for place, (moment, values) in enumerate(zip(moments, maps[name], strict=True)):
                bottom = 1 - (number + 1) * height
                panel = axes.inset_axes((place * width, bottom, 0.92 * width, 0.9 * height))
                drawn = panel.imshow(values, vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
                panel.grid(False)
                self._ticks(panel, len(values), first=place == 0)
                if number == 0:
                    panel.set_title(f"{moment:g}", fontsize=8)
                if place == 0:
                    panel.set_ylabel(f"{label}\n{self.y_label}", fontsize=7)
        axes.figure.supxlabel(self.x_label, fontsize=8)
        bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.7, pad=0.01)
        bar.set_label(self.z_label, fontsize=8)
        axes.set_title(self.title, fontsize=10, pad=12)

    def _map(self, table: pl.DataFrame, column: str, moment: float) -> np.ndarray:
        places = [pl.col(name).cast(pl.Int64) for name in (self.down, self.across)]
        means = (
            table.filter(pl.col(self.time) == moment)
            .group_by(places)
            .agg(pl.col(column).cast(pl.Float64).mean())
            .sort(self.down, self.across)
        )
        size = round(len(means) ** 0.5)
        if size**2 != len(means) or means[self.down].n_unique() != size:
            raise SimonidesError(
                f"{column} is no square map at {self.time} = {moment:g}: it has {len(means)} entries."
            )
        return means[column].to_numpy().reshape(size, size)

    def _ticks(self, panel: "Axes", size: int, first: bool) -> None:
        if not self.labels:
            panel.tick_params(labelsize=6)
            return
        names = list(self.labels.replace(" ", "␣"))
        panel.set_xticks(range(size), names, fontsize=5)
        panel.set_yticks(range(size), names if first else [""] * size, fontsize=5)
        panel.tick_params(length=0, pad=1)

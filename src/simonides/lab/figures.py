"""Figures: measurement and prediction in one frame, with intervals over seeds.

A claim lists what to draw; matplotlib is imported when something is drawn.
"""

import contextlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from simonides.errors import SimonidesError, check_name
from simonides.lab.prediction import Predictions, needed, predict
from simonides.lab.rules import Against, Crossing, Where, cell_columns, interval, measured_columns, resampled_means

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Okabe & Ito's colours, which the colour-blind can tell apart, without black and yellow: both page schemes work
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8c6d31", "#7a7a7a")
# entries of a legend that find room among the points
_MOST_INSIDE = 5
# stands for the page's text colour in an SVG
_INK = "#123456"


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
        chosen = _filter(table, self.where)
        _check_columns(chosen, self.y, self.x, self.by)
        groups = _groups(chosen, self.by)
        for (colour, marker), (value, group) in zip(_cycle(), groups, strict=False):
            x, mean, low, high = _summary(group, f"cell {self.x}", self.y)
            errors = np.abs(np.stack([mean - low, high - mean]))
            label = _label(self.by, value)
            axes.errorbar(x, mean, errors, fmt=marker, ms=4, lw=1.2, capsize=2, color=colour, label=label)
            line = _prediction_line(group, self.x, self.y, predictions, self.smooth)
            if line is not None and np.isfinite(line[1]).any():
                axes.plot(*line, "-", lw=1.2, color=colour, alpha=0.8)
            else:  # only to lead the eye
                axes.plot(x, mean, ":", lw=0.8, color=colour, alpha=0.8)
        if self.level is not None:
            axes.axhline(self.level, ls=":", lw=1, color=_INK)
        if f"predicted {self.y}" in table.columns:
            axes.plot([], [], "-", lw=1.2, color=_INK, label="prediction")
        _finish(axes, self.title, self.x_label, self.y_label, self.log)


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
        _check_columns(table, self.crossing.column, self.crossing.axis, self.by)
        predicted = f"predicted {self.crossing.column}"
        groups = _groups(_filter(table, self.where), self.by)
        for (colour, marker), (value, group) in zip(_cycle(), groups, strict=False):
            x, draws = self.crossing.curve(group, self.against)
            ends = [interval(column) if np.isfinite(column).all() else (np.nan, np.nan) for column in draws.T]
            low, high = np.array(ends).T
            mean = draws[0]
            known = np.isfinite(mean)
            if known.sum() < 1:
                continue
            label = _label(self.by, value)
            if known.sum() > 1:
                slope = np.polyfit(np.log(x[known]), np.log(mean[known]), 1)[0]
                label += f": slope {slope:.2f}"
            errors = np.nan_to_num(np.abs(np.stack([mean - low, high - mean])))
            axes.errorbar(x, mean, errors, fmt=marker, ms=4, lw=1.2, capsize=2, color=colour, label=label)
            if predicted in group.columns:
                renamed = group.drop(self.crossing.column).rename({predicted: self.crossing.column})
                # several settings with one product are points of different curves: no line joins them
                style = "-" if len(np.unique(x)) == len(x) else "_"
                axes.plot(x, self.crossing.curve(renamed, self.against)[1][0], style, ms=12, lw=1.2, color=colour)
        if predicted in table.columns:
            axes.plot([], [], "-", lw=1.2, color=_INK, label="prediction")
        _finish(axes, self.title, self.x_label, self.y_label, "xy")


Figure = Overlay | CapacityPlot


def render(figure: Figure, table: pl.DataFrame, predictions: Predictions) -> dict[str, bytes]:
    """A figure as "svg" (page colours), "png" and "pdf" (black on white)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "simonides",
        "font.size": 10,
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
    }
    with plt.rc_context(style):
        picture, axes = plt.subplots(figsize=(6.4, 4.0))
        figure.draw(axes, table, predictions)
        out = {}
        for kind in ("svg", "png", "pdf"):
            buffer = io.BytesIO()
            # no dates: the same numbers give the same files
            none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            metadata = {"svg": none, "pdf": {"CreationDate": None}}.get(kind)
            transparent = kind == "svg"
            picture.savefig(buffer, format=kind, dpi=160, metadata=metadata, transparent=transparent)
            out[kind] = buffer.getvalue()
        plt.close(picture)
    svg = out["svg"].decode()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    out["svg"] = svg.replace("<svg ", f'<svg role="img" aria-label="{_plain(figure.title)}" ', 1).encode()
    return out


def _check_columns(table: pl.DataFrame, column: str, *parameters: str) -> None:
    check_name("a figure asks for a column, and", column, measured_columns(table))
    known = [n.removeprefix("cell ") for n in table.columns if n.startswith("cell ")]
    for name in filter(None, parameters):
        check_name("a figure asks for a parameter, and", name, known)


def _cycle() -> list[tuple[str, str]]:
    """Colour and marker of one group after another."""
    return [(colour, marker) for marker in "osD^v" for colour in COLOURS]


def _label(by: str, value: object) -> str:
    if not by:
        return "measured"
    return value if isinstance(value, str) else f"{by} = {value}"


def _filter(table: pl.DataFrame, where: Where) -> pl.DataFrame:
    for name, value in where.items():
        table = table.filter(pl.col(f"cell {name}") == value)
    return table


def _groups(table: pl.DataFrame, by: str) -> list[tuple[object, pl.DataFrame]]:
    if not by:
        return [("", table)]
    column = f"cell {by}"
    return [(value, table.filter(pl.col(column) == value)) for value in table[column].unique(maintain_order=True)]


def _summary(table: pl.DataFrame, x: str, y: str) -> tuple[np.ndarray, ...]:
    """x, mean, and the ends of its interval over seeds, for every cell in the order of x."""
    keys = cell_columns(table)
    wide = table.select([*keys, "seed", pl.col(y).cast(pl.Float64)]).pivot("seed", index=keys, values=y).sort(x)
    means = resampled_means(wide.drop(keys).fill_null(np.nan).to_numpy())
    low, high = np.nanquantile(means[1:], [0.025, 0.975], axis=0)
    return wide[x].to_numpy(), means[0], low, high


def _prediction_line(
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


def _finish(axes: "Axes", title: str, x_label: str, y_label: str, log: str) -> None:
    if "x" in log:
        axes.set_xscale("log")
        _label_log_ticks(axes.xaxis, axes.get_xlim())
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


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in " .,()=-")

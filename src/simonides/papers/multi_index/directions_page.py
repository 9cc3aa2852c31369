"""The page of a table's directions: the target against each index, their weights, and scores on held-out rows."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from simonides.base import COLOURS, output_folder, painted, place_figure, place_table, write_sheet
from simonides.papers.multi_index.finding import Found

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_directions(out: Path, title: str, found: Found) -> Path:
    """Write the page, its figures and tables; returns the page's path.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    output_folder(out)
    count = len(found.model.components_)
    caption = "The target against each index, rows held out; line: the link along that index, the others at zero"
    first = place_figure(
        painted(lambda f: _draw_links(f, found), caption, (3.4 * count + 0.6, 3.4)), out, "links", caption
    )
    caption = "Share of the variance that is not explained, along descent"
    second = place_figure(painted(lambda f: _draw_descent(f, found), caption, (5.6, 3.2)), out, "descent", caption)
    weights = pl.DataFrame(
        {"column": list(found.columns)}
        | {f"index {number + 1}": row.tolist() for number, row in enumerate(found.weights)}
    )
    scores = pl.DataFrame({"method": list(found.scores), "R^2 on held-out rows": list(found.scores.values())})
    moved = "By how much a standard deviation of each column moves each index"
    return write_sheet(
        out,
        title=f"Directions of {title}",
        about="A polynomial of a few linear combinations of the columns, found by gradient descent on the directions "
        "with the best link at every step (Bietti, Bruna & Pillaud-Vivien 2023).",
        footer=found.model.may_hide(),
        summary=[("rows", f"{found.rows:,}"), ("directions", str(count))]
        + ([("warning", found.warning)] if found.warning else []),
        figures=[first, second],
        tables=[
            place_table(weights, out, "directions", moved, _text),
            place_table(scores, out, "scores", "Scores", _text),
        ],
    )


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3f}"


def _draw_links(picture: "Figure", found: Found) -> None:
    model = found.model
    z = model.transform(found.x)
    frames = picture.subplots(1, z.shape[1], sharey=True, squeeze=False)[0]
    for number, axes in enumerate(frames):
        axes.plot(z[:, number], found.y, ".", ms=3, color=COLOURS[0])
        along = np.linspace(z[:, number].min(), z[:, number].max(), 100)
        rows = np.zeros((100, z.shape[1]))
        rows[:, number] = along
        axes.plot(along, model.link(rows), color=COLOURS[1], lw=1.6)
        axes.set(xlabel=f"index {number + 1} (standard deviations)")
    frames[0].set_ylabel("target")


def _draw_descent(picture: "Figure", found: Found) -> None:
    axes = picture.subplots()
    axes.plot(found.model.trajectory_, color=COLOURS[0])
    axes.set(xlabel="step", ylabel="share not explained", ylim=(0, 1.05))

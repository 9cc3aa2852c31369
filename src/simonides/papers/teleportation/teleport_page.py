"""The page of a comparison: relative gap against iterations and against units of work, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from simonides.base import COLOURS, SHEET, output_folder, page, painted, place_figure, write_text
from simonides.papers.teleportation.comparison import Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_comparison(out: Path, title: str, found: Comparison) -> Path:
    """Write the page, its figure and tables; returns the page's path.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    output_folder(out)
    caption = (
        "Relative gap to the least loss found, against iterations and against units of work (value 1, gradient 2, "
    )
    caption += "Hessian-vector product 5, teleports included)"
    figure = place_figure(painted(lambda f: _draw(f, found), caption, (9.6, 3.8)), out, "gaps", caption)
    rows = [
        {
            "method": name,
            **{
                f"iterations to {gap:g}": value
                for gap, value in zip(found.gaps, found.iterations[name], strict=True)
            },
            **{f"work to {gap:g}": value for gap, value in zip(found.gaps, found.work[name], strict=True)},
        }
        for name in found.traces
    ]
    table = pl.DataFrame(rows)
    write_text(out / "methods.csv", table.write_csv())
    curves = pl.DataFrame(
        [
            {
                "method": name,
                "iteration": step,
                "work": float(trace.cost[step, 0]),
                "loss": float(trace.f[step, 0]),
            }
            for name, trace in found.traces.items()
            for step in range(len(trace.f))
        ]
    )
    write_text(out / "curves.csv", curves.write_csv())
    text = page(
        SHEET,
        title=title,
        about="A teleport moves the weights to where the loss is the same and its gradient is largest (Mishkin, Bietti "
        "& Gower 2025). It saves iterations, and has a price of its own.",
        footer="",
        summary=[("which pays", found.pays(gap)) for gap in found.gaps],
        figures=[figure],
        tables=[
            {
                "title": "To each gap",
                "columns": table.columns,
                "rows": [[_text(value) for value in row] for row in table.iter_rows()],
            }
        ],
        files=["methods.csv", "curves.csv"],
    )
    write_text(out / "index.html", text)
    return out / "index.html"


def _text(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return "not reached" if np.isinf(value) else f"{value:.0f}"


def _draw(picture: "Figure", found: Comparison) -> None:
    left, right = picture.subplots(1, 2, sharey=True)
    for colour, dash, (name, trace) in zip(COLOURS, ("-", "--", "-.", ":"), found.traces.items(), strict=False):
        f = trace.f[:, 0].numpy()
        gap = np.maximum((f - found.least) / (f[0] - found.least), 1e-12)
        left.plot(np.arange(len(gap)), gap, dash, color=colour, label=name)
        right.plot(trace.cost[:, 0].numpy(), gap, dash, color=colour)
    for axes, label in ((left, "iterations"), (right, "units of work")):
        axes.set(xscale="symlog", yscale="log", xlabel=label, ylim=(1e-9, 2))
    left.set_ylabel("relative gap")
    left.legend(fontsize=8)

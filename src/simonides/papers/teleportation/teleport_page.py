"""The page of a comparison: relative gap against iterations and against units of work, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import COLOURS, INK, output_folder, painted, place_figure, place_table, write_sheet, write_text
from simonides.papers.teleportation.comparison import Comparison
from simonides.papers.teleportation.functions import Function

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
    return write_sheet(
        out,
        title=title,
        about="A teleport moves the weights to where the loss is the same and its gradient is largest (Mishkin, Bietti "
        "& Gower 2025). It saves iterations, and has a price of its own.",
        footer="",
        summary=[("which pays", found.pays(gap)) for gap in found.gaps],
        figures=[figure],
        tables=[place_table(table, out, "methods", "To each gap", _text)],
        more_files=["curves.csv"],
    )


def path_figure(
    function: Function,
    paths: Mapping[str, Sequence[Float[Tensor, "1 2"]]],
    extent: tuple[float, float, float, float],
    title: str,
) -> dict[str, bytes]:
    """Paths on the level sets of a function of two variables, as "svg", "png" and "pdf".

    Arguments:
        function: of stacked points.
        paths: points in order, by the name of what made them.
        extent: the least and largest first variable, then of the second.
        title: of the figure.
    """
    first, second = (np.linspace(extent[place], extent[place + 1], 200) for place in (0, 2))
    grid = np.stack(np.meshgrid(first, second), -1).reshape(-1, 2)
    values = function(torch.from_numpy(grid)).reshape(200, 200).numpy()

    def draw(picture: "Figure") -> None:
        axes = picture.subplots()
        levels = np.quantile(values, np.linspace(0.02, 0.95, 14))
        axes.contour(first, second, values, levels=np.unique(levels), colors="0.6", linewidths=0.7)
        start = next(iter(paths.values()))[0]
        level = [float(function(start)[0])]
        axes.contour(first, second, values, levels=level, colors=[INK], linewidths=1.4)
        for colour, marker, (name, path) in zip(COLOURS, "o^sv", paths.items(), strict=False):
            points = torch.cat(list(path)).numpy()
            axes.plot(*points.T, f"{marker}-", ms=4, lw=1.3, color=colour, label=name)
        axes.set(xlabel="first variable", ylabel="second variable", title=title)
        axes.set(xlim=extent[:2], ylim=extent[2:])
        axes.grid(False)
        axes.legend(fontsize=8)

    return painted(draw, title, (5.6, 4.6))


def _text(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return "not reached" if np.isinf(value) else f"{value:.0f}"


def _draw(picture: "Figure", found: Comparison) -> None:
    left, right = picture.subplots(1, 2, sharey=True)
    for colour, dash, (name, trace) in zip(COLOURS, ("-", "--", "-.", ":"), found.traces.items(), strict=False):
        f = trace.f[:, 0].numpy()
        first = f[0] - found.least
        # where the start is a minimum there is no gap to be a share of
        gap = np.maximum((f - found.least) / (first if first > 0 else 1.0), 1e-12)
        left.plot(np.arange(len(gap)), gap, dash, color=colour, label=name)
        right.plot(trace.cost[:, 0].numpy(), gap, dash, color=colour)
    left.set(xscale="symlog", yscale="log", xlabel="iterations", ylim=(1e-13, 2), xlim=(0, None))
    right.set(xscale="log", yscale="log", xlabel="units of work", ylim=(1e-13, 2))
    left.set_ylabel("relative gap")
    left.legend(fontsize=8)

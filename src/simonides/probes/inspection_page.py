"""The page of an inspection: maps of layers by heads, spectra, and what hidden units write."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from torch import Tensor

from simonides.base import COLOURS, output_folder, page, painted, place_figure, write_tensors, write_text
from simonides.probes.inspection import Inspection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).parent / "templates" / "checkpoint.html"
# hidden units of a layer that the page shows; the table has all
_SHOWN = 8


def write_inspection(inspection: Inspection, out: Path, name: str) -> Path:
    """Write the page, its figures and tables; returns the page's path.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    sizes, heads, history = inspection.sizes, inspection.heads, inspection.history
    figures: list[dict[str, Any]] = []

    def show(draw: Callable[["Figure"], None], file: str, size: tuple[float, float], caption: str) -> None:
        figures.append(place_figure(painted(draw, caption, size), out, file, caption))

    output_folder(out)
    files = ["heads.csv", "units.csv", "spectra.safetensors"]
    if history is not None:
        write_text(out / "history.csv", history.write_csv())
        files.append("history.csv")
        caption = "The foremost heads, and prediction, along training"
        show(lambda picture: _draw_history(picture.subplots(), history), "history", (6.4, 4.0), caption)
    caption = "Every head: means over sequences and tokens; intervals are in heads.csv"
    show(lambda picture: _draw_maps(picture, heads), "heads", (8.6, 7.2), caption)
    if inspection.spectra:
        caption = "Singular values over the largest, means over a layer's heads"
        show(lambda picture: _draw_spectra(picture, inspection.spectra), "spectra", (8.6, 3.4), caption)
    write_text(out / "heads.csv", heads.write_csv())
    write_text(out / "units.csv", inspection.units.write_csv())
    write_tensors(out / "spectra.safetensors", inspection.spectra)
    titles = {
        "induction": "Looks for what followed the same token before",
        "previous": "Looks at the token before",
        "copied": "Raises the token it looks at",
    }
    tables = [_best_heads(heads, by, title) for by, title in titles.items() if by in heads.columns]
    kind = "a decoder" if sizes.decoder else "an encoder"
    repeated = [] if inspection.repeated is None else [("second reading predicted", f"{inspection.repeated:.1%}")]
    text = page(
        TEMPLATE,
        title=f"Inside {name}",
        about=f"{kind.capitalize()} of {inspection.parameters:,} weights: {sizes.layers} layers of {sizes.heads} "
        f"heads, width {sizes.d}, {sizes.hidden:,} hidden units a layer, {sizes.vocabulary:,} tokens.",
        footer=f"Heads are scored on {inspection.reading.material} read twice; what heads and hidden units write is "
        "read in their weights, through the norms' scales, as if no other layer added to the stream.",
        summary=repeated,
        figures=figures,
        tables=tables,
        layers=[{"number": n, "rows": _layer_rows(inspection.units, n)} for n in range(sizes.layers)],
        files=files,
    )
    index = out / "index.html"
    write_text(index, text)
    return index


def _layer_rows(units: pl.DataFrame, layer: int) -> list[tuple[str, str, list[str]]]:
    own = units.filter(pl.col("layer") == layer)
    named = pl.col("written by").str.contains("unit")
    rows = pl.concat([own.filter(named).sort("peak", descending=True).head(_SHOWN), own.filter(~named)])
    return [
        (row["written by"], f"{row['peak']:.1f}", row["tokens"].split("\t")) for row in rows.iter_rows(named=True)
    ]


def _best_heads(heads: pl.DataFrame, by: str, title: str) -> dict[str, Any]:
    rows = heads.sort(by, descending=True).head(5).iter_rows(named=True)
    names = {"induction": "induction", "previous": "previous token", "copied": "tokens copied"}
    there = {name: title for name, title in names.items() if name in heads.columns}
    columns = ["layer.head", *there.values()]
    shown = []
    for row in rows:
        cells = [f"{row['layer']}.{row['head']}"]
        cells += [f"{row[n]:.2f} [{row[n + '_low']:.2f}, {row[n + '_high']:.2f}]" for n in there]
        if "positive" in heads.columns:
            cells += [f"{row['positive']:+.2f}", f"{row['output_rank']:.0f}"]
        shown.append(cells)
    if "positive" in heads.columns:
        columns += ["positive eigenvalues", "rank of W_OV"]
    return {"title": title, "columns": columns, "rows": shown}


def _draw_maps(picture: "Figure", heads: pl.DataFrame) -> None:
    shown = (
        ("induction", "attention to what followed the same token", (0, 1), "viridis"),
        ("previous", "attention to the token before", (0, 1), "viridis"),
        ("copied", "share of tokens W_OV copies", (0, 1), "viridis"),
        ("positive", "eigenvalues of W_U W_OV W_E, sum over sum of sizes", (-1, 1), "RdBu"),
    )
    layers = heads["layer"].n_unique()
    measured = [entry for entry in shown if entry[0] in heads.columns]
    frames = picture.subplots(-(-len(measured) // 2), 2, squeeze=False).flat
    for axes, (column, title, (low, high), colours) in zip(frames, measured, strict=True):
        grid = heads[column].to_numpy().reshape(layers, -1)
        mesh = axes.pcolormesh(grid, vmin=low, vmax=high, cmap=colours)
        axes.set_xticks(np.arange(grid.shape[1]) + 0.5, [str(n) for n in range(grid.shape[1])], fontsize=7)
        every = max(1, layers // 15)
        axes.set_yticks(np.arange(0, layers, every) + 0.5, [str(n) for n in range(0, layers, every)], fontsize=7)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("head")
        axes.set_ylabel("layer")
        axes.grid(False)
        picture.colorbar(mesh, ax=axes)


def _draw_spectra(picture: "Figure", spectra: dict[str, Tensor]) -> None:
    import matplotlib as mpl

    titles = {"output_values": "W_OV", "key_query_values": "W_KQ", "W_out_values": "W_out"}
    names = [(name, title) for name, title in titles.items() if name in spectra]
    colours = mpl.colormaps["viridis"]
    for axes, (name, title) in zip(picture.subplots(1, len(names), squeeze=False).flat, names, strict=True):
        values = spectra[name].double()
        relative = values / values[..., :1].clamp_min(1e-300)
        means = relative.mean(1) if relative.dim() == 3 else relative
        for number, row in enumerate(means):
            axes.plot(range(1, len(row) + 1), row.numpy(), lw=0.8, color=colours(number / max(1, len(means) - 1)))
        axes.set_yscale("log")
        axes.set_ylim(1e-3, 1.2)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("rank")
    axes = picture.axes[0]
    axes.set_ylabel("singular value / the largest")
    bar = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, len(spectra[names[0][0]]) - 1), "viridis")
    picture.colorbar(bar, ax=picture.axes, label="layer").locator = mpl.ticker.MaxNLocator(integer=True)


def _draw_history(axes: "Axes", history: pl.DataFrame) -> None:
    labels = {
        "induction": "best head: attention to what followed the same token",
        "previous": "best head: attention to the token before",
        "repeated": "second reading predicted",
    }
    for colour, (name, label) in zip(COLOURS, labels.items(), strict=False):
        if history[name].null_count() == 0:
            axes.plot(history["step"], history[name], "o-", ms=3, lw=1.2, color=colour, label=label)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("step of training")
    axes.set_ylabel("share")
    axes.legend(fontsize=8)

"""The page of an inspection: maps of layers by heads, spectra, and what hidden units write."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from simonides.base import SimonidesError
from simonides.checkpoints import PretrainedModel
from simonides.lab import page, placed
from simonides.lab.figures import painted
from simonides.lab.figures.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# hidden units of a layer that the page shows; the table has all
_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was read in one checkpoint.

    Arguments:
        heads: a row for each.
        units: a row for each hidden unit, and for each leading direction of W_out and its opposite.
        spectra: singular values and eigenvalues by layer and head.
        repeated: share of tokens of the second reading that were predicted; None for an encoder.
    """

    heads: pl.DataFrame
    units: pl.DataFrame
    spectra: dict[str, Tensor]
    repeated: float | None


def write_inspection(
    name: str, model: PretrainedModel, found: Inspection, history: pl.DataFrame | None, read: str, out: Path
) -> Path:
    """Write the page, its figures and tables, of heads that were shown `read` twice; returns the page's path."""
    a = model.architecture
    figures: list[dict[str, Any]] = []

    def show(draw: Callable[["Figure"], None], file: str, size: tuple[float, float], caption: str) -> None:
        figures.append(placed(painted(draw, caption, size), out, file, caption))

    out.mkdir(parents=True, exist_ok=True)
    files = ["heads.csv", "units.csv", "spectra.safetensors"]
    if history is not None:
        history.write_csv(out / "history.csv")
        files.append("history.csv")
        caption = "The foremost heads, and prediction, along training"
        show(lambda picture: _draw_history(picture.subplots(), history), "history", (6.4, 4.0), caption)
    caption = "Every head: means over sequences and tokens; intervals are in heads.csv"
    show(lambda picture: _draw_maps(picture, found.heads), "heads", (8.6, 7.2), caption)
    caption = "Singular values over the largest, means over a layer's heads"
    show(lambda picture: _draw_spectra(picture, found.spectra), "spectra", (8.6, 3.4), caption)
    found.heads.write_csv(out / "heads.csv")
    found.units.write_csv(out / "units.csv")
    try:
        save_file(found.spectra, out / "spectra.safetensors")
    except SafetensorError as error:  # which is no OSError
        raise SimonidesError(f"{out / 'spectra.safetensors'} cannot be written: {error}.") from None
    tables = [
        _best_heads(found.heads, "induction", "Looks for what followed the same token before"),
        _best_heads(found.heads, "previous", "Looks at the token before"),
        _best_heads(found.heads, "copied", "Raises the token it looks at"),
    ]
    layers = []
    for number in range(a.layers):
        own = found.units.filter(pl.col("layer") == number)
        named = pl.col("written by").str.starts_with("unit")
        rows = pl.concat([own.filter(named).sort("peak", descending=True).head(_SHOWN), own.filter(~named)])
        shown = [
            (row["written by"], f"{row['peak']:.1f}", row["tokens"].split("\t"))
            for row in rows.iter_rows(named=True)
        ]
        layers.append({"number": number, "rows": shown})
    weights = sum(parameter.numel() for parameter in model.parameters())
    kind = "an encoder" if a.encoder else "a decoder"
    repeated = [] if found.repeated is None else [("second reading predicted", f"{found.repeated:.1%}")]
    text = page(
        "checkpoint.html",
        title=f"Inside {name}",
        about=f"{kind.capitalize()} of {weights:,} weights: {a.layers} layers of {a.heads} heads, width {a.d}, "
        f"{a.hidden:,} hidden units a layer, {a.vocabulary:,} tokens.",
        footer=f"Heads are scored on {read} read twice; what heads and hidden units write is read in their "
        "weights, through the norms' scales, as if no other layer added to the stream.",
        summary=repeated,
        figures=figures,
        tables=tables,
        layers=layers,
        files=files,
    )
    index = out / "index.html"
    index.write_text(text, encoding="utf-8")
    return index


def _best_heads(heads: pl.DataFrame, by: str, title: str) -> dict[str, Any]:
    rows = heads.sort(by, descending=True).head(5).iter_rows(named=True)
    names = ("induction", "previous", "copied")
    shown = [
        (
            f"{row['layer']}.{row['head']}",
            *(f"{row[n]:.2f} [{row[n + '_low']:.2f}, {row[n + '_high']:.2f}]" for n in names),
            f"{row['positive']:+.2f}",
            f"{row['output_rank']:.0f}",
        )
        for row in rows
    ]
    columns = (
        "layer.head",
        "induction",
        "previous token",
        "tokens copied",
        "positive eigenvalues",
        "rank of W_OV",
    )
    return {"title": title, "columns": columns, "rows": shown}


def _draw_maps(picture: "Figure", heads: pl.DataFrame) -> None:
    shown = (
        ("induction", "attention to what followed the same token", (0, 1), "viridis"),
        ("previous", "attention to the token before", (0, 1), "viridis"),
        ("copied", "share of tokens W_OV copies", (0, 1), "viridis"),
        ("positive", "eigenvalues of W_U W_OV W_E, sum over sum of sizes", (-1, 1), "RdBu"),
    )
    layers = int(heads["layer"].max()) + 1  # type: ignore[arg-type]
    for axes, (column, title, (low, high), colours) in zip(picture.subplots(2, 2).flat, shown, strict=True):
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

    names = (("output_values", "W_OV"), ("key_query_values", "W_KQ"), ("W_out_values", "W_out"))
    colours = mpl.colormaps["viridis"]
    for axes, (name, title) in zip(picture.subplots(1, 3).flat, names, strict=True):
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
    bar = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, len(spectra["output_values"]) - 1), "viridis")
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

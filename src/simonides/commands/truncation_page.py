"""The page of a search: accuracy after every edit, and what the chosen one does on other questions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import torch
from torch import Tensor

from simonides import options as given
from simonides.commands.judging import Judged
from simonides.lab import page, placed
from simonides.lab.figures import painted
from simonides.probes import MATRICES, Answers, Edit

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_search(
    options: given.Truncate,
    found: Mapping[Edit, Answers],
    chosen_by: Tensor,
    reported_on: Tensor,
    before: Judged,
    entries: Sequence[dict[str, Any]],
    out: Path,
) -> Path:
    """Write the page, its figure and the table of all edits; returns the page's path."""
    assert before.answers is not None
    out.mkdir(parents=True, exist_ok=True)
    rows = [_row(edit, answers, chosen_by, reported_on) for edit, answers in found.items()]
    table = pl.DataFrame(rows)
    table.write_csv(out / "edits.csv")
    everywhere = torch.cat([chosen_by, reported_on])
    base = float(before.answers.right[everywhere].mean())
    names = [name for name in MATRICES if name in set(table["matrix"])]
    caption = (
        "Accuracy on all questions after one edit, less that of the untouched model: of many cells the best is "
        "high by chance, so an edit is chosen on some questions and reported on the others"
    )
    drawn = painted(lambda picture: _draw(picture, table, names, base), caption, (3.2 * len(names) + 1.2, 4.6))
    columns = ("model", "accuracy", "gain", "p(answer)", f"p({options.generic})", "median rank", "perplexity")
    shown = [
        (
            entry["edit"],
            _ends(entry["accuracy"], entry["accuracy_interval"]),
            _ends(entry["gain"], entry["gain_interval"]),
            f"{entry['probability']:.3f}",
            f"{entry['generic']:.3f}",
            f"{entry['median_rank']:.0f}",
            f"{entry['perplexity']:.2f}",
        )
        for entry in entries
    ]
    text = page(
        "checkpoint.html",
        title=f"Truncating {options.checkpoint.name}",
        about=f"{len(found)} edits, each alone; chosen on {len(chosen_by)} questions of {options.questions}, "
        f"reported on the other {len(reported_on)}. Intervals: 95 %, bootstrap over questions.",
        footer="An answer is right where its first token is the likeliest of all; shares are of the rank kept.",
        summary=[],
        figures=[placed(drawn, out, "edits", caption)],
        tables=[
            {"title": "On the questions that chose nothing", "columns": columns, "rows": shown},
        ],
        layers=[],
        files=["edits.csv", "truncation.json"],
    )
    index = out / "index.html"
    index.write_text(text, encoding="utf-8")
    return index


def _row(edit: Edit, answers: Answers, chosen_by: Tensor, reported_on: Tensor) -> dict[str, Any]:
    everywhere = torch.cat([chosen_by, reported_on])
    return {
        "layer": edit.layer,
        "matrix": edit.matrix,
        "share": edit.share,
        "accuracy": float(answers.right[everywhere].mean()),
        "accuracy_chosen_by": float(answers.right[chosen_by].mean()),
        "accuracy_reported_on": float(answers.right[reported_on].mean()),
        "probability": float(answers.probability[everywhere].mean()),
        "generic": float(answers.watched[everywhere, 0].mean()),
    }


def _ends(value: float, ends: tuple[float, float]) -> str:
    return f"{value:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"


def _draw(picture: "Figure", table: pl.DataFrame, names: Sequence[str], base: float) -> None:
    frames = picture.subplots(1, len(names), squeeze=False)[0]
    most = max(0.01, float((table["accuracy"] - base).abs().max()))  # type: ignore[arg-type]
    for axes, name in zip(frames, names, strict=True):
        own = table.filter(pl.col("matrix") == name)
        layers, shares = sorted(own["layer"].unique()), sorted(own["share"].unique())
        grid = own.sort("layer", "share")["accuracy"].to_numpy().reshape(len(layers), len(shares)) - base
        mesh = axes.pcolormesh(grid, vmin=-most, vmax=most, cmap="RdBu")
        axes.set_xticks([n + 0.5 for n in range(len(shares))], [f"{share:g}" for share in shares], fontsize=7)
        every = max(1, len(layers) // 15)
        axes.set_yticks([n + 0.5 for n in range(0, len(layers), every)], map(str, layers[::every]), fontsize=7)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("share of the rank kept")
        axes.grid(False)
    frames[0].set_ylabel("layer")
    picture.colorbar(mesh, ax=frames, label="gain in accuracy")

"""The page of a search: accuracy after every edit, and what the chosen one does on other questions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from simonides.base import output_folder, page, painted, place_figure, write_text
from simonides.probes.inspection_page import TEMPLATE
from simonides.probes.searching import TruncationSearch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CAPTION = (
    "Accuracy on all questions after one edit, less that of the untouched model: of many cells the best is high by "
    "chance, so an edit is chosen on some questions and reported on the others"
)


def write_search(search: TruncationSearch, out: Path, name: str) -> Path:
    """Write the page, its figure and the table of all edits; returns the page's path.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    assert search.untouched.answers is not None
    output_folder(out)
    table = search.table()
    write_text(out / "edits.csv", table.write_csv())
    base = float(search.untouched.answers.right.mean())
    roles = list(table["matrix"].unique(maintain_order=True))
    drawn = painted(lambda picture: _draw(picture, table, roles, base), _CAPTION, (3.2 * len(roles) + 1.2, 4.6))
    rows = search.rows()
    columns = [
        "model",
        "accuracy",
        "answers shuffled",
        "best constant",
        "gain",
        "gain over random",
        "p(answer)",
        "median rank",
    ]
    columns += ["perplexity"]
    columns += ["p(generic word)"] if "generic" in rows[0] else []
    shown = [
        [
            row["edit"],
            _ends(row["accuracy"], row["accuracy_interval"]),
            f"{row['accuracy_shuffled']:.3f}" if "accuracy_shuffled" in row else "–",
            f"{row['accuracy_constant']:.3f}" if "accuracy_constant" in row else "–",
            _ends(row["gain"], row["gain_interval"]),
            _ends(row["over_random"], row["over_random_interval"]) if "over_random" in row else "–",
            f"{row['probability']:.3f}",
            f"{row['median_rank']:.0f}",
            f"{row['perplexity']:.2f}",
            *([f"{row['generic']:.3f}"] if "generic" in row else []),
        ]
        for row in rows
    ]
    text = page(
        TEMPLATE,
        title=f"Truncating {name}",
        about=f"{len(search.answers)} edits, each alone; chosen on {len(search.chosen_by)} questions, reported on "
        f"the other {len(search.reported_on)}. Intervals: 95 %, bootstrap over questions.",
        footer="An answer is right where its first token is the likeliest of all; shares are of the rank kept. The "
        "best constant answer is the accuracy of always saying the commonest one.",
        summary=[],
        figures=[place_figure(drawn, out, "edits", _CAPTION)],
        tables=[{"title": "On held-out questions", "columns": columns, "rows": shown}],
        layers=[],
        files=["edits.csv", "truncation.json"],
    )
    index = out / "index.html"
    write_text(index, text)
    return index


def _ends(value: float, ends: tuple[float, float]) -> str:
    return f"{value:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"


def _draw(picture: "Figure", table: pl.DataFrame, names: Sequence[str], base: float) -> None:
    frames = picture.subplots(1, len(names), squeeze=False)[0]
    most = max(0.01, float((table["accuracy"] - base).abs().max()))  # type: ignore[arg-type]
    for axes, name in zip(frames, names, strict=True):
        rows = table.filter(pl.col("matrix") == name)
        layers, shares = sorted(rows["layer"].unique()), sorted(rows["share"].unique())
        grid = rows.sort("layer", "share")["accuracy"].to_numpy().reshape(len(layers), len(shares)) - base
        mesh = axes.pcolormesh(grid, vmin=-most, vmax=most, cmap="RdBu")
        axes.set_xticks([n + 0.5 for n in range(len(shares))], [f"{share:g}" for share in shares], fontsize=7)
        every = max(1, len(layers) // 15)
        axes.set_yticks([n + 0.5 for n in range(0, len(layers), every)], map(str, layers[::every]), fontsize=7)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("share of the rank kept")
        axes.grid(False)
    frames[0].set_ylabel("layer")
    picture.colorbar(mesh, ax=frames, label="gain in accuracy")

"""Explorations: runs with parameters set by hand, kept as a table and drawn along what was swept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from simonides.base import SimonidesError, output_folder, painted, write_bytes, write_text
from simonides.lab.cell_values import measured_columns
from simonides.lab.figures import Overlay
from simonides.lab.figures.style import check_one_cell_each

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simonides.lab.running import Ran

# panels of a figure
_MOST = 6


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """What was written of an exploration.

    Arguments:
        table: path of the CSV, a row for each run and row of it.
        figure: path of the PNG; None where there is nothing to draw along.
        why_not: why nothing was drawn, in words.
    """

    table: Path
    figure: Path | None
    why_not: str = ""


def write_exploration(ran: "Ran", settings: Mapping[str, Any], root: Path) -> Exploration:
    """Write the runs of an exploration below a folder, and draw the measured columns along what was swept.

    Arguments:
        ran: what became of the claim.
        settings: the parameters set by hand, a value or a list of them each.
        root: of the store.

    Raises:
        SimonidesError: when the folder cannot be written.
    """
    assert ran.gathered is not None
    name = "_".join(f"{name}={_text(value)}" for name, value in settings.items())
    folder = output_folder(root / "explorations" / ran.plan.file.id.replace("/", "-"))
    stem = re.sub(r"[^\w=,.+-]", "-", name)[:120]
    frame = plain_columns(ran.gathered.table)
    write_text(folder / f"{stem}.csv", frame.write_csv())
    try:
        x, by = _axes(ran.gathered.table, settings)
    except SimonidesError as error:
        return Exploration(table=folder / f"{stem}.csv", figure=None, why_not=str(error))
    columns = measured_columns(ran.gathered.table)[:_MOST]

    def draw(picture: "Figure") -> None:
        frames = picture.subplots(1, len(columns), squeeze=False)[0]
        for axes, column in zip(frames, columns, strict=True):
            shown = Overlay(y=column, x=x, by=by, title=column, x_label=x, y_label=column, smooth=False)
            shown.draw(axes, ran.gathered.table, ran.plan.claim.predictions)  # type: ignore[union-attr]

    files = painted(draw, f"{ran.plan.file.id}, exploratory", (4.4 * len(columns), 3.6))
    write_bytes(folder / f"{stem}.png", files["png"])
    return Exploration(table=folder / f"{stem}.csv", figure=folder / f"{stem}.png")


def plain_columns(table: pl.DataFrame) -> pl.DataFrame:
    """A table of runs with its parameters under their own names."""
    return table.rename({name: name.removeprefix("cell ") for name in table.columns})


def _axes(table: pl.DataFrame, settings: Mapping[str, Any]) -> tuple[str, str]:
    """The parameter along the axis, and the one that gives the colours.

    Raises:
        SimonidesError: when nothing was swept, or more than two parameters differ.
    """
    swept = [name for name, value in settings.items() if isinstance(value, list)]
    numbers = [name for name in swept if table[f"cell {name}"].dtype.is_numeric()]
    if not numbers:
        raise SimonidesError("nothing is drawn: give several numbers for one parameter, such as --facts 100,200.")
    x = numbers[0]
    cells = [name.removeprefix("cell ") for name in table.columns if name.startswith("cell ")]
    others = [name for name in cells if name != x and table[f"cell {name}"].n_unique() > 1]
    by = next((name for name in others if name in swept), others[0] if others else "")
    if table["row"].max():
        raise SimonidesError("nothing is drawn: a run of this claim has several rows; draw its CSV yourself.")
    for _, group in table.group_by(f"cell {by}") if by else [("", table)]:
        check_one_cell_each(group, [f"cell {x}"], "of the exploration")
    return x, by


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)

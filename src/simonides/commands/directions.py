"""`directions`: which few combinations of columns a number depends on."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from simonides.base import SimonidesError, check_at_least, check_output_folder, check_seed, say, say_json, tell
from simonides.commands.shared import Json

if TYPE_CHECKING:
    import numpy as np

    from simonides.papers.multi_index.finding import Found


@dataclass(frozen=True, kw_only=True)
class Directions:
    """Find the directions in a table that a number depends on, by gradient descent on a multi-index model.

    The columns of a CSV or TSV are whitened; a polynomial of a few of their combinations is fitted, and its score on
    rows that were held out stands beside those of a line and of sliced inverse regression's directions with the same
    link.

    Example: simonides directions houses.csv --target price --components 2

    Or: simonides directions diabetes
    """

    table: Annotated[
        Positional[str], arg(metavar="FILE|diabetes", help="A CSV or TSV, or scikit-learn's diabetes.")
    ] = "diabetes"
    target: Annotated[str | None, arg(metavar="COLUMN", help="The column that is to be predicted, of a file.")] = (
        None
    )
    components: Annotated[
        int | Literal["auto"],
        arg(help="How many directions; auto adds them while they explain held-out rows better."),
    ] = "auto"
    degree: Annotated[int, arg(help="Total degree of the link.")] = 3
    seed: Annotated[int, arg(help="Of random starts and the rows held out.")] = 0
    out: Annotated[Path | None, arg(metavar="DIR", help="Write a page, its figure and tables here.")] = None
    json: Json = False


def execute(options: Directions) -> int:
    """Read, find, say."""
    from simonides.papers.multi_index.finding import find_directions

    check_seed(options.seed)
    if not 1 <= options.degree <= 10:
        raise SimonidesError(f"degree = {options.degree}: give a total degree of the link from 1 to 10.")
    if options.components != "auto":
        check_at_least("components", options.components, 1)
    if options.out is not None:
        check_output_folder(options.out)
    name, columns, x, y = _read(options)
    found = find_directions(x, y, columns, options.components, options.degree, options.seed)
    if options.json:
        say_json({"table": name, **found.told()})
    else:
        _say(name, found)
    if found.warning:
        tell(found.warning)
    if options.out is not None:
        from simonides.papers.multi_index.directions_page import write_directions

        index = write_directions(options.out, name, found)
        if not options.json:
            say(f"page: {index.resolve()}")
    return 0


def _read(options: Directions) -> "tuple[str, tuple[str, ...], np.ndarray, np.ndarray]":
    if options.table == "diabetes":
        if options.target is not None:
            raise SimonidesError("--target is of a file; leave it out, or give a CSV.")
        try:
            from sklearn.datasets import load_diabetes
        except ModuleNotFoundError:
            raise SimonidesError(
                "diabetes comes from scikit-learn, which is not installed; run: pip install 'simonides[tabular]'"
            ) from None
        found = load_diabetes(scaled=False)
        return "diabetes", tuple(found.feature_names), found.data, found.target
    from simonides.data import read_number_table

    if options.target is None:
        raise SimonidesError(f"{options.table}: of a file give --target COLUMN, the number to be predicted.")
    table = read_number_table(options.table, options.target)
    return Path(options.table).name, table.columns, table.x, table.y


def _say(name: str, found: "Found") -> None:
    model = found.model
    say(f"{name}: {found.rows:,} rows, {len(found.columns)} columns, directions: {len(model.components_)}")
    for number, (direction, energy) in enumerate(zip(found.weights, model.eigenvalues_, strict=True), 1):
        largest = sorted(zip(found.columns, direction, strict=True), key=lambda entry: -abs(entry[1]))[:5]
        parts = ", ".join(f"{column} {weight:+.2f}" for column, weight in largest)
        say(f"index {number} (mean squared slope {energy:.3g}), a standard deviation of each column: {parts}")
    for method, score in found.scores.items():
        say(f"R^2 on held-out rows, {method}: {score:.3f}")
    say(model.may_hide())

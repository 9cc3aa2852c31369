"""Tables of numbers with a target, of two classes or a number, from a CSV or TSV of one's own."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from simonides.base import SimonidesError, suggest
from simonides.data.tables import cells_of, delimiter_of

_JSON = (".json", ".jsonl", ".ndjson")


@dataclass(frozen=True, kw_only=True, eq=False)
class NumericTable:
    """n rows of d numbers, each of one of two classes.

    Arguments:
        x: the numbers.
        positive: which rows are of the class that is asked for.
        columns: names of the numbers.
        classes: the values of the target: of the other rows, and of these.
    """

    x: Float[np.ndarray, "n d"]
    positive: Bool[np.ndarray, " n"]
    columns: tuple[str, ...]
    classes: tuple[str, str]


def read_numeric_table(path: Path | str, target: str, positive: str | None = None) -> NumericTable:
    """All columns but the target as numbers.

    Arguments:
        path: a CSV or TSV whose first row names the columns.
        target: the name of the column with the classes.
        positive: the value that is asked for; needed where the target has more than two, and by default the later of
            two in the order of the alphabet.

    Raises:
        SimonidesError: when the file cannot be read, a cell is no finite number, or the target has other classes.
    """
    path = Path(path)
    names, numbers, targets = _read(path, target)
    values = [value for _, value in targets]
    classes = sorted(set(values))
    if len(classes) < 2:
        raise SimonidesError(
            f"{path}: the target {target} is always {classes[0]!r}; there is nothing to tell apart."
        )
    if positive is None and len(classes) > 2:
        raise SimonidesError(
            f"{path}: the target {target} has {len(classes)} values; give --positive VALUE to ask for one of them. A "
            "number that is to be predicted is no class."
        )
    asked = classes[1] if positive is None else positive
    if asked not in classes:
        raise SimonidesError(f"{path}: the target {target} is never {asked!r}; {suggest(asked, classes)}")
    other = next(one for one in classes if one != asked) if len(classes) == 2 else f"not {asked}"
    return NumericTable(
        x=numbers,
        positive=np.array([value == asked for value in values]),
        columns=names,
        classes=(other, asked),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberTable:
    """n rows of d numbers, each with a number that is to be predicted.

    Arguments:
        x: the numbers.
        y: what is to be predicted.
        columns: names of the numbers.
    """

    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    columns: tuple[str, ...]


def read_number_table(path: Path | str, target: str) -> NumberTable:
    """All columns as numbers, one of them the target.

    Arguments:
        path: a CSV or TSV whose first row names the columns.
        target: the name of the column to be predicted.

    Raises:
        SimonidesError: when the file cannot be read, or a cell is no finite number.
    """
    path = Path(path)
    names, numbers, targets = _read(path, target)
    return NumberTable(
        x=numbers, y=np.array([_number(path, row, target, value) for row, value in targets]), columns=names
    )


def _read(path: Path, target: str) -> tuple[tuple[str, ...], Float[np.ndarray, "n d"], list[tuple[int, str]]]:
    """Names and numbers of all columns but the target, and the target's cells with their rows."""
    suffix = path.suffix.lower()
    if suffix in _JSON:
        raise SimonidesError(f"{path} is JSON; give a CSV or TSV whose first row names the columns.")
    rows = cells_of(path, delimiter_of(None, suffix))
    if len(rows) < 2:
        raise SimonidesError(
            f"{path} holds no rows below a header; give a table whose first row names the columns."
        )
    header = [cell.strip() for cell in rows[0][1]]
    place = _place(path, header, target)
    others = [number for number in range(len(header)) if number != place]
    if not others:
        raise SimonidesError(f"{path} has no column beside the target {target}.")
    names = tuple(header[number] or f"column {number + 1}" for number in others)
    if len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise SimonidesError(f"{path} has two columns {twice!r}; rename one.")
    numbers = np.empty((len(rows) - 1, len(others)))
    targets: list[tuple[int, str]] = []
    for line, (row, cells) in enumerate(rows[1:]):
        if len(cells) != len(header):
            raise SimonidesError(f"{path}, row {row}: {len(cells)} cells where {len(header)} were expected.")
        targets.append((row, cells[place].strip()))
        if not targets[-1][1]:
            raise SimonidesError(
                f"{path}, row {row}: the target {target} is empty; fill it in, or leave the row out."
            )
        for column, number in enumerate(others):
            numbers[line, column] = _number(path, row, names[column], cells[number].strip())
    return names, numbers, targets


def _place(path: Path, header: list[str], target: str) -> int:
    """Which column is the target: the one of that name, or, whatever the case, the only one."""
    exact = [number for number, name in enumerate(header) if name == target.strip()]
    folded = [number for number, name in enumerate(header) if name.casefold() == target.strip().casefold()]
    found = exact or folded
    if len(found) == 1:
        return found[0]
    if found:
        raise SimonidesError(f"{path} has {len(found)} columns {target!r}; rename one.")
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise SimonidesError(
            f"{path} has one column, {header[0]!r}; save it with commas between cells, or as .tsv."
        )
    raise SimonidesError(f"{path} has no column {target!r}; {suggest(target, header)}")


def _number(path: Path | str, row: int, column: str, cell: str) -> float:
    try:
        value = (
            {"true": 1.0, "false": 0.0}[cell.casefold()] if cell.casefold() in ("true", "false") else float(cell)
        )
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in cell:
        raise SimonidesError(
            f"{path}, row {row}: {column} is {cell!r}, which is no finite number; leave the column or the row out."
        )
    return value

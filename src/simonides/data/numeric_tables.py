"""Tables of numbers with a target of two classes, from a CSV or TSV of one's own."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from simonides.base import SimonidesError, suggest
from simonides.data.columns import Column
from simonides.data.tables import read_table

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
    if Path(path).suffix.lower() in _JSON:
        raise SimonidesError(f"{path} is JSON; give a CSV or TSV whose first row names the columns.")
    name = target.strip().casefold()
    labels = read_table(path, [Column(name=target, words=(frozenset({name}),))], header=True, columns=[target])
    values = [cells[0] for _, cells in labels.rows]
    classes = sorted(set(values))
    if positive is None:
        if len(classes) != 2:
            raise SimonidesError(
                f"{path}: the target {target} has {len(classes)} values; give --positive VALUE to ask for one of them."
            )
        positive = classes[1]
    elif positive not in classes:
        raise SimonidesError(f"{path}: the target {target} is never {positive!r}; {suggest(positive, classes)}")
    elif len(classes) < 2:
        raise SimonidesError(
            f"{path}: the target {target} is always {positive!r}; there is nothing to tell apart."
        )
    names = labels.unused
    if not names:
        raise SimonidesError(f"{path} has no column beside the target {target}.")
    if len(set(names)) < len(names):
        twice = next(one for one in names if names.count(one) > 1)
        raise SimonidesError(f"{path} has two columns {twice!r}; rename one.")
    wanted = [Column(name=one, words=(frozenset({one}),)) for one in names]
    rows = read_table(path, wanted, header=True, columns=names).rows
    numbers = np.empty((len(rows), len(names)))
    for place, (row, cells) in enumerate(rows):
        for column, cell in enumerate(cells):
            numbers[place, column] = _number(path, row, names[column], cell)
    other = next(one for one in classes if one != positive) if len(classes) == 2 else f"not {positive}"
    return NumericTable(
        x=numbers,
        positive=np.array([value == positive for value in values]),
        columns=names,
        classes=(other, positive),
    )


def _number(path: Path | str, row: int, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SimonidesError(
            f"{path}, row {row}: {column} is {cell!r}, which is no finite number; leave the column or the row out."
        )
    return value

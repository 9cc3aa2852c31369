"""Rows of named columns from a CSV, TSV, JSON Lines or JSON file: one reader and one set of rules for every table."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from simonides.base import SimonidesError, parse_json, read_json, read_text
from simonides.data.columns import Column, by_words, chosen, named_by_words, refuse_doubt, usual

_JSON_LINES, _JSON = (".jsonl", ".ndjson"), (".json",)
_TABS = (".tsv", ".tab")
# characters of a cell
_LONGEST = 2**30


@dataclass(frozen=True, kw_only=True)
class Table:
    """What was read.

    Arguments:
        path: of the file.
        columns: which were found, of those that were wanted and in their order.
        rows: for each its number in the file, from 1, and its cells.
        first_row: "a header" or "data" where that was guessed.
        unused: names of columns that nobody asked for.
    """

    path: Path
    columns: tuple[Column, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    first_row: str = ""
    unused: tuple[str, ...] = ()

    def refuse_empty(self, number: int, cells: Sequence[str]) -> None:
        """Raise `SimonidesError` where a cell of a row is empty."""
        for place, (column, cell) in enumerate(zip(self.columns, cells, strict=True), start=1):
            if not cell:
                raise SimonidesError(
                    f"{self.path}, row {number}, column {place} ({column.name}) is empty; fill it in."
                )


def read_table(
    path: Path | str,
    wanted: Sequence[Column],
    delimiter: str | None = None,
    header: bool | None = None,
    columns: Sequence[str | int] | None = None,
) -> Table:
    """The wanted columns of a file.

    A `.tsv` has tabs and no quoting; `.jsonl` has an object a line and `.json` an array of objects; anything else
    is a CSV with quotes. A first row that names the columns is a header and may put them in any order.

    Arguments:
        path: a UTF-8 file.
        wanted: the columns.
        delimiter: one character; by default by the file's suffix.
        header: whether the first row names the columns; by default it does when it has names of those wanted.
        columns: names in the header, or numbers from 1, in the order of `wanted`.

    Raises:
        SimonidesError: when the file cannot be read, has no rows, or it cannot be told which column is which.
    """
    if not isinstance(path, (str, Path)):
        raise SimonidesError(f"a table came as {type(path).__name__}; give the path of its file.")
    if header not in (None, True, False):
        raise SimonidesError(f"header = {header!r}; give True, False, or None to guess.")
    if isinstance(columns, str):
        raise SimonidesError(f"columns came as the text {columns!r}; give a list of names or numbers.")
    chosen_columns = None if columns is None else [str(column) for column in columns]
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (*_JSON_LINES, *_JSON):
        if (delimiter, header) != (None, None):
            raise SimonidesError(f"{path} is JSON, which names its cells; leave delimiter and header out.")
        return _of_objects(path, read_objects(path), wanted, chosen_columns)
    rows = cells_of(path, delimiter_of(delimiter, suffix))
    if not rows:
        raise SimonidesError(f"{path} holds no rows; give at least one.")
    first = rows[0][1]
    names = tuple(cell.strip().casefold() for cell in first)
    guessed = ""
    if chosen_columns is not None:
        order, by_number = chosen(path, names, wanted, chosen_columns, header)
        has_header = header if header is not None else not by_number
        if header is None and by_number:
            has_header = named_by_words(path, names, rows, wanted)
            guessed = "a header" if has_header else "data"
    else:
        found = None if header is False else by_words(path, names, wanted)
        has_header = header if header is not None else found is not None
        if header is None:
            refuse_doubt(path, names, rows, wanted, found)
            guessed = "a header" if has_header else "data"
        order = found or usual(path, len(first), wanted, header, rows[0][0])
    if has_header:
        rows = rows[1:]
        if not rows:
            raise SimonidesError(f"{path} holds a header and no rows; give at least one.")
    picked = []
    for number, cells in rows:
        if len(cells) != len(first):
            raise SimonidesError(
                f"{path}, row {number}: {len(cells)} cells where {len(first)} were expected; quote a cell that holds "
                "the delimiter."
            )
        picked.append((number, tuple(cells[place].strip() for place in order.values())))
    called = names if has_header else ("",) * len(names)
    unused = tuple(name or f"column {n}" for n, name in enumerate(called, 1) if n - 1 not in order.values())
    found_columns = tuple(column for column in wanted if column.name in order)
    return Table(path=path, columns=found_columns, rows=tuple(picked), first_row=guessed, unused=unused)


def delimiter_of(delimiter: str | None, suffix: str) -> str:
    """What stands between cells: as given, or by the file's suffix."""
    if delimiter is None:
        return "\t" if suffix in _TABS else ","
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
        raise SimonidesError(f"delimiter {delimiter!r} is not one character between cells; give for example ';'.")
    return delimiter


def cells_of(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """The rows of a file that are not empty, each with its number from 1."""
    # what is between tabs is never quoted: titles begin with quotes
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    # a cell may hold a whole passage
    limit = csv.field_size_limit(_LONGEST)
    reader = csv.reader(io.StringIO(read_text(path)), delimiter=delimiter, strict=True, quoting=quoting)
    try:
        return [(n, row) for n, row in enumerate(reader, start=1) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise SimonidesError(
            f"{path}, line {reader.line_num} is no part of a well-formed table: {error}; check its quotes."
        ) from None
    finally:
        csv.field_size_limit(limit)


def read_objects(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a JSON or JSON Lines file, each with its row from 1.

    Raises:
        SimonidesError: when the file cannot be read, has none, or something else than objects.
    """
    if path.suffix.lower() in _JSON:
        content = read_json(path)
        entries = list(enumerate(content if isinstance(content, list) else [content], start=1))
    else:
        entries = []
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if line.strip():
                entries.append((number, parse_json(line, f"{path}, line {number}")))
    if not entries:
        raise SimonidesError(f"{path} holds no rows; give at least one.")
    for number, entry in entries:
        if not isinstance(entry, dict):
            raise SimonidesError(
                f"{path}, row {number}: {type(entry).__name__} where an object with names and texts was expected."
            )
    return entries


def _of_objects(
    path: Path, entries: list[tuple[int, dict[str, Any]]], wanted: Sequence[Column], columns: Sequence[str] | None
) -> Table:
    names = tuple(dict.fromkeys(name for _, entry in entries for name in entry))
    folded = tuple(name.casefold() for name in names)
    if columns is not None:
        order, _ = chosen(path, folded, wanted, columns, header=True)
    else:
        found = by_words(path, folded, wanted)
        if found is None:
            needed = " and ".join(column.name for column in wanted if not column.optional)
            raise SimonidesError(
                f"{path} has objects of {', '.join(names) or 'nothing'}; expected {needed}, or name the columns "
                "with --columns."
            )
        order = found
    rows = []
    for number, entry in entries:
        cells = [entry.get(names[place]) for place in order.values()]
        for place, cell in zip(order.values(), cells, strict=True):
            if not isinstance(cell, str):
                told = f"has {names[place]} = {cell!r}" if names[place] in entry else f"lacks {names[place]}"
                raise SimonidesError(f"{path}, row {number} {told}; expected a text.")
            if any("\ud800" <= letter <= "\udfff" for letter in cell):
                raise SimonidesError(f"{path}, row {number}: {names[place]} holds half a character; repair it.")
        rows.append((number, tuple(str(cell).strip() for cell in cells)))
    return Table(
        path=path,
        columns=tuple(column for column in wanted if column.name in order),
        rows=tuple(rows),
        unused=tuple(name for place, name in enumerate(names) if place not in order.values()),
    )

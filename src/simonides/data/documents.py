"""Documents: JSON objects, one for each record, from JSON Lines, JSON, CSV, TSV or Parquet; and back again."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from simonides.base import SimonidesError, replacing, write_text
from simonides.data.tables import cells_of, delimiter_of, read_objects

_OBJECTS = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet",)
Document = dict[str, Any]


def read_documents(path: Path | str) -> list[Document]:
    """The records of a file.

    A `.jsonl` has an object a line, a `.json` an array of objects, a `.parquet` a row each. Anything else is a table
    whose first row names its columns; a cell that is a finite number is one, an empty cell is None, and all else is
    text.

    Raises:
        SimonidesError: when the file cannot be read, is empty, or holds NaN or an infinite number.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _OBJECTS:
        documents = read_objects(path)
    elif suffix in _PARQUET:
        documents = list(enumerate(_parquet(path), start=1))
    else:
        documents = _table(path, delimiter_of(None, suffix))
    for number, document in documents:
        if not document:
            raise SimonidesError(f"{path}, row {number} is an empty object; leave it out.")
        try:
            where = _not_finite(document)
            json.dumps(document, ensure_ascii=False).encode()
        except RecursionError:
            raise SimonidesError(f"{path}, row {number} is nested too deeply; flatten it.") from None
        except UnicodeEncodeError:
            raise SimonidesError(f"{path}, row {number} holds half a character; repair it.") from None
        if where is not None:
            raise SimonidesError(
                f"{path}, row {number}: {where} is NaN or an infinite number; write null, or leave the row out."
            )
    return [document for _, document in documents]


def check_document_name(path: Path) -> None:
    """Raise `SimonidesError` unless a path ends as a file that `write_documents` writes."""
    if path.suffix.lower() not in (*_PARQUET, *_OBJECTS[:2]):
        raise SimonidesError(f"{path} ends in {path.suffix or 'nothing'}; write .jsonl or .parquet.")


def write_documents(path: Path, documents: Sequence[Mapping[str, Any]]) -> None:
    """Write records as JSON Lines, or as Parquet where the path ends so; whole or not at all.

    Raises:
        SimonidesError: when there are none, or they cannot be written so.
    """
    if not documents:
        raise SimonidesError(f"there are no records to write to {path}.")
    check_document_name(path)
    if path.suffix.lower() in _PARQUET:
        try:
            table = pl.DataFrame([dict(document) for document in documents], infer_schema_length=None)
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise SimonidesError(f"these records are no table: {error}; write .jsonl.") from None
        with replacing(path) as partial:
            table.write_parquet(partial)
        return
    try:
        lines = [json.dumps(document, ensure_ascii=False, allow_nan=False) for document in documents]
    except (ValueError, TypeError) as error:
        raise SimonidesError(f"these records are no JSON: {error}; write null for what is not finite.") from None
    write_text(path, "".join(f"{line}\n" for line in lines))


def _parquet(path: Path) -> list[Document]:
    if not path.is_file():
        raise SimonidesError(f"{path} does not exist, or is no file; check the path.")
    try:
        table = pl.read_parquet(path, glob=False)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a damaged file may end the reader in a panic, which is no Exception
        line = " ".join(str(error).split())[:200]
        raise SimonidesError(f"{path} cannot be read as Parquet: {line}.") from None
    if not len(table):
        raise SimonidesError(f"{path} holds no rows; give at least one.")
    for name, kind in table.schema.items():
        if kind.is_temporal() and kind != pl.Duration:
            table = table.with_columns(pl.col(name).cast(pl.String))
        elif kind.is_decimal():
            table = table.with_columns(pl.col(name).cast(pl.Float64))
    rows = table.to_dicts()
    for name, kind in table.schema.items():
        try:
            json.dumps([row[name] for row in rows])
        except TypeError:
            raise SimonidesError(
                f"{path}: the column {name} is {kind}, which JSON cannot say; leave it out."
            ) from None
        except (ValueError, RecursionError):
            pass  # what is not finite is told with its row
    return rows


def _table(path: Path, delimiter: str) -> list[tuple[int, Document]]:
    rows = cells_of(path, delimiter)
    if len(rows) < 2:
        raise SimonidesError(
            f"{path} holds no rows below a header; give a table whose first row names the columns."
        )
    names = [cell.strip() for cell in rows[0][1]]
    if "" in names or len(set(names)) < len(names):
        raise SimonidesError(
            f"{path}: a column has no name, or two have the same; the first row names the columns."
        )
    documents = []
    for number, cells in rows[1:]:
        if len(cells) != len(names):
            raise SimonidesError(f"{path}, row {number}: {len(cells)} cells where {len(names)} were expected.")
        documents.append((number, dict(zip(names, map(_cell, cells), strict=True))))
    return documents


def _cell(text: str) -> float | str | None:
    text = text.strip()
    if not text:
        return None
    # a leading zero, as of a postcode, or an underscore is no number's
    plain = text.lstrip("+-")
    if (
        not text.isascii()
        or plain[:1] not in "0123456789."
        or "_" in text
        or (plain[:1] == "0" and plain[1:2].isdigit())
    ):
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def _not_finite(value: Any, where: str = "") -> str | None:
    """Where a number of a document is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return where
    parts: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        parts = [(f"{where}.{name}" if where else str(name), own) for name, own in value.items()]
    elif isinstance(value, list):
        parts = [(f"{where}[{place}]", own) for place, own in enumerate(value)]
    return next((found for name, own in parts if (found := _not_finite(own, name)) is not None), None)

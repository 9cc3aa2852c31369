"""Tables of real facts: (subject, attribute) or (subject, relation, attribute), packaged or a user's own CSV."""

import csv
import difflib
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from simonides.base import SimonidesError, check_name, suggest

# a first row made of these words is a header; it may put the columns in any order
_HEADERS = {
    "subject": {"subject", "key", "question", "prompt", "input", "name", "entity", "head"},
    "relation": {"relation", "predicate", "property"},
    "attribute": {"attribute", "answer", "value", "output", "object", "target", "tail"},
}
_COLUMNS = ("subject", "relation", "attribute")


@dataclass(frozen=True, kw_only=True)
class FactTable:
    """N facts: keys[x] has the answer attributes[x]. A key is a subject, or "subject, relation".

    >>> table = FactTable(keys=("France", "Peru"), attributes=("Paris", "Lima"))
    >>> len(table), table.answers
    (2, ('Lima', 'Paris'))
    """

    keys: tuple[str, ...]
    attributes: tuple[str, ...]
    name: str = "facts"
    first_row: str = ""  # "a header" or "a fact" where that was guessed
    pairs: tuple[tuple[str, str], ...] = ()  # (subject, relation) of each key, where the table has relations
    left_out: int = 0  # rows whose key had come before

    def __post_init__(self) -> None:
        if not self.keys:
            raise SimonidesError(f"{self.name} holds no facts; give a table with at least one row.")
        if len(self.keys) != len(self.attributes):
            raise SimonidesError(
                f"{self.name} has {len(self.keys)} keys and {len(self.attributes)} attributes; "
                "give one attribute for every key."
            )

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def answers(self) -> tuple[str, ...]:
        """The M different attributes, sorted."""
        return tuple(sorted(set(self.attributes)))

    @cached_property
    def targets(self) -> list[int]:
        """For every key the row of its answer."""
        place = {answer: row for row, answer in enumerate(self.answers)}
        return [place[attribute] for attribute in self.attributes]

    @cached_property
    def class_sizes(self) -> list[int]:
        """For every answer the number of keys that have it."""
        sizes = [0] * len(self.answers)
        for target in self.targets:
            sizes[target] += 1
        return sizes

    def row_of(self, key: str) -> int:
        """The row of a key, whatever its case.

        Raises:
            SimonidesError: when the table has no such key; names the nearest ones.
        """
        wanted = _normal(key)
        row = self._rows.get(wanted)
        if row is None:
            near = difflib.get_close_matches(wanted, self._rows, n=3, cutoff=0.6) if len(self) < 10_000 else []
            named = " or ".join(repr(self.keys[self._rows[match]]) for match in near)
            raise SimonidesError(
                f"{self.name} has no key {key!r}; "
                + (f"did you mean {named}?" if near else f"its first is {self.keys[0]!r}; check the spelling.")
            )
        return row

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {_normal(key): row for row, key in enumerate(self.keys)}


def read_csv(
    path: Path | str, delimiter: str | None = None, header: bool | None = None, repeats: str = "refuse"
) -> FactTable:
    """A table of two columns (subject, attribute) or three (subject, relation, attribute).

    Arguments:
        path: a UTF-8 text file.
        delimiter: by default a tab for `.tsv`, a comma otherwise.
        header: whether the first row names the columns; by default it does when all its words are such
            names ("subject", "relation", "attribute", "key", "answer", ...), which may come in any order.
        repeats: what to do with a key that came before: "refuse" the table, or keep the "first" answer.

    Raises:
        SimonidesError: when the file cannot be read, or a row has too few or too many cells, an empty one, or
            a key that came before; the message names row and column.
    """
    check_name("repeats", repeats, ("refuse", "first"))
    path = Path(path)
    text = _read(path)
    delimiter = delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
    if len(delimiter) != 1:
        raise SimonidesError(f"delimiter {delimiter!r} is not one character; give for example ';'.")
    try:
        rows = [
            (number, cells)
            for number, cells in enumerate(
                csv.reader(io.StringIO(text), delimiter=delimiter, strict=True), start=1
            )
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise SimonidesError(f"{path} is no well-formed table: {error}; check its quotes.") from None
    if not rows:
        raise SimonidesError(f"{path} holds no facts (N = 0); give at least one row.")
    columns = _column_order(path, rows[0], header)
    if columns is not None:
        rows = rows[1:]
        if not rows:
            raise SimonidesError(f"{path} holds a header and no facts (N = 0); give at least one row.")
    width = len(columns) if columns is not None else len(rows[0][1])
    if width not in (2, 3):
        raise SimonidesError(
            f"{path}, row {rows[0][0]}: {width} column{'s' if width != 1 else ''} where two (subject, attribute) "
            f"or three (subject, relation, attribute) were expected; is the delimiter {delimiter!r}?"
        )
    names = columns or (_COLUMNS if width == 3 else (_COLUMNS[0], _COLUMNS[2]))
    keys: dict[str, int] = {}
    spelled, attributes, pairs = [], [], []
    for number, cells in rows:
        if len(cells) != width:
            raise SimonidesError(
                f"{path}, row {number}: {len(cells)} cells where {width} were expected "
                f"({', '.join(names)}); quote a cell that holds a {delimiter!r}."
            )
        fact = {name: " ".join(cell.split()) for name, cell in zip(names, cells, strict=True)}
        for place, name in enumerate(names, start=1):
            if not fact[name]:
                raise SimonidesError(f"{path}, row {number}, column {place} ({name}) is empty; fill it in.")
        key = ", ".join(fact[name] for name in ("subject", "relation") if name in fact)
        if (first := keys.setdefault(_normal(key), number)) != number:
            if repeats == "first":
                continue
            place = names.index("subject") + 1
            raise SimonidesError(
                f"{path}, row {number}, column {place} (subject): {key!r} came in row {first} already; "
                "a memory keeps one answer for a key, so remove one of the two, or give --repeats first."
            )
        spelled.append(key)
        attributes.append(fact["attribute"])
        if "relation" in fact:
            pairs.append((fact["subject"], fact["relation"]))
    guessed = "" if header is not None else "a fact" if columns is None else "a header"
    return FactTable(
        keys=tuple(spelled),
        attributes=tuple(attributes),
        name=path.name,
        first_row=guessed,
        pairs=tuple(pairs),
        left_out=len(rows) - len(spelled),
    )


def packaged(name: str) -> FactTable:
    """One of the tables in `PACKAGED`, from the installed data packages (extra `facts`).

    Raises:
        SimonidesError: when the name is unknown or the data package is missing.
    """
    if name not in PACKAGED:
        raise SimonidesError(f"table {name!r} is unknown; {suggest(name, PACKAGED)} A CSV file's path works too.")
    try:
        pairs = PACKAGED[name]()
    except ModuleNotFoundError as error:
        raise SimonidesError(
            f"table {name!r} comes from the package {error.name}, which is not installed; "
            "run: pip install 'simonides[facts]'"
        ) from None
    table = {key: value for key, value in pairs if key and value}
    return FactTable(keys=tuple(table), attributes=tuple(table.values()), name=name)


def _countries(field: str) -> Iterable[tuple[str, str]]:
    from countryinfo import all_countries

    for country in all_countries():
        value = country.info().get(field)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, str):
            yield country.info()["name"], value.strip()


def _elements() -> Iterable[tuple[str, str]]:
    import periodictable

    return ((e.name, e.symbol) for e in periodictable.elements if e.number > 0)


PACKAGED: dict[str, Callable[[], Iterable[tuple[str, str]]]] = {
    "country-capital": lambda: _countries("capital"),
    "country-continent": lambda: _countries("region"),
    "country-currency": lambda: _countries("currencies"),
    "capital-country": lambda: ((capital, country) for country, capital in _countries("capital")),
    "element-symbol": _elements,
}


def _normal(key: str) -> str:
    """A key without regard to case, spacing, or whether a comma or a bar parts subject and relation."""
    return ", ".join(" ".join(part.split()) for part in key.replace("|", ",").split(",")).casefold()


def _read(path: Path) -> str:
    if path.exists() and not path.is_file() and not path.is_dir():
        raise SimonidesError(f"{path} is no regular file; give a CSV file.")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SimonidesError(f"{path} does not exist; check the path.") from None
    except IsADirectoryError:
        raise SimonidesError(f"{path} is a folder; give a CSV file.") from None
    except OSError as error:
        raise SimonidesError(f"{path} cannot be read: {error.strerror}; check its permissions.") from None
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise SimonidesError(
            f"{path}, row {row}: byte {error.object[error.start]:#04x} is not UTF-8; save the table as UTF-8."
        ) from None


def _column_order(path: Path, first: tuple[int, list[str]], header: bool | None) -> tuple[str, ...] | None:
    """The columns' names in the order of the file, or None where the first row is a fact."""
    if header is False:
        return None
    words = [cell.strip().casefold() for cell in first[1]]
    names = tuple(next((name for name, known in _HEADERS.items() if word in known), word) for word in words)
    known = len(set(names)) == len(names) and {"subject", "attribute"} <= set(names) <= set(_COLUMNS)
    if known:
        return names
    if header is None:
        return None
    # a header in words of its own: the columns come in the usual order
    if len(words) == 3:
        return _COLUMNS
    if len(words) == 2:
        return (_COLUMNS[0], _COLUMNS[2])
    raise SimonidesError(
        f"{path}, row {first[0]}: a header of {len(words)} columns where two (subject, attribute) or three "
        "(subject, relation, attribute) were expected."
    )

"""Tables of real facts: (subject, attribute) or (subject, relation, attribute), packaged or a user's own file."""

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from simonides.base import SimonidesError, check_name, suggest
from simonides.data.columns import ATTRIBUTE, RELATION, SUBJECT
from simonides.data.tables import read_table


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
    first_row: str = ""  # "a header" or "data" where that was guessed
    pairs: tuple[tuple[str, str], ...] = ()  # (subject, relation) of each key, where the table has relations
    left_out: int = 0  # rows whose key had come before
    unused: tuple[str, ...] = ()  # columns of the file that are none of these

    def __post_init__(self) -> None:
        if not self.keys:
            raise SimonidesError(f"{self.name} holds no facts; give a table with at least one row.")
        if len(self.keys) != len(self.attributes):
            raise SimonidesError(
                f"{self.name} has {len(self.keys)} keys and {len(self.attributes)} attributes; "
                "give one attribute for every key."
            )
        for row, (key, attribute) in enumerate(zip(self.keys, self.attributes, strict=True)):
            for what, value in (("key", key), ("attribute", attribute)):
                if not isinstance(value, str) or not value.strip():
                    raise SimonidesError(f"{self.name}, {what} {row} is {value!r}; expected a text.")
        if len(self._rows) != len(self):
            first = next(key for row, key in enumerate(self.keys) if self._rows[_normal(key)] != row)
            raise SimonidesError(f"{self.name} has the key {first!r} twice, up to case and spaces; keep one.")

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
        if not isinstance(key, str):
            raise SimonidesError(f"{key!r} is no key; give a text, such as {self.keys[0]!r}.")
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


def read_fact_table(
    path: Path | str,
    delimiter: str | None = None,
    header: bool | None = None,
    repeats: str = "refuse",
    columns: Sequence[str | int] | None = None,
) -> FactTable:
    """A file of two columns (subject, attribute) or three (subject, relation, attribute).

    Arguments:
        path: a CSV, TSV, JSON Lines or JSON file (`simonides.data.read_table` tells the rules).
        delimiter: by default a tab for `.tsv`, a comma otherwise.
        header: whether the first row names the columns; by default it does when all that are needed are named
            ("subject", "relation", "attribute", "key", "answer", ...), in any order.
        repeats: what to do with a key that came before: "refuse" the table, or keep the "first" answer.
        columns: which columns are subject, (relation,) attribute: names in the header, or numbers from 1.

    Raises:
        SimonidesError: when the file cannot be read, it cannot be told which column is which, or a row has too few
            or too many cells, an empty one, or a key that came before; the message names row and column.
    """
    check_name("repeats", repeats, ("refuse", "first"))
    table = read_table(path, (SUBJECT, RELATION, ATTRIBUTE), delimiter, header, columns)
    names = [column.name for column in table.columns]
    keys: dict[str, int] = {}
    spelled, attributes, pairs = [], [], []
    for number, cells in table.rows:
        table.refuse_empty(number, cells)
        fact = {name: _composed(cell) for name, cell in zip(names, cells, strict=True)}
        key = ", ".join(fact[name] for name in ("subject", "relation") if name in fact)
        if (first := keys.setdefault(_normal(key), number)) != number:
            if repeats == "first":
                continue
            what = "subject with its relation," if "relation" in fact else "subject"
            raise SimonidesError(
                f"{path}, row {number}: the {what} {key!r} came in row {first} already; "
                "a memory keeps one answer for a key, so remove one of the two, or give --repeats first."
            )
        spelled.append(key)
        attributes.append(fact["attribute"])
        if "relation" in fact:
            pairs.append((fact["subject"], fact["relation"]))
    return FactTable(
        keys=tuple(spelled),
        attributes=tuple(attributes),
        name=table.path.name,
        first_row=table.first_row,
        pairs=tuple(pairs),
        left_out=len(table.rows) - len(spelled),
        unused=table.unused,
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


def related(names: Sequence[str]) -> FactTable:
    """The packaged tables as one table with relations: what follows the hyphen in their names.

    Raises:
        SimonidesError: when a table is unknown, or named twice.
    """
    if len(set(names)) != len(names):
        raise SimonidesError(f"{'+'.join(names)} names a table twice; its facts would count twice.")
    rows = [
        ((key, name.partition("-")[2]), value)
        for name in names
        for table in [packaged(name)]
        for key, value in zip(table.keys, table.attributes, strict=True)
    ]
    return FactTable(
        keys=tuple(", ".join(pair) for pair, _ in rows),
        attributes=tuple(value for _, value in rows),
        name="+".join(names),
        pairs=tuple(pair for pair, _ in rows),
    )


def read_facts(
    source: FactTable | Mapping[str, str] | Path | str,
    delimiter: str | None = None,
    header: bool | None = None,
    repeats: str = "refuse",
    columns: Sequence[str | int] | None = None,
) -> FactTable:
    """A packaged table by its name, a file by its path, with `read_fact_table`'s options, or a dictionary of answers.

    A table stays as it is.
    Several packaged tables joined by a plus are one with relations: "country-capital+country-currency".

    Raises:
        SimonidesError: when it is neither, or the file cannot be used.
    """
    if isinstance(source, FactTable):
        return source
    if isinstance(source, Mapping):
        return FactTable(keys=_composed_all(source), attributes=_composed_all(source.values()))
    if not isinstance(source, str | Path):
        raise SimonidesError(
            f"facts came as {type(source).__name__}; give a table's name, a file's path, or a dictionary."
        )
    of_a_file = (delimiter, header, columns) != (None, None, None) or repeats != "refuse"
    joined = isinstance(source, str) and "+" in source and not Path(source).exists()
    is_path = isinstance(source, Path) or "/" in source or "." in source or Path(source).exists()
    if source in PACKAGED or joined or not is_path:
        if of_a_file and (source in PACKAGED or joined):
            raise SimonidesError(f"{source} is no file; delimiter, header, columns and repeats are for files.")
        return related(str(source).split("+")) if joined else packaged(str(source))
    return read_fact_table(source, delimiter, header, repeats, columns)


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


def _composed(text: str) -> str:
    """A text in composed characters, so that one word is one key however it was typed, and single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _composed_all(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(_composed(text) if isinstance(text, str) else text for text in texts)


def _normal(key: str) -> str:
    """A key without regard to case, spacing, or whether a comma or a bar parts subject and relation."""
    parts = unicodedata.normalize("NFC", key).replace("|", ",").split(",")
    return ", ".join(" ".join(part.split()) for part in parts).casefold()

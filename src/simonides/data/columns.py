"""Which column of a table is which: by the words of its header, by name or number, or by their usual order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simonides.base import SimonidesError


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column that is wanted of a table.

    Arguments:
        name: in messages.
        words: names that a header may give it, in sets: of a table with names from several sets the first counts.
        optional: whether a table may lack it.
    """

    name: str
    words: tuple[frozenset[str], ...]
    optional: bool = False


SUBJECT = Column(
    name="subject",
    words=(frozenset({"subject", "key", "entity", "head", "name"}), frozenset({"question", "prompt", "input"})),
)
RELATION = Column(name="relation", words=(frozenset({"relation", "predicate", "property"}),), optional=True)
ATTRIBUTE = Column(
    name="attribute",
    words=(
        frozenset({"attribute", "answer", "value", "object", "target", "tail", "output"}),
        frozenset({"reply", "response", "completion", "label"}),
    ),
)
PROMPT = Column(name="prompt", words=SUBJECT.words[::-1])
ANSWER = Column(name="answer", words=ATTRIBUTE.words)
PATTERN = Column(name="pattern", words=(frozenset({"pattern", "template"}), frozenset({"prompt"})))


def by_words(path: Path, names: Sequence[str], wanted: Sequence[Column]) -> dict[str, int] | None:
    """For each wanted column its place, by the words of a header; None where they are not all there."""
    order: dict[str, int] = {}
    for column in wanted:
        for words in column.words:
            places = [place for place, name in enumerate(names) if name in words and place not in order.values()]
            if len(places) > 1:
                both = " and ".join(repr(names[place]) for place in places)
                raise SimonidesError(f"{path}: {both} may both be the {column.name}; choose with --columns.")
            if places:
                order[column.name] = places[0]
                break
        else:
            if not column.optional:
                return None
    return order


def chosen(
    path: Path, names: Sequence[str], wanted: Sequence[Column], columns: Sequence[str], header: bool | None
) -> tuple[dict[str, int], bool]:
    """The places of columns given by name or number, and whether they were numbers."""
    needed = [column for column in wanted if not column.optional]
    taken = wanted if len(columns) == len(wanted) else needed if len(columns) == len(needed) else None
    if taken is None:
        counts = sorted({len(needed), len(wanted)})
        told = ", ".join(column.name for column in wanted)
        raise SimonidesError(
            f"--columns names {len(columns)} columns; expected {' or '.join(map(str, counts))} ({told})."
        )
    numbers = all(column.strip().isdecimal() for column in columns)
    if numbers:
        numbered = {column.strip() for column in columns}
        named = [name for place, name in enumerate(names, 1) if name in numbered and name != str(place)]
        if named and header is not False:
            raise SimonidesError(
                f"--columns {','.join(columns)}: {named[0]} is the name of a column and the number of another; "
                "give --header False if the first row is data, or rename the column."
            )
        places = [int(column) - 1 for column in columns]
        if bad := [place + 1 for place in places if not 0 <= place < len(names)]:
            raise SimonidesError(f"{path} has {len(names)} columns, and none of number {bad[0]}.")
    else:
        if header is False:
            raise SimonidesError("columns are given by name and there is no header; give their numbers, from 1.")
        places = []
        for column in columns:
            if names.count(column.strip().casefold()) != 1:
                raise SimonidesError(f"{path} has not one column {column!r}; its first row is {', '.join(names)}.")
            places.append(names.index(column.strip().casefold()))
    if len(set(places)) != len(places):
        raise SimonidesError(f"--columns names one column twice: {', '.join(columns)}.")
    order = {column.name: place for column, place in zip(taken, places, strict=True)}
    return order, numbers


def named_by_words(
    path: Path, names: Sequence[str], rows: Sequence[tuple[int, list[str]]], wanted: Sequence[Column]
) -> bool:
    """Whether the first row of a table, whose columns are chosen by number, names them in words that are known.

    Raises:
        SimonidesError: where that is in doubt.
    """
    named = all(
        column.optional or any(name in words for words in column.words for name in names) for column in wanted
    )
    if not named:
        refuse_doubt(path, names, rows, [column for column in wanted if not column.optional], None)
    return named


def refuse_doubt(
    path: Path,
    names: Sequence[str],
    rows: Sequence[tuple[int, list[str]]],
    wanted: Sequence[Column],
    found: dict[str, int] | None,
) -> None:
    """Raise `SimonidesError` where a first row may be a header in words that are not known."""
    if found is not None or len(rows) < 2:
        return
    known = {word for column in wanted for words in column.words for word in words}

    def comes_again(place: int) -> bool:
        return any(len(c) > place and c[place].strip().casefold() == names[place] for _, c in rows[1:])

    doubt = any(name in known and not comes_again(place) for place, name in enumerate(names))
    relation = next((n for n, column in enumerate(wanted) if column.name == "relation"), None)
    if len(names) == len(wanted) == 3 and relation is not None:  # relations come again, names of columns do not
        doubt = doubt or not comes_again(relation)
    if doubt:
        raise SimonidesError(
            f"{path}: is its first row ({', '.join(rows[0][1])}) a header? Say --header True or False, or name the "
            f"columns in the order {', '.join(column.name for column in wanted)}, such as --columns "
            f"{','.join(cell.strip() for cell in rows[0][1][:2])}."
        )


def usual(path: Path, width: int, wanted: Sequence[Column], header: bool | None, row: int) -> dict[str, int]:
    """The usual order of the columns, of a file that does not name them."""
    needed = [column for column in wanted if not column.optional]
    if width == len(needed):
        return {column.name: place for place, column in enumerate(needed)}
    if width == len(wanted) and not header:
        return {column.name: place for place, column in enumerate(wanted)}
    if width == len(wanted):
        raise SimonidesError(
            f"{path} has a header of {width} columns in words that are not known; name them in the order "
            f"{', '.join(column.name for column in wanted)} with --columns."
        )
    told = " or ".join(
        f"{len(some)} ({', '.join(column.name for column in some)})"
        for some in ((needed, wanted) if len(needed) != len(wanted) else (wanted,))
    )
    raise SimonidesError(
        f"{path}, row {row}: {width} column{'s' if width != 1 else ''} where {told} were expected; check the "
        "delimiter, or choose with --columns."
    )

"""JSON documents as sequences of words and numbers, and the numbers of a document by their paths."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.papers.numbers.grammar import extract_numbers, spelled
from simonides.papers.numbers.sequences import NUMBER, PAD, SPECIAL, NumberSequences

# a name in quotes with the colon behind it, a word, spaces, or a run of punctuation
_WORDS = re.compile(r"\"(?:[^\"\\]|\\.)*\":?|'[^']*':?|\w+|\s+|[^\w\s\"']+|.", re.DOTALL)
_BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
# a key that can stand in a path without quotes
_PLAIN = re.compile(r"[^\W\d][\w-]*")
_STEPS = re.compile(r"\[(\d+|\*)\]|\.?([^\W\d][\w -]*|\*)|\.?(\"(?:[^\"\\]|\\.)*\")")


@dataclass(frozen=True)
class Vocabulary:
    """Words that texts are made of: `SPECIAL`, 256 bytes, and words; nothing of a text is lost.

    A word that is not in it is written in its bytes. A comma alone between two numbers takes no symbol, so that a
    list of numbers is as long as it has numbers (Golkar et al. 2023).

    Arguments:
        words: beginning with `SPECIAL` and the bytes.

    >>> vocabulary = Vocabulary.learn(['{"x":[1,2.5]}'])
    >>> symbols, numbers = vocabulary.encode('{"x":[3,-4],"é":0}')
    >>> vocabulary.decode(symbols, numbers)
    '{"x":[3,-4],"é":0}'
    """

    words: tuple[str, ...]
    _before_number: "_Spelling" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.words[: len(SPECIAL) + 256] != (*SPECIAL, *_BYTES):
            raise SimonidesError("a vocabulary begins with its special symbols and 256 bytes; make it with learn.")
        if len(set(self.words)) < len(self.words):
            raise SimonidesError("a vocabulary has a word twice.")
        object.__setattr__(self, "_before_number", _Spelling(self.words))

    @classmethod
    def learn(cls, texts: Sequence[str], most: int = 4000) -> "Vocabulary":
        """The most frequent words of texts.

        Arguments:
            texts: to learn from.
            most: words, at most.
        """
        check_at_least("most", most, 0)
        if isinstance(texts, str):
            raise SimonidesError(
                "a vocabulary is learned from a list of texts, and one text came; put it in a list."
            )
        counts: Counter[str] = Counter()
        for text in texts:
            pieces = extract_numbers(text).pieces
            # a comma alone between two numbers takes no symbol
            for piece in (pieces[0], *(own for own in pieces[1:-1] if own != ","), *pieces[1:][-1:]):
                counts.update(_WORDS.findall(piece))
        for taken in (*SPECIAL, *_BYTES):
            counts.pop(taken, None)  # such a word of a text is written in bytes
        # by frequency, then by name, so that the order of texts does not matter
        ordered = sorted(counts, key=lambda word: (-counts[word], word))[:most]
        return cls((*SPECIAL, *_BYTES, *ordered))

    def encode(self, text: str) -> tuple[list[int], list[float]]:
        """Symbols, and the numbers where a symbol is `NUMBER`, in order.

        Raises:
            SimonidesError: when a number is too large for 64 bits.
        """
        found = extract_numbers(text)
        spelling = self._before_number
        if not found.values:
            return spelling.of(found.pieces[0]), []
        first, *between, last = found.pieces
        symbols = [*spelling.of(first), NUMBER]
        symbols += chain.from_iterable(map(spelling.__getitem__, between))
        symbols += spelling.of(last)
        return symbols, list(found.values)

    def decode(self, symbols: Sequence[int], numbers: Sequence[float]) -> str:
        """The text again, its numbers written as shortly as they can be read back.

        Raises:
            SimonidesError: when a symbol is not in the vocabulary, or there is not a number for each `NUMBER`.
        """
        parts: list[bytes] = []
        before = PAD
        left = iter(numbers)
        if sum(symbol == NUMBER for symbol in symbols) != len(numbers):
            raise SimonidesError(
                f"{len(numbers)} numbers for {sum(s == NUMBER for s in symbols)} symbols of numbers."
            )
        for symbol in symbols:
            if not 0 <= symbol < len(self.words):
                raise SimonidesError(f"symbol {symbol} of a vocabulary of {len(self.words)}.")
            if symbol == NUMBER:
                if before == NUMBER:
                    parts.append(b",")
                parts.append(spelled(next(left)).encode())
            elif symbol >= len(SPECIAL):
                byte = symbol - len(SPECIAL)
                parts.append(bytes([byte]) if byte < 256 else self.words[symbol].encode())
            elif symbol != PAD:
                parts.append(self.words[symbol].encode())
            before = symbol
        return b"".join(parts).decode("utf-8", "replace")

    def sequences(self, texts: Sequence[str]) -> NumberSequences:
        """Texts as sequences, padded behind their ends.

        Raises:
            SimonidesError: when there are none, one is empty, or a number is too large.
        """
        if not texts:
            raise SimonidesError("no texts came; give at least one.")
        encoded = [self.encode(text) for text in texts]
        lengths = torch.tensor([len(symbols) for symbols, _ in encoded])
        flat = np.fromiter(chain.from_iterable(symbols for symbols, _ in encoded), np.int64, int(lengths.sum()))
        numbers = np.array(list(chain.from_iterable(own for _, own in encoded)), dtype=np.float64)
        symbols = torch.full((len(texts), int(lengths.max())), PAD)
        symbols[torch.arange(symbols.shape[1]) < lengths[:, None]] = torch.from_numpy(flat)
        values = torch.zeros(symbols.shape, dtype=torch.float64)
        values[symbols == NUMBER] = torch.from_numpy(numbers)
        return NumberSequences(symbols=symbols, values=values, vocabulary=self.words)


class _Spelling(dict[str, tuple[int, ...]]):
    """The symbols of what stands between two numbers, with that of the second; each is worked out once."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__({"": (NUMBER,), ",": (NUMBER,)})
        self._places = {word: place for place, word in enumerate(words) if place >= len(SPECIAL) + 256}

    def __missing__(self, piece: str) -> tuple[int, ...]:
        self[piece] = (*self.of(piece), NUMBER)
        return self[piece]

    def of(self, piece: str) -> list[int]:
        """The symbols of a text without numbers."""
        symbols: list[int] = []
        for word in _WORDS.findall(piece):
            place = self._places.get(word)
            # what is not known is written in its bytes
            symbols += (
                [len(SPECIAL) + byte for byte in word.encode("utf-8", "surrogatepass")]
                if place is None
                else [place]
            )
        return symbols


def like(document: Any, numbers: Float[Tensor, "n K"]) -> NumberSequences:
    """Sequences of the form of one document, with other numbers, by a vocabulary of its own words alone.

    Arguments:
        document: what JSON can say, with K numbers.
        numbers: of each sequence, in the order in which the document has them.

    Raises:
        SimonidesError: when the document has another count of numbers.
    """
    text = compact(document)
    known = Vocabulary.learn([text])
    symbols, _ = known.encode(text)
    used = sorted(set(symbols) - {NUMBER})
    vocabulary = (*SPECIAL, *(known.words[symbol] for symbol in used))
    place = {NUMBER: NUMBER, **{symbol: len(SPECIAL) + number for number, symbol in enumerate(used)}}
    pattern = torch.tensor([place[symbol] for symbol in symbols])
    if int((pattern == NUMBER).sum()) != numbers.shape[1]:
        raise SimonidesError(f"{numbers.shape[1]} numbers for a document of {int((pattern == NUMBER).sum())}.")
    values = torch.zeros(len(numbers), len(pattern), dtype=torch.float64)
    values[:, pattern == NUMBER] = numbers.double()
    return NumberSequences(symbols=pattern.repeat(len(numbers), 1), values=values, vocabulary=vocabulary)


def compact(document: Any) -> str:
    """A document as JSON without spaces.

    Raises:
        SimonidesError: when a number is NaN or infinite, or something is no JSON.
    """
    try:
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise SimonidesError("a document holds NaN or an infinite number; leave it out, or write null.") from None
    except (TypeError, RecursionError) as error:
        raise SimonidesError(f"a document is no JSON: {error}.") from None


def number_paths(document: Any) -> list[str]:
    """The path of every number of a document, in the order in which its compact text has them.

    Numbers inside a text have the path of the text, those inside the name of a key the empty path.

    >>> number_paths({"a": {"b": [1, 2]}, "my key": 3, "note": "it is 5 today", "day": "2024-11-23"})
    ['a.b[0]', 'a.b[1]', '"my key"', 'note']
    """
    return list(_paths(document, ()))


# a key by its name, a place in a list by its number; None stands for any of them
Step = tuple[str, str | int | None]
_KEY, _PLACE = "key", "place"


def _paths(value: Any, steps: tuple[Step, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, own in value.items():
            yield from [""] * len(extract_numbers(json.dumps(key, ensure_ascii=False)).values)
            yield from _paths(own, (*steps, (_KEY, key)))
    elif isinstance(value, list):
        for place, own in enumerate(value):
            yield from _paths(own, (*steps, (_PLACE, place)))
    elif isinstance(value, str):
        yield from [_written(steps)] * len(extract_numbers(json.dumps(value, ensure_ascii=False)).values)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield _written(steps)


def path_of(steps: Sequence[str | int]) -> str:
    """The path of keys and places."""
    return _written(tuple((_PLACE, step) if isinstance(step, int) else (_KEY, step) for step in steps))


def _written(steps: Sequence[Step]) -> str:
    parts: list[str] = []
    for kind, value in steps:
        if kind == _PLACE:
            parts.append("[*]" if value is None else f"[{value}]")
            continue
        name = "*" if value is None else str(value)
        plain = value is None or _PLAIN.fullmatch(name)
        parts.append(("." if parts else "") + (name if plain else json.dumps(name, ensure_ascii=False)))
    return "".join(parts)


@lru_cache(100_000)
def key_of(path: str) -> str:
    """A path without the places in lists: numbers of one key have one scale.

    >>> key_of("data[3][0].x")
    'data[*][*].x'
    """
    if not path:
        return path
    return _written([(kind, None if kind == _PLACE else value) for kind, value in _steps(path)])


@dataclass(frozen=True)
class PathPattern:
    """Paths such as `data[*].x`, `description.planet0.a` or `"my key"`: `[*]` is any place, `*` any key.

    A path that goes on behind the pattern is meant too: `data` means all numbers in it. A key in quotes is that key.

    Arguments:
        text: the pattern.

    >>> pattern = PathPattern("data[*].x")
    >>> pattern.meets("data[3].x"), pattern.meets("data[3].x[0]"), pattern.meets("data[3].y")
    (True, True, False)
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text.strip():
            raise SimonidesError(f"the path {self.text!r} is empty or no text; write it as in data[*].x.")
        _ = _steps(self.text)

    def meets(self, path: str) -> bool:
        """Whether a path is meant."""
        if not path:
            return False
        wanted, own = _steps(self.text), _steps(path)
        return len(own) >= len(wanted) and all(
            kind == other and value in (None, found)
            for (kind, value), (other, found) in zip(wanted, own, strict=False)
        )


@lru_cache(100_000)
def _steps(text: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    place = 0
    while place < len(text):
        match = _STEPS.match(text, place)
        if match is None:
            raise _no_path(text, text[place:])
        if match[1] is not None:
            steps.append((_PLACE, None if match[1] == "*" else int(match[1])))
        elif match[2] is not None:
            steps.append((_KEY, None if match[2] == "*" else match[2].rstrip()))
        else:
            try:
                steps.append((_KEY, str(json.loads(match[3]))))
            except ValueError:
                raise _no_path(text, match[3]) from None
        place = match.end()
    return tuple(steps)


def _no_path(text: str, rest: str) -> SimonidesError:
    return SimonidesError(f'the path {text!r} cannot be read at {rest!r}; write it as in data[*].x or "my key".')

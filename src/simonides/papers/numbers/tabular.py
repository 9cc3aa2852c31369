"""Documents as a number model reads them: their texts, which number is which, scales by key, and what is asked for."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from simonides.base import SimonidesError, suggest
from simonides.papers.numbers.documents import PathPattern, Vocabulary, compact, key_of, number_paths, path_of
from simonides.papers.numbers.grammar import extract_numbers
from simonides.papers.numbers.sequences import NumberSequences

Document = Mapping[str, Any]
# numbers that differ by less, as a share of the largest, are the same
_ROUNDING = 1e-12
_SMALLEST, _LARGEST = 1e-150, 1e150


@dataclass(frozen=True, kw_only=True)
class Scale:
    """x -> (x - centre)/spread, fitted to numbers from low to high."""

    centre: float
    spread: float
    low: float
    high: float

    def __post_init__(self) -> None:
        values = (self.centre, self.spread, self.low, self.high)
        if (
            not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values)
            or self.spread <= 0
        ):
            raise ValueError(f"the scale {values} is not finite, or its spread not above zero")


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Documents with one number asked for or more.

    Arguments:
        texts: their compact JSON, a null that is asked for written as 0.
        paths: of the numbers of each.
        numbers: as they are; NaN where null stood.
        asked: which of them are asked for.
        rows: of each document in what was given, from 1.
    """

    texts: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    numbers: tuple[np.ndarray, ...]
    asked: tuple[np.ndarray, ...]
    rows: tuple[int, ...]

    def __len__(self) -> int:
        """How many documents."""
        return len(self.texts)

    def __getitem__(self, rows: Sequence[int]) -> "Prepared":
        """Some of them."""
        return Prepared(
            **{
                name: tuple(getattr(self, name)[row] for row in rows)
                for name in ("texts", "paths", "numbers", "asked", "rows")
            }
        )

    @property
    def complete(self) -> list[int]:
        """Rows whose numbers are all there."""
        return [row for row, numbers in enumerate(self.numbers) if not np.isnan(numbers).any()]

    def with_keys(self, known: Mapping[str, Scale]) -> list[int]:
        """Rows whose numbers all have a scale."""
        return [row for row, paths in enumerate(self.paths) if all(scale_of(path, known) for path in paths)]

    @property
    def forms(self) -> frozenset[tuple[str, ...]]:
        """The keys of the numbers of documents, in order."""
        return frozenset(tuple(dict.fromkeys(map(key_of, paths))) for paths in self.paths)

    def scales(self) -> dict[str, Scale]:
        """Mean and standard deviation of the numbers of each key, or of each path where all documents have the same.

        The spread is 1 where numbers do not differ by more than rounding.

        Raises:
            SimonidesError: when the squares of a key's numbers are not in 64 bits.
        """
        one_form = len(set(self.paths)) == 1
        by_key: dict[str, list[float]] = defaultdict(list)
        for paths, numbers in zip(self.paths, self.numbers, strict=True):
            for path, number in zip(paths, numbers.tolist(), strict=True):
                by_key[path if one_form else key_of(path)].append(number)
        found = {}
        for key, values in by_key.items():
            largest = max(abs(min(values)), abs(max(values)))
            if largest and not _SMALLEST < largest < _LARGEST:
                raise SimonidesError(
                    f"the numbers at {key or 'names of keys'} are as large as {largest:g}, and their squares not in 64 "
                    "bits; scale them."
                )
            centre, spread = float(np.mean(values)), float(np.std(values))
            flat = spread <= _ROUNDING * largest
            found[key] = Scale(centre=centre, spread=1.0 if flat else spread, low=min(values), high=max(values))
        return found

    def sequences(
        self, vocabulary: Vocabulary, scales: Mapping[str, Scale]
    ) -> tuple[NumberSequences, Bool[Tensor, "n S"]]:
        """Sequences of scaled numbers, and which symbols are asked for.

        Raises:
            SimonidesError: when numbers have a key without a scale.
        """
        sequences = vocabulary.sequences(self.texts)
        scaled, marked = [], []
        for row, paths, numbers, asked in zip(self.rows, self.paths, self.numbers, self.asked, strict=True):
            own = [scale_of(path, scales) for path in paths]
            if None in own:
                path = paths[own.index(None)]
                raise SimonidesError(
                    f"document {row} has a number at {path or 'the name of a key'}, where no document of the training "
                    f"had one; {suggest(path, filter(None, scales))}"
                )
            centres = np.array([scale.centre for scale in own if scale is not None])
            spreads = np.array([scale.spread for scale in own if scale is not None])
            scaled.append((np.nan_to_num(numbers) - centres) / spreads)
            marked.append(asked)
        values = torch.zeros_like(sequences.values)
        values[sequences.is_number] = torch.from_numpy(np.concatenate(scaled))
        asked_symbols = torch.zeros_like(sequences.is_number)
        asked_symbols[sequences.is_number] = torch.from_numpy(np.concatenate(marked))
        own_sequences = NumberSequences(symbols=sequences.symbols, values=values, vocabulary=sequences.vocabulary)
        return own_sequences, asked_symbols


def scale_of(path: str, scales: Mapping[str, Scale]) -> Scale | None:
    """The scale of a path, or of its key; None where there is none."""
    return scales.get(path) or scales.get(key_of(path))


def prepare(documents: Sequence[Document], mask: str, source: str = "the documents") -> Prepared:
    """Documents with the numbers at a path asked for; null stands for one that is not known.

    Their keys are put in the order of the alphabet: the order in which a document has them says nothing.

    Arguments:
        documents: what JSON can say.
        mask: a path, as `PathPattern` has it.
        source: what they are called in messages.

    Raises:
        SimonidesError: when there are none, the path cannot be read, or a document has nothing there.
    """
    if not isinstance(documents, Sequence) or isinstance(documents, str):
        raise SimonidesError(f"{source} came as {type(documents).__name__}; give a list of dictionaries.")
    if not documents:
        raise SimonidesError(f"{source} has no documents; give at least one.")
    pattern = PathPattern(mask)
    texts, paths, numbers, asked = [], [], [], []
    for row, document in enumerate(documents, start=1):
        if not isinstance(document, Mapping):
            raise SimonidesError(f"{source}, document {row} is {type(document).__name__}; give a dictionary.")
        try:
            filled, empty = _filled(_ordered(json.loads(compact(document))), pattern, ())
            text = compact(filled)
            text.encode()
            own_paths = number_paths(filled)
            values = np.array(extract_numbers(text).values)
        except UnicodeEncodeError:
            raise SimonidesError(f"{source}, document {row} holds half a character; repair it.") from None
        except RecursionError:
            raise SimonidesError(f"{source}, document {row} is nested too deeply; flatten it.") from None
        except SimonidesError as error:
            raise SimonidesError(f"{source}, document {row}: {error}") from None
        marked = np.array([pattern.meets(path) for path in own_paths], dtype=bool)
        if not marked.any():
            known = sorted({key_of(path) for path in own_paths if path})
            raise SimonidesError(
                f"{source}, document {row} has no number at {mask!r}; it has numbers at "
                f"{', '.join(known[:8]) or 'no place'}{' ...' if len(known) > 8 else ''}."
            )
        values[[path in empty for path in own_paths]] = np.nan
        texts.append(text)
        paths.append(tuple(own_paths))
        numbers.append(values)
        asked.append(marked)
    return Prepared(
        texts=tuple(texts),
        paths=tuple(paths),
        numbers=tuple(numbers),
        asked=tuple(asked),
        rows=tuple(range(1, len(texts) + 1)),
    )


def _ordered(value: Any) -> Any:
    """The same with keys in the order of the alphabet."""
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    return [_ordered(own) for own in value] if isinstance(value, list) else value


def _filled(value: Any, pattern: PathPattern, steps: tuple[str | int, ...]) -> tuple[Any, set[str]]:
    """A document with 0 where null is asked for, and the paths of these places."""
    if isinstance(value, dict):
        parts = {name: _filled(own, pattern, (*steps, name)) for name, own in value.items()}
        return {name: own for name, (own, _) in parts.items()}, set().union(*(e for _, e in parts.values()))
    if isinstance(value, list):
        rows = [_filled(own, pattern, (*steps, place)) for place, own in enumerate(value)]
        return [own for own, _ in rows], set().union(*(empty for _, empty in rows))
    if value is None and steps and pattern.meets(path_of(steps)):
        return 0, {path_of(steps)}
    return value, set()

"""Documents as a number model reads them: their texts, which number is which, scales by key, and what is asked for."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from simonides.base import SimonidesError, suggest
from simonides.papers.numbers.documents import PathPattern, Vocabulary, compact, key_of, number_paths
from simonides.papers.numbers.grammar import extract_numbers
from simonides.papers.numbers.sequences import NumberSequences

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """x -> (x - centre)/spread."""

    centre: float
    spread: float


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
        return [row for row, paths in enumerate(self.paths) if all(key_of(path) in known for path in paths)]

    def scales(self) -> dict[str, Scale]:
        """Mean and standard deviation of the numbers of each key; a spread of 1 where they do not differ."""
        by_key: dict[str, list[float]] = defaultdict(list)
        for paths, numbers in zip(self.paths, self.numbers, strict=True):
            for path, number in zip(paths, numbers.tolist(), strict=True):
                by_key[key_of(path)].append(number)
        found = {}
        for key, values in by_key.items():
            spread = float(np.std(values))
            found[key] = Scale(centre=float(np.mean(values)), spread=spread if spread > 0 else 1.0)
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
            own = [scales.get(key_of(path)) for path in paths]
            if None in own:
                key = key_of(paths[own.index(None)])
                raise SimonidesError(
                    f"document {row} has a number at {key}, where no document of the training had one; "
                    f"{suggest(key, scales)}"
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


def prepare(documents: Sequence[Document], mask: str, source: str = "the documents") -> Prepared:
    """Documents with the numbers at a path asked for; null stands for one that is not known.

    Arguments:
        documents: what JSON can say.
        mask: a path, as `PathPattern` has it.
        source: what they are called in messages.

    Raises:
        SimonidesError: when there are none, the path cannot be read, or a document has nothing there.
    """
    if not documents:
        raise SimonidesError(f"{source} has no documents; give at least one.")
    pattern = PathPattern(mask)
    texts, paths, numbers, asked = [], [], [], []
    for row, document in enumerate(documents, start=1):
        try:
            # what is no JSON is told, and arrays are lists
            filled, empty = _filled(json.loads(compact(document)), pattern, "")
        except SimonidesError as error:
            raise SimonidesError(f"{source}, document {row}: {error}") from None
        own_paths = number_paths(filled)
        marked = np.array([pattern.meets(path) for path in own_paths], dtype=bool)
        if not marked.any():
            known = sorted({key_of(path) for path in own_paths})
            raise SimonidesError(
                f"{source}, document {row} has no number at {mask!r}; it has numbers at "
                f"{', '.join(known[:8]) or 'no place'}{' ...' if len(known) > 8 else ''}."
            )
        text = compact(filled)
        values = np.array(extract_numbers(text).values)
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


def _filled(value: Any, pattern: PathPattern, path: str) -> tuple[Any, set[str]]:
    """A document with 0 where null is asked for, and the paths of these places."""
    if isinstance(value, Mapping):
        parts = {
            name: _filled(own, pattern, f"{path}.{_name(name)}" if path else _name(name))
            for name, own in value.items()
        }
        return {name: own for name, (own, _) in parts.items()}, set().union(*(e for _, e in parts.values()))
    if isinstance(value, list):
        rows = [_filled(own, pattern, f"{path}[{place}]") for place, own in enumerate(value)]
        return [own for own, _ in rows], set().union(*(empty for _, empty in rows))
    if value is None and path and pattern.meets(path):
        return 0, {path}
    return value, set()


def _name(key: str) -> str:
    """A key as paths have it."""
    return number_paths({key: 0})[-1]

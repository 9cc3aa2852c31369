"""Sequences of words and numbers, and what a model reads of them under an encoding.

Letters: `n` sequences, `S` symbols (a word or a whole number), `T` tokens, `k` tokens a number.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_finite
from simonides.papers.numbers.encodings import NumberEncoding

PAD, MASK, NUMBER = 0, 1, 2
SPECIAL = ("[PAD]", "[MASK]", "[NUM]")


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberSequences:
    """Sequences of symbols.

    Arguments:
        symbols: of each sequence, padded by `PAD` behind its end.
        values: the number where the symbol is `NUMBER`, else anything finite.
        vocabulary: what symbols are called, beginning with `SPECIAL`.

    Raises:
        SimonidesError: when shapes differ, a symbol is not in the vocabulary, a number is not finite, or a sequence is
            empty or padded inside.
    """

    symbols: Int[Tensor, "n S"]
    values: Float[Tensor, "n S"]
    vocabulary: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.symbols.shape != self.values.shape or self.symbols.dim() != 2 or not self.symbols.numel():
            raise SimonidesError(
                f"symbols of shape {list(self.symbols.shape)} with values of {list(self.values.shape)}; give both as "
                "sequences x symbols, not empty."
            )
        if self.vocabulary[: len(SPECIAL)] != SPECIAL:
            raise SimonidesError(f"the vocabulary begins with {self.vocabulary[:3]}; begin it with {SPECIAL}.")
        low, high = int(self.symbols.min()), int(self.symbols.max())
        if low < 0 or high >= len(self.vocabulary):
            raise SimonidesError(f"symbols are {low} .. {high} of a vocabulary of {len(self.vocabulary)}.")
        check_finite(values=self.values)
        there = self.symbols != PAD
        if not bool(there[:, 0].all()) or bool((there[:, 1:] & ~there[:, :-1]).any()):
            raise SimonidesError("a sequence is empty, or padded inside; pad behind its end.")

    def __len__(self) -> int:
        """How many there are."""
        return len(self.symbols)

    def __getitem__(self, rows: slice | Tensor) -> "NumberSequences":
        """Some of them."""
        return replace(self, symbols=self.symbols[rows], values=self.values[rows])

    def without(self, others: "NumberSequences") -> "NumberSequences":
        """Those that the others do not have.

        Raises:
            SimonidesError: when nothing is left, or shapes or vocabularies differ.
        """
        if self.symbols.shape[1] != others.symbols.shape[1] or self.vocabulary != others.vocabulary:
            raise SimonidesError(
                "sequences of different lengths or vocabularies cannot be told apart; make them alike."
            )

        def rows(sequences: NumberSequences) -> set[bytes]:
            return {bytes(row) for row in joined(sequences)}

        def joined(sequences: NumberSequences) -> np.ndarray:
            parts = [sequences.symbols.numpy().view(np.uint8), sequences.values.double().numpy().view(np.uint8)]
            return np.concatenate(parts, 1)

        known = rows(others)
        return self[torch.tensor([bytes(row) not in known for row in joined(self)])]

    @property
    def is_number(self) -> Bool[Tensor, "n S"]:
        """Where numbers are."""
        return self.symbols == NUMBER

    @property
    def is_word(self) -> Bool[Tensor, "n S"]:
        """Where words are."""
        return (self.symbols != NUMBER) & (self.symbols != PAD)


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedSequences:
    """Sequences as tokens of a model, whose vocabulary is that of the symbols and then that of the encoding.

    Arguments:
        tokens: padded by `PAD`.
        values: of a number at its first token, else 0.
        is_number: where a number begins.
        starts: where each symbol begins; of padding, the end.
        sizes: tokens of each symbol; 0 of padding.
    """

    tokens: Int[Tensor, "n T"]
    values: Float[Tensor, "n T"]
    is_number: Bool[Tensor, "n T"]
    starts: Int[Tensor, "n S"]
    sizes: Int[Tensor, "n S"]

    def __getitem__(self, rows: Int[Tensor, " B"]) -> "EncodedSequences":
        """Some of them."""
        return EncodedSequences(
            **{name: getattr(self, name)[rows] for name in ("tokens", "values", "is_number", "starts", "sizes")}
        )


def encode(sequences: NumberSequences, encoding: NumberEncoding) -> EncodedSequences:
    """Sequences under an encoding.

    >>> from simonides.papers.numbers.encodings import make_encoding
    >>> one = NumberSequences(
    ...     symbols=torch.tensor([[3, 2, 4]]), values=torch.tensor([[0.0, -60.2, 0.0]]), vocabulary=(*SPECIAL, "(", ")")
    ... )
    >>> encode(one, make_encoding("xval")).tokens, encode(one, make_encoding("b1999")).tokens.shape
    (tensor([[3, 5, 4]]), torch.Size([1, 4]))
    """
    numbers, words = sequences.is_number, sequences.is_word
    sizes = numbers * encoding.length + words
    starts = sizes.cumsum(1) - sizes
    shape = (len(sequences), int(sizes.sum(1).max()))
    device = sequences.symbols.device
    tokens = torch.full(shape, PAD, device=device)
    rows, columns = words.nonzero(as_tuple=True)
    tokens[rows, starts[rows, columns]] = sequences.symbols[rows, columns]
    rows, columns = numbers.nonzero(as_tuple=True)
    places, own = starts[rows, columns], sequences.values[rows, columns]
    offset = len(sequences.vocabulary)
    steps = torch.arange(encoding.length, device=device)
    tokens[rows[:, None], places[:, None] + steps] = offset + encoding.to_tokens(own)
    values = torch.zeros(shape, dtype=sequences.values.dtype, device=device)
    values[rows, places] = own
    begins = torch.zeros(shape, dtype=torch.bool, device=device)
    begins[rows, places] = True
    return EncodedSequences(tokens=tokens, values=values, is_number=begins, starts=starts, sizes=sizes)

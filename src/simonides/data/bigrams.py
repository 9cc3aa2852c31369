"""Bigram counts: how often one token follows another, from a shipped table, a text, or drawn at random."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_name, read_text, zipf

_DATA = Path(__file__).parent / "packaged"
WORDS = re.compile(r"\w+|[^\w\s]")
UNITS = ("characters", "words")


@dataclass(frozen=True, kw_only=True, eq=False)
class Bigrams:
    """Counts of N tokens and of their pairs, in the order of `tokens`.

    Arguments:
        tokens: what each number stands for.
        pairs: pairs[i, j] is how often j came right after i, as a count or a share of all.
        counts: how often each token came, as a count or a share.
    """

    tokens: tuple[str, ...]
    pairs: Shaped[Tensor, "N N"]
    counts: Shaped[Tensor, " N"]

    def __post_init__(self) -> None:
        size = len(self.tokens)
        if size < 2:
            raise SimonidesError(f"{size} tokens make no bigrams; give a text with at least two.")
        if self.pairs.shape != (size, size) or self.counts.shape != (size,):
            raise SimonidesError(
                f"{size} tokens with pairs of shape {list(self.pairs.shape)} and counts of {list(self.counts.shape)}; "
                f"give [{size}, {size}] and [{size}]."
            )
        for name, table in (("pairs", self.pairs), ("counts", self.counts)):
            if not bool(torch.isfinite(table.double()).all()) or bool((table < 0).any()) or not bool(table.any()):
                raise SimonidesError(
                    f"{name} are no counts: give numbers of at least 0, not all 0, none of them NaN."
                )

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def unigram(self) -> Float[Tensor, " N"]:
        """pi_u, in float64."""
        return self.counts.double() / self.counts.sum()

    @cached_property
    def bigram(self) -> Float[Tensor, "N N"]:
        """pi_b(j | i) in row i, in float64; a token that nothing followed is followed by pi_u."""
        totals = self.pairs.double().sum(1, keepdim=True)
        rows = self.pairs.double() / torch.where(totals > 0, totals, 1.0)
        return torch.where(totals > 0, rows, self.unigram)

    @cached_property
    def by_frequency(self) -> Int[Tensor, " N"]:
        """Token numbers, the most frequent first."""
        return torch.argsort(self.counts, descending=True, stable=True)

    def entropy(self) -> tuple[float, float]:
        """H(pi_u), and the mean of H(pi_b(. | i)) over pi_u, in nats."""
        rows = torch.special.entr(self.bigram).sum(1)
        return float(torch.special.entr(self.unigram).sum()), float((self.unigram * rows).sum())


def shakespeare() -> Bigrams:
    """The 65 characters of "tiny Shakespeare", 1,115,394 of them: the counts of Bietti et al. (2023).

    Counted from the text of Karpathy's char-rnn (2015); the text itself is in the public domain and not shipped.
    Tokens are the sorted characters.
    """
    with (_DATA / "shakespeare_characters.csv").open(encoding="utf-8", newline="") as file:
        rows = [tuple(map(int, row)) for row in list(csv.reader(file))[1:]]
    points = sorted({point for row in rows for point in row[:2]})
    place = {point: number for number, point in enumerate(points)}
    pairs = torch.zeros(len(points), len(points), dtype=torch.int64)
    for first, second, count in rows:
        pairs[place[first], place[second]] = count
    counts = pairs.sum(1)
    counts[place[ord("\n")]] += 1  # the text's last character, which nothing follows
    return Bigrams(tokens=tuple(map(chr, points)), pairs=pairs, counts=counts)


def read_bigrams(path: Path | str, unit: str = "characters", most: int = 1000) -> Bigrams:
    """Counts of a UTF-8 text of one's own: sorted characters, or its most frequent words.

    Words, without regard to case, and marks of punctuation are tokens; what is not among the `most` frequent is
    left out, and pairs across it do not count.

    Raises:
        SimonidesError: when the file cannot be read as text, or holds fewer than two tokens.
    """
    check_name("unit", unit, UNITS)
    check_at_least("most", most, 2)
    text = read_text(path)
    parts: Sequence[str] = text if unit == "characters" else WORDS.findall(text.casefold())
    return count_bigrams(parts, most)


def count_bigrams(parts: Sequence[str], most: int = 1000) -> Bigrams:
    """Counts of a sequence of tokens, of which the `most` frequent are kept, sorted."""
    counted = Counter(parts)
    tokens = tuple(sorted(sorted(counted, key=lambda token: (-counted[token], token))[:most]))
    place = {token: number for number, token in enumerate(tokens)}
    pairs = torch.zeros(len(tokens), len(tokens), dtype=torch.int64)
    for (first, second), count in Counter(pairwise(parts)).items():
        if first in place and second in place:
            pairs[place[first], place[second]] = count
    counts = torch.tensor([counted[token] for token in tokens], dtype=torch.int64)
    return Bigrams(tokens=tokens, pairs=pairs, counts=counts)


def synthetic(
    size: int, generator: torch.Generator, exponent: float = 1.0, followers: int = 8, total: int = 1_000_000
) -> Bigrams:
    """N tokens of Zipf frequency, each followed by a few others, drawn by frequency and unevenly likely.

    Arguments:
        size: N.
        generator: of all that is drawn.
        exponent: of Zipf's law.
        followers: how many tokens may follow each.
        total: pairs counted in all.
    """
    check_at_least("size", size, 2)
    check_at_least("followers", followers, 1)
    unigram = zipf(size, exponent)
    chosen = torch.multinomial(unigram.expand(size, size), min(followers, size), generator=generator)
    shares = torch.rand(chosen.shape, generator=generator, dtype=torch.float64)
    rows = torch.zeros(size, size, dtype=torch.float64).scatter_(1, chosen, shares)
    pairs = (rows / rows.sum(1, keepdim=True) * unigram[:, None] * total).round().long()
    return Bigrams(tokens=tuple(map(str, range(size))), pairs=pairs, counts=(unigram * total).round().long())

"""Running text as characters or words: one's own file, or the manual pages that come with Python."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.data.bigrams import WORDS, Bigrams, count_bigrams

# stands for characters or words that are too rare to be tokens
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Text:
    """A text as token numbers.

    Arguments:
        characters: what each number stands for, sorted: a character, or a word.
        tokens: the text.
    """

    characters: tuple[str, ...]
    tokens: Int[Tensor, " T"]

    def __len__(self) -> int:
        return len(self.tokens)

    def bigrams(self) -> Bigrams:
        """Counts of the characters, or words, and of their pairs."""
        return count_bigrams([self.characters[token] for token in self.tokens.tolist()], len(self.characters))

    def split(self, share: float) -> tuple["Text", "Text"]:
        """The text but its last part, and that part, a share of it.

        Raises:
            SimonidesError: when a part would be empty.
        """
        first = round(len(self) * (1 - share))
        if not 0 < first < len(self):
            raise SimonidesError(f"a share of {share:g} of {len(self)} characters leaves a part empty.")
        parts = self.tokens[:first], self.tokens[first:]
        return tuple(Text(characters=self.characters, tokens=part) for part in parts)  # type: ignore[return-value]

    def windows(self, count: int, length: int, generator: torch.Generator) -> Int[Tensor, "count length"]:
        """Pieces of the text from places drawn at random.

        Raises:
            SimonidesError: when the text is shorter than one piece.
        """
        check_at_least("length", length, 1)
        if len(self) < length:
            raise SimonidesError(f"the text has {len(self)} characters, a piece {length}; give more text.")
        starts = torch.randint(len(self) - length + 1, (count, 1), generator=generator)
        return self.tokens[starts + torch.arange(length)]


def text_of(content: str, most: int = 256) -> Text:
    """A text as numbers of its `most` frequent characters; the others become one more.

    Raises:
        SimonidesError: when it has fewer than two different characters.

    >>> text = text_of("abba")
    >>> text.characters, text.tokens.tolist()
    (('a', 'b'), [0, 1, 1, 0])
    """
    return _numbered(content, most, "characters")


def words_of(content: str, most: int = 10_000) -> Text:
    """A text as numbers of its `most` frequent words and marks of punctuation; the others become one more.

    Words are taken without regard to case.

    Raises:
        SimonidesError: when it has fewer than two different words.

    >>> text = words_of("The cat, the hat.")
    >>> text.characters
    (',', '.', 'cat', 'hat', 'the')
    """
    return _numbered(WORDS.findall(content.casefold()), most, "words")


def _numbered(parts: Sequence[str], most: int, what: str) -> Text:
    """A sequence of parts as numbers of the most frequent ones."""
    check_at_least("most", most, 2)
    counts = Counter(parts)
    if len(counts) < 2:
        raise SimonidesError(f"a text of {len(parts)} {what}, {len(counts)} different; give a longer one.")
    kept = sorted(sorted(counts, key=lambda c: (-counts[c], c))[:most])
    characters = tuple(kept) if len(kept) == len(counts) else (*kept, UNKNOWN)
    place = {character: number for number, character in enumerate(characters)}
    numbers = [place.get(part, len(characters) - 1) for part in parts]
    return Text(characters=characters, tokens=torch.tensor(numbers))


def manual() -> str:
    """The language reference that Python's `help()` shows: half a million characters, in every installation.

    It differs between versions of Python.
    """
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))

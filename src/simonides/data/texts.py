"""Running text as characters: one's own file, or the manual pages that come with Python."""

from collections import Counter
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.data.bigrams import Bigrams, count_bigrams

# stands for characters that are too rare to be tokens
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Text:
    """A text as token numbers.

    Arguments:
        characters: what each number stands for, sorted.
        tokens: the text.
    """

    characters: tuple[str, ...]
    tokens: Int[Tensor, " T"]

    def __len__(self) -> int:
        return len(self.tokens)

    def bigrams(self) -> Bigrams:
        """Counts of the characters and of their pairs."""
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
    check_at_least("most", most, 2)
    counts = Counter(content)
    if len(counts) < 2:
        raise SimonidesError(f"a text of {len(content)} characters, {len(counts)} different; give a longer one.")
    kept = sorted(sorted(counts, key=lambda c: (-counts[c], c))[:most])
    characters = tuple(kept) if len(kept) == len(counts) else (*kept, UNKNOWN)
    place = {character: number for number, character in enumerate(characters)}
    numbers = [place.get(character, len(characters) - 1) for character in content]
    return Text(characters=characters, tokens=torch.tensor(numbers))


def manual() -> str:
    """The language reference that Python's `help()` shows: half a million characters, in every installation.

    It differs between versions of Python.
    """
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))

"""Real frequencies: how often the words of a language, or of a text of one's own, are used."""

import re
from collections import Counter
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, read_text

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def language_words(language: str = "en", most: int = 10_000) -> tuple[tuple[str, ...], Float[Tensor, " N"]]:
    """The most used words of a language and their probabilities among these, falling, in float64.

    From the package wordfreq (Speer 2022; extra `words`), which gathers books, subtitles, news and the web up to
    2021, rounded to about 1 %.

    Raises:
        SimonidesError: when wordfreq is not installed, or knows no such language.
    """
    check_at_least("most", most, 1)
    try:
        import wordfreq
    except ModuleNotFoundError:
        raise SimonidesError(
            "word counts come from the package wordfreq, which is not installed; "
            "run: pip install 'simonides[words]'"
        ) from None
    if language not in wordfreq.available_languages():
        known = ", ".join(sorted(wordfreq.available_languages()))
        raise SimonidesError(f"language {language!r} is unknown; give one of {known}.")
    frequencies = wordfreq.get_frequency_dict(language)
    # of equals the first in the alphabet, so that the order does not depend on the package's
    words = sorted(frequencies, key=lambda word: (-frequencies[word], word))[:most]
    return tuple(words), _normalised([frequencies[word] for word in words])


def text_words(path: Path | str, most: int = 10_000) -> tuple[tuple[str, ...], Float[Tensor, " N"]]:
    """The most used words of a UTF-8 text file, without regard to case, and their probabilities among these.

    Raises:
        SimonidesError: when the file cannot be read as text, or holds no word.
    """
    check_at_least("most", most, 1)
    counts = Counter(match.group().casefold() for match in _WORD.finditer(read_text(path)))
    if not counts:
        raise SimonidesError(f"{path} holds no words; give a text.")
    words = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    return tuple(words), _normalised([counts[word] for word in words])


def _normalised(values: list[float] | list[int]) -> Float[Tensor, " N"]:
    p = torch.tensor(values, dtype=torch.float64)
    return p / p.sum()

"""How a model is read: tokens and passages that it is shown twice, and what to call its tokens."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import (
    SimonidesError,
    check_at_least,
    check_memory,
    check_seed,
)
from simonides.checkpoints import TextTokens, open_checkpoint
from simonides.nn import Roles
from simonides.probes.heads import repeated_tokens

# tokens of a passage, unless told otherwise
_LENGTH = 50


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a model is read.

    Arguments:
        tokens: how many tokens each head is asked to copy, drawn at random.
        sequences: how many sequences are read twice.
        length: tokens of each; by default 50, or half of what the model was made for where that is less.
        text: read passages of this text twice in place of random tokens.
        seed: draws tokens and passages.
    """

    tokens: int = 1024
    sequences: int = 16
    length: int | None = None
    text: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("tokens", self.tokens, 1)
        check_at_least("sequences", self.sequences, 2)
        if self.length is not None:
            check_at_least("length", self.length, 2)
        check_seed(self.seed)

    @property
    def material(self) -> str:
        """What is read twice, in words."""
        return "random tokens" if self.text is None else "passages"


def opened_with_tokenizer(
    model: Roles | Path | str, tokenizer: TextTokens | None
) -> tuple[Roles, TextTokens | None]:
    """A model with roles, opened where a path was given, and the tokenizer given or its own, if it has one.

    Raises:
        SimonidesError: when it has no roles and is no checkpoint.
    """
    if isinstance(model, Roles):
        return model, tokenizer
    if not isinstance(model, (str, Path)):
        raise SimonidesError(
            f"a {type(model).__name__} has no weights by role; give the path of a checkpoint, a toy Transformer, or "
            "open_checkpoint(model) of a model of transformers."
        )
    if tokenizer is None:
        try:
            tokenizer = TextTokens(model)
        except SimonidesError:
            tokenizer = None
    return open_checkpoint(model), tokenizer


def check_reading(model: Roles, reading: Reading, tokenizer: TextTokens | None) -> None:
    """Raise `SimonidesError` where the sequences' attention and streams would not fit in memory."""
    sizes, length = model.sizes, 2 * _passage(model, reading, tokenizer) + len(beginning_of(tokenizer))
    needed = 4 * reading.sequences * length * (3 * sizes.heads * length + 8 * sizes.d)
    check_memory(f"{reading.sequences} sequences of {length} need", needed, "give fewer or shorter ones")


def sequences_read_twice(
    model: Roles, reading: Reading, tokenizer: TextTokens | None, generator: torch.Generator
) -> Int[Tensor, "B T"]:
    """Random tokens, or passages of a text, read twice.

    Raises:
        SimonidesError: when there is a text and no tokenizer, or the text is shorter than a passage.
    """
    longest = _passage(model, reading, tokenizer)
    if reading.text is None:
        known = _known_tokens(model, tokenizer)
        return repeated_tokens(known, min(longest, known), reading.sequences, generator)
    if tokenizer is None:
        raise SimonidesError("a text needs the checkpoint's tokenizer; leave the text out for random tokens.")
    tokens = tokenizer.encode(reading.text)
    if len(tokens) < longest:
        raise SimonidesError(f"the text has {len(tokens)} tokens, a passage {longest}; give a longer one.")
    starts = torch.randint(len(tokens) - longest + 1, (reading.sequences, 1), generator=generator)
    return tokens[starts + torch.arange(longest)].repeat(1, 2)


def named_token(tokenizer: TextTokens | None, token: int) -> str:
    """A token's text, with what cannot be printed escaped; its number where there is no tokenizer."""
    if tokenizer is None:
        return str(token)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in tokenizer.decode([token])) or "(nothing)"


def beginning_of(tokenizer: TextTokens | None) -> Int[Tensor, " b"]:
    """What a tokenizer puts before every text; nothing without one."""
    return torch.zeros(0, dtype=torch.long) if tokenizer is None else tokenizer.beginning


def _passage(model: Roles, reading: Reading, tokenizer: TextTokens | None) -> int:
    """Tokens that are read twice.

    Raises:
        SimonidesError: when they are more than the model was made for.
    """
    room = (model.sizes.longest - len(beginning_of(tokenizer))) // 2 if model.sizes.longest else _LENGTH
    if reading.length is None:
        return min(_LENGTH, room)
    if model.sizes.longest and reading.length > room:
        raise SimonidesError(
            f"passages of {reading.length} tokens, read twice, do not fit in the {model.sizes.longest} positions of "
            f"this model; give a length of at most {room}."
        )
    return reading.length


def _known_tokens(model: Roles, tokenizer: TextTokens | None) -> int:
    """Tokens that mean something: a vocabulary may be padded beyond those of its tokenizer."""
    vocabulary = model.sizes.vocabulary
    return vocabulary if tokenizer is None else min(vocabulary, len(tokenizer))

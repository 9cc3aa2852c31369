"""Roles: what every probe and every edit asks of a model, be it a toy or a real checkpoint, and nothing else.

Weights act on column vectors. Those of a layer go by W_Q, W_K, W_V, W_O (by heads), W_in, W_gate, W_out or W_F,
their biases by b_Q, ...; those of the whole by W_E, W_U, b_U and positions. Letters: `B` sequences, `T` positions,
`Q` positions that are read, `V` tokens, `d` width, `H` heads of dimension `h`, `G` heads of keys and values (each
shared by H/G heads), `m` hidden units.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from numbers import Integral
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_indices
from simonides.nn.norms import Norm
from simonides.nn.watching import Interventions, Trace

BY_HEADS = ("W_Q", "W_K", "W_V", "W_O")
ATTENTION_ROLES = BY_HEADS
FEED_FORWARD_ROLES = ("W_F", "W_in", "W_gate", "W_out")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of a model.

    Arguments:
        vocabulary: V, tokens it reads.
        outputs: tokens it has logits of.
        d: width of the stream.
        layers: how many.
        heads: H of each layer.
        key_value_heads: G.
        head_dimension: h.
        hidden: m of the first layer; 0 where it has no hidden units.
        longest: positions of the sequences it was made for; 0 where that is not known.
        decoder: whether it says what comes next.
    """

    vocabulary: int
    outputs: int
    d: int
    layers: int
    heads: int
    key_value_heads: int
    head_dimension: int
    hidden: int
    longest: int
    decoder: bool


@runtime_checkable
class Passage(Protocol):
    """Sequences on their way through a model: what lies below an edit is computed once."""

    layer: int

    def advance(self, layer: int) -> None:
        """Go on to the input of a layer; not backwards."""

    def finish(self, at: Int[Tensor, "B Q"] | None = None) -> Float[Tensor, "B Q outputs"]:
        """Logits after all positions or those in `at`, from here to the end; the passage stays where it is."""


@runtime_checkable
class Roles(Protocol):
    """A model as probes and edits see it."""

    @property
    def sizes(self) -> Sizes:
        """Its sizes."""

    def roles(self, layer: int | None = None) -> tuple[str, ...]:
        """The weights that a layer has, or without one the whole, by role."""

    def weight(self, role: str, layer: int | None = None) -> Tensor:
        """A weight by its role; it may share memory with the model, and is to be read only.

        Of a layer W_Q is H x h x d, W_K and W_V are G x h x d, W_O is H x d x h, W_in and W_gate m x d, W_out
        d x m, W_F d x d. Without a layer: W_E is V x d, W_U outputs x d, positions T x d.

        Raises:
            SimonidesError: when there is no such layer, or no such weight.
        """

    def set_weight(self, role: str, layer: int, value: Tensor) -> None:
        """Put another weight in a layer; all others keep their bits.

        Raises:
            SimonidesError: when there is no such layer or weight, or the shape is another.
        """

    def attention_norm(self, layer: int) -> Norm | None:
        """What the heads of a layer read through."""

    def attention_output_norm(self, layer: int) -> Norm | None:
        """What the heads of a layer add through."""

    def embedded(self, tokens: Int[Tensor, " S"]) -> Float[Tensor, "S d"]:
        """Tokens as they enter the stream, without positions."""

    def logit_directions(self) -> Float[Tensor, "outputs d"]:
        """For each token the direction in the stream that raises its logit, up to the size of the last norm."""

    def run(
        self,
        tokens: Int[Tensor, "B T"],
        at: Int[Tensor, "B Q"] | None = None,
        trace: Trace | None = None,
        interventions: Interventions | None = None,
    ) -> Float[Tensor, "B Q outputs"]:
        """Logits, with activations kept or changed by name (`simonides.nn.watching`)."""

    def passage(self, tokens: Int[Tensor, "B T"]) -> AbstractContextManager[Passage]:
        """Sequences before the first layer, to be taken through the layers step by step."""


def device_of(model: Roles) -> torch.device:
    """Where a model's weights are, and so what it reads must be."""
    return model.weight("W_E").device


def read_by_heads(model: Roles, layer: int, tokens: Int[Tensor, " S"]) -> Float[Tensor, "S d"]:
    """Tokens as the heads of a layer would read them if nothing had been added to their embeddings."""
    norm, embedded = model.attention_norm(layer), model.embedded(tokens)
    return embedded if norm is None else norm(embedded)


def key_value_head(model: Roles, head: int) -> int:
    """Which of the G heads of keys and values serves a head."""
    return head * model.sizes.key_value_heads // model.sizes.heads


def check_head(sizes: Sizes, layer: int, head: int = 0) -> None:
    """Raise `SimonidesError` unless there is such a layer and head."""
    for name, given, count in (("layer", layer, sizes.layers), ("head", head, sizes.heads)):
        if isinstance(given, bool) or not isinstance(given, Integral):
            raise SimonidesError(f"{name} {given!r} is no number; give one from 0 to {count - 1}.")
        if not 0 <= given < count:
            raise SimonidesError(f"there is no {name} {given}: there are {count}, from 0 to {count - 1}.")


def W_KQ(model: Roles, layer: int, head: int = 0) -> Float[Tensor, "d d"]:  # noqa: N802 - the field's name
    """Key by query: W_K^T W_Q, without biases, division and rotation; W_K^T where queries are merged into it."""
    check_head(model.sizes, layer, head)
    keys = model.weight("W_K", layer)[key_value_head(model, head)]
    return keys.mT @ model.weight("W_Q", layer)[head] if "W_Q" in model.roles(layer) else keys.mT


def W_OV(model: Roles, layer: int, head: int = 0) -> Float[Tensor, "d d"]:  # noqa: N802
    """W_O W_V: what a head writes of what it attends to, between the layer's norms."""
    check_head(model.sizes, layer, head)
    values = model.weight("W_V", layer)[key_value_head(model, head)]
    return model.weight("W_O", layer)[head] @ values


def as_matrix(role: str, weight: Tensor) -> Float[Tensor, "out into"]:
    """A layer's weight as one matrix, the heads side by side."""
    if role == "W_O":
        return weight.transpose(0, 1).flatten(1)
    return weight.flatten(0, 1) if weight.dim() == 3 else weight


def from_matrix(role: str, matrix: Float[Tensor, "out into"], shape: Sequence[int]) -> Tensor:
    """The inverse of `as_matrix`, for a weight of this shape."""
    if role == "W_O":
        heads, _, h = shape
        return matrix.unflatten(1, (heads, h)).transpose(0, 1)
    return matrix.reshape(tuple(shape))


def matrix_roles(model: Roles, layer: int) -> list[str]:
    """The roles of a layer that are matrices."""
    known = (*ATTENTION_ROLES, *FEED_FORWARD_ROLES)
    return [role for role in model.roles(layer) if role.partition(".")[0] in known]


def check_tokens(tokens: Int[Tensor, "..."], vocabulary: int) -> None:
    """Raise `SimonidesError` where tokens are no whole numbers of 64 bits, or lie outside 0 .. vocabulary - 1."""
    check_indices("tokens", tokens)
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocabulary:
        raise SimonidesError(f"tokens from {int(tokens.min())} to {int(tokens.max())}; it knows {vocabulary}.")


def check_sequences(tokens: Int[Tensor, "B T"], vocabulary: int | None = None) -> None:
    """Raise `SimonidesError` unless tokens are sequences, at least one of at least one token, of a vocabulary."""
    check_indices("tokens", tokens)
    if tokens.dim() != 2 or not tokens.numel():
        raise SimonidesError(
            f"tokens have shape {list(tokens.shape)}; give [sequences, positions], at least one of each."
        )
    if vocabulary is not None:
        check_tokens(tokens, vocabulary)


def last_positions(lengths: Int[Tensor, " B"]) -> Int[Tensor, "B 1"]:
    """The last position of each sequence."""
    return (lengths - 1)[:, None]

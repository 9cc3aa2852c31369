"""Attention of a transformer's layer, with no more work than its answer needs.

Three savings, each exact up to rounding. A stream that is still a sum of token and position embeddings has N + T
different rows, so its products are made of them and looked up. Where only some positions are read, only they ask.
And a single head moves its matrices to the side with fewer rows: it averages the stream and maps the average.
"""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import check_name

if TYPE_CHECKING:  # the transformer imports this module
    from simonides.nn.transformer import Layer

ATTENTIONS = ("softmax", "linear")
Parts = tuple[Tensor, Tensor | None, Tensor]


def check_attention(kind: str) -> None:
    """Raise `SimonidesError` unless the kind is known."""
    check_name("attention", kind, ATTENTIONS)


def attend(
    layer: "Layer",
    keys: Float[Tensor, "B T d"],
    reads: Float[Tensor, "B Q d"],
    at: Int[Tensor, "B Q"] | None,
    parts: Parts | None,
) -> tuple[Float[Tensor, "B Q d"], Float[Tensor, "B H Q T"]]:
    """What the heads add to the stream at the positions that read, and the weights they read with."""
    config = layer.config
    if config.heads == 1 and config.h == config.d and config.positions not in ("rotary", "alibi"):
        return _single(layer, keys, reads, at, parts)
    q = reads.unsqueeze(1) @ layer.W_Q.mT if not config.merged_queries else reads.unsqueeze(1)
    k, v = (_mapped(matrix, keys, parts) for matrix in (layer.W_K, layer.W_V))
    if config.positions == "rotary":
        places = torch.arange(keys.shape[1], device=keys.device)
        k = rotate(k, places)
        q = rotate(q, places if at is None else at.unsqueeze(1))
    scores = q @ k.mT
    weights = _weights(layer, scores, at)
    return ((weights @ v) @ layer.W_O.mT).sum(1), weights


def _single(
    layer: "Layer", keys: Tensor, reads: Tensor, at: Tensor | None, parts: Parts | None
) -> tuple[Tensor, Tensor]:
    """One head as wide as the stream: W_K meets the queries, and W_O W_V the averages, or the table of values."""
    if parts is not None:
        # few different rows: map them, look them up, and leave the queries as they are
        k = _looked_up(layer.W_K[0], parts)
        q = reads if layer.config.merged_queries else reads @ layer.W_Q[0].mT
        weights = _weights(layer, (q @ k.mT)[:, None], at)
        moved = weights[:, 0] @ _looked_up(layer.W_O[0] @ layer.W_V[0], parts)
        return moved, weights
    q = reads if layer.config.merged_queries else reads @ layer.W_Q[0].mT
    weights = _weights(layer, ((q @ layer.W_K[0]) @ keys.mT)[:, None], at)
    return ((weights[:, 0] @ keys) @ layer.W_V[0].mT) @ layer.W_O[0].mT, weights


def _weights(layer: "Layer", scores: Float[Tensor, "B H Q T"], at: Tensor | None) -> Float[Tensor, "B H Q T"]:
    config = layer.config
    length = scores.shape[-1]
    places = torch.arange(length, device=scores.device)
    readers = (places if at is None else at).unsqueeze(-1)
    if at is not None:
        readers = readers.unsqueeze(1)
    if config.divide_scores:
        scores = scores / config.h**0.5
    if config.positions == "alibi":
        distance = (readers - places).abs().to(scores)
        scores = scores - slopes(config.heads).to(scores)[:, None, None] * distance
    seen = places <= readers
    if config.attention == "linear":
        return scores.masked_fill(~seen, 0.0) if config.causal else scores
    return torch.softmax(scores.masked_fill(~seen, -torch.inf) if config.causal else scores, -1)


def _mapped(matrix: Float[Tensor, "H h d"], keys: Tensor, parts: Parts | None) -> Float[Tensor, "B H T h"]:
    if parts is None:
        return keys.unsqueeze(1) @ matrix.mT
    heads, h, d = matrix.shape
    found = _looked_up(matrix.reshape(heads * h, d), parts)
    return found.unflatten(-1, (heads, h)).transpose(1, 2)


def _looked_up(matrix: Float[Tensor, "out d"], parts: Parts) -> Float[Tensor, "B T out"]:
    table, places, tokens = parts
    rows = torch.nn.functional.embedding(tokens, table @ matrix.mT)
    return rows if places is None else rows + places @ matrix.mT


def rotate(
    vectors: Float[Tensor, "... T h"],
    places: Int[Tensor, "... T"],
    rotated: int | None = None,
    base: float = 10_000.0,
    pairs: bool = False,
) -> Float[Tensor, "... T h"]:
    """Turn pairs of dimensions of each vector by t base^(-2 i/rotated) (Su et al. 2021).

    Arguments:
        vectors: of each place.
        places: t.
        rotated: how many of the h dimensions, the first; by default all.
        base: of the rates.
        pairs: whether (2 i, 2 i + 1) are turned together, the order of GPT-J, or (i, i + rotated/2), of GPT-NeoX.
    """
    size = vectors.shape[-1] if rotated is None else rotated
    part, rest = vectors[..., :size], vectors[..., size:]
    # angles grow with the place: short formats would lose them
    exact = torch.promote_types(vectors.dtype, torch.float32)
    rates = base ** (-torch.arange(0, size, 2, device=vectors.device, dtype=exact) / size)
    angles = places.unsqueeze(-1) * rates
    sine, cosine = angles.sin().to(vectors.dtype), angles.cos().to(vectors.dtype)
    first, second = (part[..., 0::2], part[..., 1::2]) if pairs else part.chunk(2, -1)
    turned = first * cosine - second * sine, first * sine + second * cosine
    joined = torch.stack(turned, -1).flatten(-2) if pairs else torch.cat(turned, -1)
    return torch.cat([joined, rest], -1)


def slopes(heads: int) -> Float[Tensor, " H"]:
    """2^(-8 i/H) for i = 1 .. H: how fast each head forgets (Press, Smith & Lewis 2022)."""
    return 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)

"""Attention: its definition, and a module that owns its weights and does no more work than the answer needs.

`attention` is the definition. `Attention` equals it with three exact savings. A stream that is still a sum of
token and position embeddings has N + T different rows, so its products are made of them and looked up. Where only
some positions are read, only they ask. And a single head as wide as the stream moves its matrices to the side with
fewer rows: it averages the stream and maps the average.

Letters: `B` sequences, `T` positions that are seen, `Q` positions that read, `N` tokens, `d` width, `H` heads, `h`
head dimension.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least, check_name, check_not_negative
from simonides.nn.positions import BIASES, Alibi, RelativeBuckets, alibi_slopes, rotate
from simonides.nn.products import mapped
from simonides.nn.watching import Watch

ATTENTIONS = ("softmax", "linear")


def attention(
    queries: Float[Tensor, "*B Q h"],
    keys: Float[Tensor, "*B T h"],
    values: Float[Tensor, "*B T v"],
    scale: float = 1.0,
    bias: Float[Tensor, "..."] | None = None,
    mask: Bool[Tensor, "..."] | None = None,
    kind: str = "softmax",
) -> tuple[Float[Tensor, "*B Q v"], Float[Tensor, "*B Q T"]]:
    """What each query takes from the values, and the weights it takes them with.

    softmax(scale q k^T + bias) v, or with kind "linear" (scale q k^T + bias) v; where the mask is false nothing is
    taken, and a query that may see nothing takes zero.

    >>> out, weights = attention(torch.zeros(1, 4), torch.zeros(2, 4), torch.tensor([[1.0], [3.0]]))
    >>> out, weights
    (tensor([[2.]]), tensor([[0.5000, 0.5000]]))
    """
    scores = scale * (queries @ keys.mT)
    scores = scores if bias is None else scores + bias
    weights = weigh(scores, mask, kind)
    return weights @ values, weights


def weigh(
    scores: Float[Tensor, "*B Q T"], mask: Bool[Tensor, "..."] | None, kind: str = "softmax"
) -> Float[Tensor, "*B Q T"]:
    """The weights that scores give, zero where the mask is false."""
    if kind == "linear":
        return scores if mask is None else scores.masked_fill(~mask, 0.0)
    if mask is None:
        return torch.softmax(scores, -1)
    # the second fill is for queries that may see nothing, whose weights are 0/0; asking first whether there are any
    # would wait for a device, and cannot be done under vmap
    return torch.softmax(scores.masked_fill(~mask, -torch.inf), -1).masked_fill(~mask, 0.0)


@dataclass(frozen=True)
class FactoredStream:
    """A stream known to be a sum of embeddings: stream[b, t] = table[tokens[b, t]] + positions[t].

    Arguments:
        table: embeddings of the tokens.
        positions: embeddings of the positions; None where there are none.
        tokens: which they are.
    """

    table: Float[Tensor, "N d"]
    positions: Float[Tensor, "T d"] | None
    tokens: Int[Tensor, "B T"]

    def mapped(self, matrix: Float[Tensor, "out d"]) -> Float[Tensor, "B T out"]:
        """matrix @ stream, by N + T products."""
        rows = nn.functional.embedding(self.tokens, self.table @ matrix.mT)
        return rows if self.positions is None else rows + self.positions @ matrix.mT


@dataclass(frozen=True, kw_only=True)
class AttentionConfig:
    """What attention is made of.

    Arguments:
        d: width of the stream that asks, and of what is added to it.
        heads: H.
        head_dimension: h; by default d/H.
        kind: "softmax", or "linear": the scores themselves weigh.
        causal: whether a position sees only itself and what came before; not for cross-attention.
        divide_scores: whether scores are divided by sqrt(h).
        merged_queries: whether W_Q is the identity and W_K the merged key-query matrix; for one head of h = d.
        positions: "rotary", "alibi", "t5", or anything else for none of them.
        alibi_slopes: of each head; by default those of `alibi_slopes`.
        rotary_base: of the rotation's rates.
        rotary_dimension: how many of the h dimensions turn; by default all.
        buckets, longest_distance: of T5's relative positions.
        scale: entries of the weights are N(0, scale^2/fan-in), those of W_O divided by sqrt(H).
    """

    d: int
    heads: int = 1
    head_dimension: int | None = None
    kind: str = "softmax"
    causal: bool = True
    divide_scores: bool = True
    merged_queries: bool = False
    positions: str = "none"
    alibi_slopes: tuple[float, ...] | None = None
    rotary_base: float = 10_000.0
    rotary_dimension: int | None = None
    buckets: int = 32
    longest_distance: int = 128
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_at_least("d", self.d, 1)
        check_at_least("heads", self.heads, 1)
        for name in ("head_dimension", "rotary_dimension"):
            if getattr(self, name) is not None:
                check_at_least(name, getattr(self, name), 1)
        check_not_negative("scale", self.scale)
        check_name("attention", self.kind, ATTENTIONS)
        if self.head_dimension is None and self.d % self.heads:
            raise SimonidesError(f"d = {self.d} does not part into {self.heads} heads; give head_dimension.")
        if self.merged_queries and (self.heads > 1 or self.h != self.d):
            raise SimonidesError(
                "merged queries are for one head as wide as the stream; give heads=1, no dimension."
            )
        turned = self.rotary_dimension or self.h
        if self.positions == "rotary" and (turned % 2 or turned > self.h):
            raise SimonidesError(
                f"rotary positions turn pairs of the {self.h} dimensions of a head, not {turned}; make it even."
            )
        if self.alibi_slopes is not None and (self.positions != "alibi" or len(self.alibi_slopes) != self.heads):
            raise SimonidesError(
                f"{len(self.alibi_slopes)} ALiBi slopes for {self.heads} heads with positions={self.positions!r}; "
                "give one for each head, and positions='alibi'."
            )

    @property
    def h(self) -> int:
        """Head dimension."""
        return self.head_dimension or self.d // self.heads


class Attention(nn.Module):
    """Heads with their weights W_Q, W_K, W_V (H x h x d) and W_O (H x d x h).

    Arguments:
        config: its parts.
        generator: draws the weights.
    """

    def __init__(self, config: AttentionConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        d, heads, h = config.d, config.heads, config.h

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(config.scale / shape[-1] ** 0.5 * torch.randn(*shape, generator=generator))

        if not config.merged_queries:
            self.W_Q = draw(heads, h, d)
        self.W_K, self.W_V = draw(heads, h, d), draw(heads, h, d)
        self.W_O = nn.Parameter(draw(heads, d, h) / heads**0.5)  # heads are added
        if config.positions == "alibi":
            self.relative: nn.Module = Alibi(config.alibi_slopes or alibi_slopes(heads))
        if config.positions == "t5":
            self.relative = RelativeBuckets(heads, config.buckets, config.longest_distance, config.causal)

    def forward(
        self,
        keys: Float[Tensor, "B T d"],
        queries: Float[Tensor, "B Q d"] | None = None,
        at: Int[Tensor, "B Q"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        factored: FactoredStream | None = None,
        watch: Watch | None = None,
        name: str = "attention",
    ) -> Float[Tensor, "B Q d"]:
        """What the heads add to each query.

        Arguments:
            keys: the stream that is seen.
            queries: the stream that asks; by default the same.
            at: positions of the queries within the keys' sequence; by default 0, 1, ...
            mask: true where a key may be seen, broadcast to B x H x Q x T; causality is added by itself.
            factored: the keys' stream as a sum of embeddings, where it is one.
            watch: is told of the weights, and may change them.
            name: of this attention to the watch.
        """
        config = self.config
        asking = keys if queries is None else queries
        if config.heads == 1 and config.h == config.d and config.positions not in ("rotary", *BIASES):
            return self._single(keys, asking, at, mask, factored, watch, name)
        q = asking.unsqueeze(1) if config.merged_queries else self._mapped(self.W_Q, asking, None)
        k, v = (self._mapped(matrix, keys, factored) for matrix in (self.W_K, self.W_V))
        if config.positions == "rotary":
            places = torch.arange(keys.shape[1], device=keys.device)
            asked = torch.arange(asking.shape[1], device=keys.device) if at is None else at.unsqueeze(1)
            k = rotate(k, places, config.rotary_dimension, config.rotary_base)
            q = rotate(q, asked, config.rotary_dimension, config.rotary_base)
        weights = self._weights(q @ k.mT, at, mask, watch, name)
        # heads are added: one product with all of W_O
        return mapped((weights @ v).transpose(1, 2).flatten(2), self.W_O.transpose(0, 1).flatten(1))

    def _single(
        self,
        keys: Tensor,
        asking: Tensor,
        at: Tensor | None,
        mask: Tensor | None,
        factored: FactoredStream | None,
        watch: Watch | None,
        name: str,
    ) -> Float[Tensor, "B Q d"]:
        """One head as wide as the stream: W_K meets the queries, W_O W_V the averages or the table of values."""
        q = asking if self.config.merged_queries else mapped(asking, self.W_Q[0])
        if factored is not None:
            # few different rows: map them, look them up, and leave the queries as they are
            scores = q @ factored.mapped(self.W_K[0]).mT
            weights = self._weights(scores[:, None], at, mask, watch, name)
            return weights[:, 0] @ factored.mapped(self.W_O[0] @ self.W_V[0])
        weights = self._weights((mapped(q, self.W_K[0].mT) @ keys.mT)[:, None], at, mask, watch, name)
        return mapped(mapped(weights[:, 0] @ keys, self.W_V[0]), self.W_O[0])

    def _weights(
        self,
        scores: Float[Tensor, "B H Q T"],
        at: Tensor | None,
        mask: Tensor | None,
        watch: Watch | None,
        name: str,
    ) -> Float[Tensor, "B H Q T"]:
        config = self.config
        places = torch.arange(scores.shape[-1], device=scores.device)
        readers = torch.arange(scores.shape[-2], device=scores.device) if at is None else at
        distance = readers.unsqueeze(-1) - places
        if config.divide_scores:
            scores = scores / config.h**0.5
        if config.positions in BIASES:
            scores = scores + self.relative(distance).to(scores)
        if config.causal:
            # B x 1 x Q x T where each sequence has readers of its own
            seen = (distance >= 0) if at is None else (distance >= 0).unsqueeze(1)
            mask = seen if mask is None else mask & seen
        weights = weigh(scores, mask, config.kind)
        return weights if watch is None else watch(f"{name}.weights", weights)

    def _mapped(
        self, matrix: Float[Tensor, "H h d"], keys: Tensor, factored: FactoredStream | None
    ) -> Float[Tensor, "B H T h"]:
        every = matrix.flatten(0, 1)
        rows = mapped(keys, every) if factored is None else factored.mapped(every)
        return rows.unflatten(-1, matrix.shape[:2]).transpose(1, 2)

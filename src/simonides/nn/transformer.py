"""The transformer of every toy setting here: layers, heads, feed-forward and positions by its configuration.

Weights act on column vectors, as in `torch.nn.Linear`, and are reached by their roles: W_E, W_U, positions, and of
each layer W_Q, W_K, W_V, W_O, W_KQ, W_OV, W_in, W_out, W_F. Letters: `B` sequences, `T` positions, `Q` positions
that are read, `N` tokens, `d` width, `H` heads, `h` head dimension, `m` hidden units.
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least, check_name
from simonides.memories import ACTIVATIONS
from simonides.nn.attention import attend, check_attention

FEED_FORWARDS = ("none", "linear", "mlp")
POSITIONS = ("none", "learned", "sinusoidal", "rotary", "alibi")
NORMS = ("none", "pre")


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """What a transformer is made of.

    Arguments:
        vocabulary: N.
        outputs: how many tokens there are logits of, with a W_U of their own; by default N.
        length: the longest T.
        d: width of the residual stream.
        layers: number of blocks.
        heads: H.
        head_dimension: h; by default d/H.
        feed_forward: "none", "linear" (x + W_F x) or "mlp" (x + W_out s(W_in x + b_in)), of all layers or of each.
        hidden: m; by default 4 d.
        hidden_bias: whether there is a b_in, zero at first.
        activation: s, a name in `simonides.memories.mlp.ACTIVATIONS`.
        residual: whether a position's own stream is added to what the heads bring it.
        parallel: whether the feed-forward reads what the attention reads, instead of what it leaves.
        positions: "none", "learned" or "sinusoidal" (added to the embeddings), "rotary" or "alibi".
        norm: "none", or "pre": layer normalisation before attention, feed-forward and unembedding.
        attention: "softmax", or "linear": the scores themselves weigh.
        causal: whether a position sees only itself and what came before.
        divide_scores: whether scores are divided by sqrt(h).
        merged_queries: whether W_Q is the identity and W_K the merged key-query matrix; for one head of h = d.
        tied: whether W_U is W_E.
        embedding_scale: entries of W_E and positions are N(0, scale^2/d).
        unembedding_scale: those of W_U; by default as the embeddings'.
        weight_scale: entries of all other matrices are N(0, scale^2/fan-in).
        frozen: roles that are not trained, such as ("W_E", "W_U", "positions", "layers.0.W_V"); * stands for
            anything.
    """

    vocabulary: int
    length: int
    outputs: int | None = None
    d: int = 128
    layers: int = 2
    heads: int = 1
    head_dimension: int | None = None
    feed_forward: str | tuple[str, ...] = "mlp"
    hidden: int | None = None
    hidden_bias: bool = False
    activation: str = "relu"
    residual: bool = True
    parallel: bool = False
    positions: str = "learned"
    norm: str = "none"
    attention: str = "softmax"
    causal: bool = True
    divide_scores: bool = True
    merged_queries: bool = False
    tied: bool = False
    embedding_scale: float = 1.0
    unembedding_scale: float | None = None
    weight_scale: float = 1.0
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("vocabulary", "length", "d", "layers", "heads"):
            check_at_least(name, getattr(self, name), 1)
        kinds = self.feed_forwards
        if len(kinds) != self.layers:
            raise SimonidesError(
                f"{len(kinds)} kinds of feed-forward for {self.layers} layers; give one for each."
            )
        for kind in kinds:
            check_name("feed_forward", kind, FEED_FORWARDS)
        check_name("positions", self.positions, POSITIONS)
        check_name("norm", self.norm, NORMS)
        check_attention(self.attention)
        check_name("activation", self.activation, ACTIVATIONS)
        if self.tied and self.outputs not in (None, self.vocabulary):
            raise SimonidesError(
                f"tied embeddings have {self.vocabulary} outputs, not {self.outputs}; leave outputs out, or untie."
            )
        if self.head_dimension is None and self.d % self.heads:
            raise SimonidesError(f"d = {self.d} does not part into {self.heads} heads; give head_dimension.")
        if self.merged_queries and (self.heads > 1 or self.h != self.d):
            raise SimonidesError(
                "merged queries are for one head as wide as the stream; give heads=1, no dimension."
            )
        if self.positions == "rotary" and self.h % 2:
            raise SimonidesError(
                f"rotary positions turn pairs, and head_dimension = {self.h} is odd; make it even."
            )

    @property
    def h(self) -> int:
        """Head dimension."""
        return self.head_dimension or self.d // self.heads

    @property
    def feed_forwards(self) -> tuple[str, ...]:
        """The kind of each layer."""
        return (self.feed_forward,) * self.layers if isinstance(self.feed_forward, str) else self.feed_forward


@dataclass(kw_only=True)
class Trace:
    """What happened inside a transformer.

    Arguments:
        streams: the residual stream before the first layer and after each.
        attentions: how much each position took from which, layer by layer.
    """

    streams: list[Float[Tensor, "B T d"]] = field(default_factory=list)
    attentions: list[Float[Tensor, "B H T T"]] = field(default_factory=list)


class Layer(nn.Module):
    """One block: attention, then the feed-forward, each added to the stream."""

    def __init__(self, config: TransformerConfig, feed_forward: str, generator: torch.Generator) -> None:
        super().__init__()
        self.config, self.feed_forward = config, feed_forward
        d, heads, h = config.d, config.heads, config.h

        def draw(*shape: int) -> nn.Parameter:
            scale = config.weight_scale / shape[-1] ** 0.5
            return nn.Parameter(scale * torch.randn(*shape, generator=generator))

        if not config.merged_queries:
            self.W_Q = draw(heads, h, d)
        self.W_K, self.W_V = draw(heads, h, d), draw(heads, h, d)
        self.W_O = nn.Parameter(draw(heads, d, h) / heads**0.5)  # heads are added
        if feed_forward == "linear":
            self.W_F = draw(d, d)
        if feed_forward == "mlp":
            hidden = config.hidden or 4 * d
            self.W_in, self.W_out = draw(hidden, d), draw(d, hidden)
            if config.hidden_bias:
                self.b_in = nn.Parameter(torch.zeros(hidden))
        if config.norm == "pre":
            self.attention_norm = nn.LayerNorm(d, bias=False)
            if feed_forward != "none":
                self.feed_forward_norm = nn.LayerNorm(d, bias=False)

    def forward(
        self,
        stream: Float[Tensor, "B T d"],
        at: Int[Tensor, "B Q"] | None = None,
        parts: tuple[Float[Tensor, "N d"], Float[Tensor, "T d"] | None, Int[Tensor, "B T"]] | None = None,
        trace: Trace | None = None,
    ) -> Float[Tensor, "B Q d"]:
        """The stream after the block, at all positions or only at those in `at`.

        `parts` tells that stream[b, t] = table[tokens[b, t]] + places[t]: products with it then have N + T rows.
        """
        keys = self.attention_norm(stream) if self.config.norm == "pre" else stream
        own, reads = stream, keys
        if at is not None:
            own, reads = (part.gather(1, at[..., None].expand(-1, -1, part.shape[-1])) for part in (stream, keys))
        moved, weights = attend(self, keys, reads, at, parts if self.config.norm == "none" else None)
        if trace is not None:
            trace.attentions.append(weights.detach())
        after = own + moved if self.config.residual else moved
        return self.fed_forward(after, own)

    def fed_forward(
        self, after: Float[Tensor, "*rows d"], before: Float[Tensor, "*rows d"]
    ) -> Float[Tensor, "*rows d"]:
        """The stream after the feed-forward, from the stream after and before attention."""
        if self.feed_forward == "none":
            return after
        read = before if self.config.parallel else after
        if self.config.norm == "pre":
            read = self.feed_forward_norm(read)
        if self.feed_forward == "linear":
            return after + read @ self.W_F.mT
        hidden = read @ self.W_in.mT
        if self.config.hidden_bias:
            hidden = hidden + self.b_in
        return after + ACTIVATIONS[self.config.activation](hidden) @ self.W_out.mT


class Transformer(nn.Module):
    """A decoder from token numbers to logits.

    Arguments:
        config: its parts.
        generator: draws the weights.

    >>> config = TransformerConfig(vocabulary=10, length=8, d=16)
    >>> model = Transformer(config, torch.Generator().manual_seed(0))
    >>> model(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 10])
    >>> model.W_KQ(1).shape  # key by query
    torch.Size([16, 16])
    """

    def __init__(self, config: TransformerConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        scale = config.embedding_scale
        of_outputs = scale if config.unembedding_scale is None else config.unembedding_scale

        def draw(rows: int, scale: float) -> nn.Parameter:
            return nn.Parameter(scale / config.d**0.5 * torch.randn(rows, config.d, generator=generator))

        self.W_E = draw(config.vocabulary, scale)
        self.W_U = self.W_E if config.tied else draw(config.outputs or config.vocabulary, of_outputs)
        if config.positions == "learned":
            self.positions = draw(config.length, scale)
        if config.positions == "sinusoidal":
            self.register_buffer("positions", scale * (2 / config.d) ** 0.5 * sinusoids(config.length, config.d))
        self.layers = nn.ModuleList(Layer(config, kind, generator) for kind in config.feed_forwards)
        if config.norm == "pre":
            self.final_norm = nn.LayerNorm(config.d, bias=False)
        self.freeze(*config.frozen)

    def forward(
        self, tokens: Int[Tensor, "B T"], at: Int[Tensor, "B Q"] | None = None, trace: Trace | None = None
    ) -> Float[Tensor, "B Q outputs"]:
        """Logits of what comes next, after every position, or only after those in `at`.

        With `at` the last layer and the unembedding work at these positions alone.
        """
        if tokens.shape[-1] > self.config.length:
            raise SimonidesError(f"{tokens.shape[-1]} positions; this model was made for {self.config.length}.")
        places = getattr(self, "positions", None)
        places = places[: tokens.shape[-1]] if places is not None else None
        # embedding's backward adds rows by token, indexing's does not
        stream = nn.functional.embedding(tokens, self.W_E)
        if places is not None:
            stream = stream + places
        if trace is not None:
            trace.streams.append(stream.detach())
        for number, layer in enumerate(self.layers):
            last = number == len(self.layers) - 1
            parts = (self.W_E, places, tokens) if number == 0 else None
            stream = layer(stream, at if last else None, parts, trace)
            if trace is not None:
                trace.streams.append(stream.detach())
        if self.config.norm == "pre":
            stream = self.final_norm(stream)
        return stream @ self.W_U.mT

    def trace(self, tokens: Int[Tensor, "B T"]) -> Trace:
        """Streams and attention maps for some sequences."""
        found = Trace()
        with torch.no_grad():
            self(tokens, trace=found)
        return found

    def W_KQ(  # noqa: N802 - the field's name
        self, layer: int, head: int = 0
    ) -> Float[Tensor, "d d"]:
        """Key by query: position t scores s by x_s^T W_KQ x_t (before division and positions within heads)."""
        block = self._layer(layer, head)
        keys = block.W_K[head]
        return keys.mT if self.config.merged_queries else keys.mT @ block.W_Q[head]

    def W_OV(  # noqa: N802
        self, layer: int, head: int = 0
    ) -> Float[Tensor, "d d"]:
        """W_O W_V: what a head writes of what it attends to."""
        block = self._layer(layer, head)
        return block.W_O[head] @ block.W_V[head]

    def freeze(self, *patterns: str) -> None:
        """Train all parameters but those whose names match a pattern, such as "W_E" or "layers.0.*".

        Raises:
            SimonidesError: when a pattern matches none.
        """
        named = dict(self.named_parameters())
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in named):
                raise SimonidesError(f"no parameter is called {pattern!r}; there are {', '.join(named)}.")
        for name, parameter in named.items():
            parameter.requires_grad_(not any(fnmatchcase(name, pattern) for pattern in patterns))

    def _layer(self, layer: int, head: int) -> Layer:
        if not 0 <= layer < len(self.layers) or not 0 <= head < self.config.heads:
            raise SimonidesError(
                f"no head {head} in layer {layer}: "
                f"there are {len(self.layers)} layers of {self.config.heads}, from 0."
            )
        found = self.layers[layer]
        assert isinstance(found, Layer)
        return found


def sinusoids(length: int, d: int) -> Float[Tensor, "T d"]:
    """sin and cos of t/10000^(2i/d), side by side (Vaswani et al. 2017), of entries of mean square one half."""
    rates = 10_000.0 ** (-torch.arange(0, d, 2) / d)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :d]

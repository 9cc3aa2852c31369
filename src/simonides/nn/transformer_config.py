"""What a transformer is made of: its parts by name, checked when it is written down."""

from dataclasses import dataclass

from simonides.base import SimonidesError, check_at_least, check_name, check_not_negative
from simonides.nn.attention import AttentionConfig
from simonides.nn.feed_forward import ACTIVATIONS, FEED_FORWARDS
from simonides.nn.norms import NORMS
from simonides.nn.positions import POSITIONS

NORM_PLACES = ("none", "pre", "post")


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
        feed_forward: "none", "linear" (x + W_F x), "mlp" (x + W_out s(W_in x + b_in)) or "gated"
            (x + W_out (s(W_gate x) * (W_in x + b_in))), of all layers or of each.
        hidden: m; by default 4 d.
        hidden_bias: whether there is a b_in, zero at first.
        activation: s, a name in `simonides.nn.ACTIVATIONS`.
        residual: whether a position's own stream is added to what the heads bring it.
        parallel: whether the feed-forward reads what the attention reads, instead of what it leaves.
        positions: "none", "learned" or "sinusoidal" (added to the embeddings), "rotary", "alibi" or "t5".
        alibi_slopes: of each head; by default 2^(-8 i/H).
        norm: "none"; "pre", before attention, feed-forward and unembedding; or "post", after attention and
            feed-forward.
        norm_kind: "layer" or "rms".
        attention: "softmax", or "linear": the scores themselves weigh.
        causal: whether a position sees only itself and what came before.
        divide_scores: whether scores are divided by sqrt(h).
        merged_queries: whether W_Q is the identity and W_K the merged key-query matrix; for one head of h = d.
        tied: whether W_U is W_E.
        embedding_scale: entries of W_E and positions are N(0, scale^2/d).
        unembedding_scale: those of W_U; by default as the embeddings'.
        weight_scale: entries of all other matrices are N(0, scale^2/fan-in).
        frozen: parameters that are not trained, such as ("W_E", "W_U", "positions", "layers.0.attention.W_V"); *
            stands for anything.
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
    alibi_slopes: tuple[float, ...] | None = None
    norm: str = "none"
    norm_kind: str = "layer"
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
        for name in ("outputs", "hidden"):
            if getattr(self, name) is not None:
                check_at_least(name, getattr(self, name), 1)
        for name in ("embedding_scale", "weight_scale"):
            check_not_negative(name, getattr(self, name))
        if self.unembedding_scale is not None:
            check_not_negative("unembedding_scale", self.unembedding_scale)
        kinds = self.feed_forwards
        if len(kinds) != self.layers:
            raise SimonidesError(
                f"{len(kinds)} kinds of feed-forward for {self.layers} layers; give one for each."
            )
        for kind in kinds:
            check_name("feed_forward", kind, FEED_FORWARDS)
        check_name("positions", self.positions, POSITIONS)
        check_name("norm", self.norm, NORM_PLACES)
        check_name("norm_kind", self.norm_kind, NORMS)
        check_name("activation", self.activation, ACTIVATIONS)
        if self.tied and self.outputs not in (None, self.vocabulary):
            raise SimonidesError(
                f"tied embeddings have {self.vocabulary} outputs, not {self.outputs}; leave outputs out, or untie."
            )
        if self.norm == "post" and self.parallel:
            raise SimonidesError("norm='post' has no parallel form; give parallel=False.")
        _ = self.of_attention  # whatever is wrong there shows here

    @property
    def of_attention(self) -> AttentionConfig:
        """What each layer's attention is made of."""
        return AttentionConfig(
            d=self.d,
            heads=self.heads,
            head_dimension=self.head_dimension,
            kind=self.attention,
            causal=self.causal,
            divide_scores=self.divide_scores,
            merged_queries=self.merged_queries,
            positions=self.positions,
            alibi_slopes=self.alibi_slopes,
            scale=self.weight_scale,
        )

    @property
    def h(self) -> int:
        """Head dimension."""
        return self.of_attention.h

    @property
    def feed_forwards(self) -> tuple[str, ...]:
        """The kind of each layer."""
        return (self.feed_forward,) * self.layers if isinstance(self.feed_forward, str) else self.feed_forward

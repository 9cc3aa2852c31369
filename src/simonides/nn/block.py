"""One layer of a transformer: attention, then the feed-forward, each added to the stream."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from simonides.nn.attention import Attention, FactoredStream
from simonides.nn.feed_forward import FeedForward
from simonides.nn.norms import make_norm
from simonides.nn.transformer_config import TransformerConfig
from simonides.nn.watching import Watch


class Block(nn.Module):
    """One layer: attention, then the feed-forward, each added to the stream."""

    def __init__(self, config: TransformerConfig, feed_forward: str, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.attention = Attention(config.of_attention, generator)
        self.feed_forward: FeedForward | None = None
        if feed_forward != "none":
            self.feed_forward = FeedForward(
                feed_forward,
                config.d,
                config.hidden or 4 * config.d,
                generator,
                config.weight_scale,
                config.activation,
                config.hidden_bias,
            )
        if config.norm != "none":
            self.attention_norm = make_norm(config.norm_kind, config.d)
            if feed_forward != "none":
                self.feed_forward_norm = make_norm(config.norm_kind, config.d)

    def forward(
        self,
        stream: Float[Tensor, "B T d"],
        at: Int[Tensor, "B Q"] | None = None,
        factored: FactoredStream | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        watch: Watch | None = None,
        name: str = "layer",
    ) -> Float[Tensor, "B Q d"]:
        """The stream after the block, at all positions or only at those in `at`."""
        pre = self.config.norm == "pre"
        keys = self.attention_norm(stream) if pre else stream
        residual, queries = stream, keys
        if at is not None:
            rows = at[..., None].expand(-1, -1, stream.shape[-1])
            residual, queries = stream.gather(1, rows), keys.gather(1, rows)
        moved = self.attention(keys, queries, at, mask, None if pre else factored, watch, f"{name}.attention")
        if watch is not None:
            moved = watch(f"{name}.attention.output", moved)
        attended = residual + moved if self.config.residual else moved
        if self.config.norm == "post":
            attended = self.attention_norm(attended)
        after = self.fed_forward(attended, residual, watch, name)
        return after if watch is None else watch(f"{name}.output", after)

    def fed_forward(
        self,
        attended: Float[Tensor, "*rows d"],
        before: Float[Tensor, "*rows d"],
        watch: Watch | None = None,
        name: str = "layer",
    ) -> Float[Tensor, "*rows d"]:
        """The stream after the feed-forward, from the stream after and before attention."""
        if self.feed_forward is None:
            return attended
        read = before if self.config.parallel else attended
        if self.config.norm == "pre":
            read = self.feed_forward_norm(read)
        added = self.feed_forward(read, watch, f"{name}.feed_forward")
        if watch is not None:
            added = watch(f"{name}.feed_forward.output", added)
        after = attended + added
        return self.feed_forward_norm(after) if self.config.norm == "post" else after

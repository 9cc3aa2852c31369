"""An encoder whose stream a decoder of learned prompts reads: by cross-attention alone, or with more.

Without `self_attention`, `residual` and a feed-forward the decoder is one cross-attention, linear in the encoder's
values. Letters: `B` sequences, `T` positions of the encoder, `P` prompts, `d` width.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least
from simonides.nn.attention import Attention
from simonides.nn.feed_forward import FeedForward
from simonides.nn.norms import make_norm
from simonides.nn.transformer import Transformer
from simonides.nn.transformer_config import TransformerConfig
from simonides.nn.watching import Interventions, Trace, Watch


@dataclass(frozen=True, kw_only=True)
class EncoderDecoderConfig:
    """What an encoder-decoder is made of.

    Arguments:
        encoder: of the encoder; its unembedding serves the decoder.
        prompts: P, learned queries of the decoder, read together.
        layers: blocks of the decoder.
        self_attention: whether prompts see each other before they read the encoder.
        residual: whether a prompt's own stream is added to what it reads.
        feed_forward: of the decoder, as in `TransformerConfig`.
    """

    encoder: TransformerConfig
    prompts: int
    layers: int = 1
    self_attention: bool = False
    residual: bool = False
    feed_forward: str = "none"

    def __post_init__(self) -> None:
        check_at_least("prompts", self.prompts, 1)
        check_at_least("layers", self.layers, 1)
        if self.encoder.merged_queries:
            raise SimonidesError("prompts have queries of their own; give merged_queries=False.")


class CrossBlock(nn.Module):
    """One layer of the decoder: prompts see each other, read the encoder, and pass the feed-forward."""

    def __init__(self, config: EncoderDecoderConfig, generator: torch.Generator) -> None:
        super().__init__()
        encoder = config.encoder
        self.config = config
        # prompts have no order, and the encoder has told its positions already
        plain = replace(encoder.of_attention, causal=False, positions="none", alibi_slopes=None)
        self.self_attention = Attention(plain, generator) if config.self_attention else None
        self.cross_attention = Attention(plain, generator)
        self.feed_forward: FeedForward | None = None
        if config.feed_forward != "none":
            self.feed_forward = FeedForward(
                config.feed_forward,
                encoder.d,
                encoder.hidden or 4 * encoder.d,
                generator,
                encoder.weight_scale,
                encoder.activation,
                encoder.hidden_bias,
            )
        if encoder.norm != "none":
            self.norms = nn.ModuleList(make_norm(encoder.norm_kind, encoder.d) for _ in range(3))

    def forward(
        self,
        prompts: Float[Tensor, "B P d"],
        stream: Float[Tensor, "B T d"],
        mask: Bool[Tensor, "B T"] | None,
        watch: Watch | None,
        name: str,
    ) -> Float[Tensor, "B P d"]:
        """The prompts' stream after the layer."""
        seen = None if mask is None else mask[:, None, None]
        if self.self_attention is not None:
            moved = self.self_attention(self._read(prompts, 0), watch=watch, name=f"{name}.self_attention")
            prompts = self._added(prompts, moved, 0)
        moved = self.cross_attention(
            stream, self._read(prompts, 1), mask=seen, watch=watch, name=f"{name}.cross_attention"
        )
        if watch is not None:
            moved = watch(f"{name}.cross_attention.output", moved)
        prompts = self._added(prompts, moved, 1)
        if self.feed_forward is not None:
            added = self.feed_forward(self._read(prompts, 2), watch, f"{name}.feed_forward")
            prompts = self._added(prompts, added, 2)
        return prompts if watch is None else watch(f"{name}.output", prompts)

    def _read(self, prompts: Tensor, place: int) -> Tensor:
        return self.norms[place](prompts) if self.config.encoder.norm == "pre" else prompts

    def _added(self, prompts: Tensor, moved: Tensor, place: int) -> Tensor:
        # a feed-forward always adds; residual is about what attention brings
        after = prompts + moved if self.config.residual or place == 2 else moved
        return self.norms[place](after) if self.config.encoder.norm == "post" else after


class EncoderDecoder(nn.Module):
    """From token numbers to the logits of each prompt.

    Arguments:
        config: its parts.
        generator: draws the weights.

    >>> encoder = TransformerConfig(vocabulary=5, length=8, d=16, outputs=3, causal=False)
    >>> model = EncoderDecoder(EncoderDecoderConfig(encoder=encoder, prompts=4), torch.Generator().manual_seed(0))
    >>> model(torch.zeros(2, 8, dtype=torch.long)).shape
    torch.Size([2, 4, 3])
    """

    def __init__(self, config: EncoderDecoderConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.encoder = Transformer(config.encoder, generator)
        d = config.encoder.d
        scale = config.encoder.embedding_scale / d**0.5
        self.prompts = nn.Parameter(scale * torch.randn(config.prompts, d, generator=generator))
        self.layers = nn.ModuleList(CrossBlock(config, generator) for _ in range(config.layers))

    @property
    def blocks(self) -> list[CrossBlock]:
        """The decoder's layers, typed."""
        return [block for block in self.layers if isinstance(block, CrossBlock)]

    def forward(
        self, tokens: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"] | None = None, watch: Watch | None = None
    ) -> Float[Tensor, "B P outputs"]:
        """Logits of each prompt.

        Arguments:
            tokens: what the encoder reads.
            mask: true where a position is there to be seen; false for padding.
            watch: sees, and may change, what happens inside; names of the encoder begin with "encoder.".
        """
        stream = self.encoder.streams(tokens, None if mask is None else mask[:, None, None], watch, "encoder.")
        prompts = self.prompts.expand(len(tokens), -1, -1)
        for number, layer in enumerate(self.layers):
            prompts = layer(prompts, stream, mask, watch, f"decoder.{number}")
        return prompts @ self.encoder.W_U.mT

    def run(
        self,
        tokens: Int[Tensor, "B T"],
        mask: Bool[Tensor, "B T"] | None = None,
        trace: Trace | None = None,
        interventions: Interventions | None = None,
    ) -> Float[Tensor, "B P outputs"]:
        """Logits, with activations kept or changed by name."""
        watch = Watch(trace, interventions)
        logits = self(tokens, mask, watch)
        watch.check()
        return logits

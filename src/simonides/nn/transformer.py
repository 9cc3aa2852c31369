"""The transformer of every toy setting here, a decoder or an encoder: built of parts by its configuration.

Every weight is reached by its role (`simonides.nn.roles`). Letters: `B` sequences, `T` positions, `Q` positions
that are read, `N` tokens, `d` width, `H` heads, `h` head dimension, `m` hidden units.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_name
from simonides.nn.attention import FactoredStream
from simonides.nn.block import Block
from simonides.nn.norms import Norm, make_norm, norm_of
from simonides.nn.positions import sinusoids
from simonides.nn.roles import Sizes, check_head, check_sequences, check_tokens
from simonides.nn.running import counts_are_enough, running_stream
from simonides.nn.transformer_config import TransformerConfig
from simonides.nn.watching import Interventions, Trace, Watch


class Transformer(nn.Module):
    """From token numbers to logits.

    Arguments:
        config: its parts.
        generator: draws the weights.

    >>> config = TransformerConfig(vocabulary=10, length=8, d=16)
    >>> model = Transformer(config, torch.Generator().manual_seed(0))
    >>> model(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 10])
    >>> model.weight("W_V", 1).shape
    torch.Size([1, 16, 16])
    """

    positions: Tensor | None

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
        elif config.positions == "sinusoidal":
            self.register_buffer("positions", scale * (2 / config.d) ** 0.5 * sinusoids(config.length, config.d))
        else:
            self.register_parameter("positions", None)
        self.layers = nn.ModuleList(Block(config, kind, generator) for kind in config.feed_forwards)
        if config.norm == "pre":
            self.final_norm = make_norm(config.norm_kind, config.d)
        self.freeze(*config.frozen)

    @property
    def blocks(self) -> list[Block]:
        """The layers, typed."""
        return [block for block in self.layers if isinstance(block, Block)]

    def forward(
        self,
        tokens: Int[Tensor, "B T"],
        at: Int[Tensor, "B Q"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        watch: Watch | None = None,
    ) -> Float[Tensor, "B Q outputs"]:
        """Logits of what comes next, after every position, or only after those in `at`.

        With `at` the last layer and the unembedding work at these positions alone.

        Arguments:
            tokens: the sequences.
            at: positions that are read.
            mask: true where a position may be seen, broadcast to B x H x T x T (to B x H x Q x T in the last layer
                where `at` is given); causality is added by itself.
            watch: sees, and may change, what happens inside.

        Raises:
            SimonidesError: when there are more positions than the model was made for.
        """
        return self.streams(tokens, mask, watch, at=at) @ self.W_U.mT

    def streams(
        self,
        tokens: Int[Tensor, "B T"],
        mask: Bool[Tensor, "..."] | None = None,
        watch: Watch | None = None,
        prefix: str = "",
        at: Int[Tensor, "B Q"] | None = None,
        embeddings: Float[Tensor, "B T d"] | None = None,
    ) -> Float[Tensor, "B Q d"]:
        """The stream that is unembedded, behind the last norm; names to the watch begin with `prefix`.

        `embeddings` stand in place of the tokens' rows of W_E, before positions are added.
        """
        plain = (watch is None or not watch.touches(prefix)) and mask is None and at is None and embeddings is None
        size = self.config.vocabulary
        single = len(self.layers) == len(self.blocks) == 1
        if plain and single and counts_are_enough(self.blocks[0], size, tokens.shape[-1]):
            own = self._looked_up(tokens, torch.eye(size, dtype=self.W_E.dtype, device=self.W_E.device))
            stream = running_stream(self.blocks[0], self.W_E, own)
            return self.final_norm(stream) if self.config.norm == "pre" else stream
        stream, factored = self._start(tokens, embeddings)
        if watch is not None:
            changed = watch(f"{prefix}embedding", stream)
            # what was changed is no sum of embeddings any more
            stream, factored = changed, factored if changed is stream else None
        if watch is None or at is None:
            return self._through(stream, factored, 0, at, mask, watch, prefix)
        # what is watched is whole, wherever the answer is read
        whole = self._through(stream, factored, 0, None, mask, watch, prefix)
        return whole.gather(1, at[..., None].expand(-1, -1, whole.shape[-1]))

    def run(
        self,
        tokens: Int[Tensor, "B T"],
        at: Int[Tensor, "B Q"] | None = None,
        trace: Trace | None = None,
        interventions: Interventions | None = None,
    ) -> Float[Tensor, "B Q outputs"]:
        """Logits, with activations kept or changed by name; see `simonides.nn.watching`.

        Activations are those of all positions, also where logits are asked for at some.

        Raises:
            SimonidesError: when a name or pattern meets no activation, or tokens are not the model's.

        >>> config = TransformerConfig(vocabulary=10, length=8, d=16)
        >>> model = Transformer(config, torch.Generator().manual_seed(0))
        >>> trace = Trace("layers.*.attention.weights")
        >>> _ = model.run(torch.tensor([[1, 2, 3]]), trace=trace)
        >>> trace["layers.1.attention.weights"].shape
        torch.Size([1, 1, 3, 3])
        """
        check_sequences(tokens, self.config.vocabulary)
        if trace is None and not interventions:
            return self(tokens, at)
        watch = Watch(trace, interventions)
        logits = self(tokens, at, watch=watch)
        watch.check()
        return logits

    @contextmanager
    def passage(self, tokens: Int[Tensor, "B T"]) -> Iterator["_Passage"]:
        """Sequences before the first layer, to be taken through the layers step by step."""
        check_sequences(tokens, self.config.vocabulary)
        stream, _ = self._start(tokens)
        yield _Passage(self, stream)

    @property
    def sizes(self) -> Sizes:
        """Its sizes."""
        config = self.config
        hidden = config.feed_forwards[0] in ("mlp", "gated")
        return Sizes(
            vocabulary=config.vocabulary,
            outputs=len(self.W_U),
            d=config.d,
            layers=config.layers,
            heads=config.heads,
            key_value_heads=config.heads,
            head_dimension=config.h,
            hidden=(config.hidden or 4 * config.d) if hidden else 0,
            longest=config.length,
            decoder=config.causal,
        )

    def roles(self, layer: int | None = None) -> tuple[str, ...]:
        """The weights that a layer has, or without one the whole, by role."""
        return tuple(self._weights(layer))

    def weight(self, role: str, layer: int | None = None) -> Tensor:
        """A weight by its role, sharing memory with the model: `simonides.nn.Roles.weight`.

        Raises:
            SimonidesError: when there is no such layer, or no such weight.
        """
        weights = self._weights(layer)
        check_name("weight" if layer is None else f"weight of layer {layer}", role, weights)
        return weights[role].detach()

    def set_weight(self, role: str, layer: int, value: Tensor) -> None:
        """Put another weight in a layer; all others keep their bits.

        Raises:
            SimonidesError: when there is no such layer or weight, or the shape is another.
        """
        parameter = self.weight(role, layer)
        if parameter.shape != value.shape:
            raise SimonidesError(f"{role} of layer {layer} is {list(parameter.shape)}, not {list(value.shape)}.")
        parameter.copy_(value)

    def attention_norm(self, layer: int) -> Norm | None:
        """What the heads of a layer read through."""
        check_head(self.sizes, layer)
        return norm_of(self.blocks[layer].attention_norm) if self.config.norm == "pre" else None

    def attention_output_norm(self, layer: int) -> Norm | None:
        """None: a norm that comes after attention is one of the whole stream."""
        check_head(self.sizes, layer)
        return None

    def embedded(self, tokens: Int[Tensor, " S"]) -> Float[Tensor, "S d"]:
        """Tokens as they enter the stream, without positions."""
        return self.W_E.detach()[tokens]

    def logit_directions(self) -> Float[Tensor, "outputs d"]:
        """For each token the direction in the stream that raises its logit, up to the size of the last norm."""
        directions = self.W_U.detach()
        return norm_of(self.final_norm).directions(directions) if self.config.norm == "pre" else directions

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

    def _weights(self, layer: int | None) -> dict[str, Tensor]:
        if layer is None:
            whole = {"W_E": self.W_E, "W_U": self.W_U, "positions": self.positions}
            return {name: value for name, value in whole.items() if value is not None}
        check_head(self.sizes, layer)
        block = self.blocks[layer]
        parts = [block.attention, *([] if block.feed_forward is None else [block.feed_forward])]
        return {name: value for part in parts for name, value in part.named_parameters(recurse=False)}

    def _start(self, tokens: Tensor, embeddings: Tensor | None = None) -> tuple[Tensor, FactoredStream | None]:
        stream = self.embed(tokens) if embeddings is None else embeddings
        places = None if self.positions is None else self.positions[: tokens.shape[-1]]
        known = FactoredStream(self.W_E, places, tokens) if embeddings is None else None
        return stream if places is None else stream + places, known

    def embed(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T d"]:
        """The tokens' rows of W_E, without positions.

        Raises:
            SimonidesError: when there are more positions than the model was made for, or tokens are not the model's.
        """
        return self._looked_up(tokens, self.W_E)

    def _looked_up(self, tokens: Tensor, table: Float[Tensor, "N k"]) -> Float[Tensor, "B T k"]:
        """The tokens' rows of a table, of sequences that the model can read."""
        check_sequences(tokens)
        length = tokens.shape[-1]
        if length > self.config.length:
            raise SimonidesError(f"{length} positions; this model was made for {self.config.length}.")
        # embedding's backward adds rows by token, indexing's does not
        try:
            return nn.functional.embedding(tokens, table)
        except (IndexError, RuntimeError):
            check_tokens(tokens, self.config.vocabulary)
            raise

    def _through(
        self,
        stream: Tensor,
        factored: FactoredStream | None,
        first: int,
        at: Tensor | None,
        mask: Tensor | None = None,
        watch: Watch | None = None,
        prefix: str = "",
    ) -> Float[Tensor, "B Q d"]:
        for number in range(first, len(self.layers)):
            last = number == len(self.layers) - 1
            parts = factored if number == 0 else None
            name = f"{prefix}layers.{number}"
            stream = self.layers[number](stream, at if last else None, parts, mask, watch, name)
        return self.final_norm(stream) if self.config.norm == "pre" else stream


class _Passage:
    """Sequences on their way through a transformer."""

    def __init__(self, model: Transformer, stream: Tensor) -> None:
        self._model, self._stream, self.layer = model, stream, 0

    def advance(self, layer: int) -> None:
        """Go on to the input of a layer."""
        if not self.layer <= layer <= len(self._model.layers):
            raise SimonidesError(f"this passage is at layer {self.layer} and cannot go to {layer}.")
        for number in range(self.layer, layer):
            self._stream = self._model.layers[number](self._stream)
        self.layer = layer

    def finish(self, at: Int[Tensor, "B Q"] | None = None) -> Float[Tensor, "B Q outputs"]:
        """Logits from here to the end."""
        return self._model._through(self._stream, None, self.layer, at) @ self._model.W_U.mT

"""Real checkpoints in one form: every weight by its role and head, whatever layout it came in.

Decoders, which say what comes next, and encoders, which are only read.

Weights act on column vectors and go by the names of the toy transformer: W_E, W_U, positions, and of each layer
W_Q, W_K, W_V, W_O (by heads), W_in, W_gate, W_out, with their biases. Letters: `B` sequences, `T` positions, `V`
tokens, `d` width, `H` heads of dimension `h`, `G` heads of keys and values (shared by H/G heads each), `m`
hidden units.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from simonides.base import SimonidesError
from simonides.nn import rotate

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": torch.relu,
    "silu": functional.silu,
}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a decoder or an encoder is made of.

    Arguments:
        vocabulary: V.
        d: width.
        layers: number of blocks.
        heads: H.
        groups: G, heads of keys and values.
        h: head dimension.
        hidden: m.
        length: the most positions, where they are learned; else 0.
        longest: positions of the sequences it was made for; 0 where that is not known.
        norm: "layer" or "rms".
        epsilon: of the norms.
        rotated: dimensions of each head that are turned by position; 0 for none.
        base: of the rotation's rates, base^(-2 i/rotated).
        pairs: whether (2 i, 2 i + 1) are turned together, as in GPT-J, or (i, i + rotated/2).
        parallel: whether the feed-forward reads the stream before attention.
        shared_norm: whether both read through one norm.
        activation: a name in `ACTIVATIONS`.
        gated: whether hidden units are s(W_gate x) * (W_in x).
        encoder: whether all positions see each other, and norms come after attention and feed-forward, as in
            BERT; such a model predicts no next token.
    """

    vocabulary: int
    d: int
    layers: int
    heads: int
    groups: int
    h: int
    hidden: int
    length: int = 0
    longest: int = 0
    norm: str = "layer"
    epsilon: float = 1e-5
    rotated: int = 0
    base: float = 10_000.0
    pairs: bool = False
    parallel: bool = False
    shared_norm: bool = False
    activation: str = "gelu"
    gated: bool = False
    encoder: bool = False

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The weights of each layer; biases may be missing."""
        d, h = self.d, self.h
        found: dict[str, tuple[int, ...]] = {
            "W_Q": (self.heads, h, d),
            "W_K": (self.groups, h, d),
            "W_V": (self.groups, h, d),
            "W_O": (self.heads, d, h),
            "b_Q": (self.heads, h),
            "b_K": (self.groups, h),
            "b_V": (self.groups, h),
            "b_O": (d,),
            "W_in": (self.hidden, d),
            "b_in": (self.hidden,),
            "W_out": (d, self.hidden),
            "b_out": (d,),
            "attention_scale": (d,),
            "attention_shift": (d,),
            "feed_forward_scale": (d,),
            "feed_forward_shift": (d,),
        }
        if self.gated:
            found["W_gate"] = (self.hidden, d)
        return found


class PretrainedLayer(nn.Module):
    """One block; a missing bias is zero."""

    W_Q: nn.Parameter
    W_K: nn.Parameter
    W_V: nn.Parameter
    W_O: nn.Parameter
    W_in: nn.Parameter
    W_gate: nn.Parameter
    W_out: nn.Parameter
    b_Q: nn.Parameter | None  # noqa: N815
    b_K: nn.Parameter | None  # noqa: N815
    b_V: nn.Parameter | None  # noqa: N815
    b_O: nn.Parameter | None  # noqa: N815
    b_in: nn.Parameter | None
    b_out: nn.Parameter | None
    attention_scale: nn.Parameter
    attention_shift: nn.Parameter | None
    feed_forward_scale: nn.Parameter
    feed_forward_shift: nn.Parameter | None

    def __init__(self, architecture: Architecture, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.architecture = architecture
        for name in architecture.shapes():
            value = weights.get(name)
            self.register_parameter(name, None if value is None else nn.Parameter(value, requires_grad=False))

    def attention(
        self, stream: Float[Tensor, "B T d"], keep: list[Tensor] | None = None
    ) -> Float[Tensor, "B T d"]:
        """What the heads add; their weights, B x H x T x T, are put into `keep` if there is one."""
        a = self.architecture
        read = stream if a.encoder else _normed(stream, a, self.attention_scale, self.attention_shift)
        q, k, v = (
            _heads(read, weight, bias)
            for weight, bias in ((self.W_Q, self.b_Q), (self.W_K, self.b_K), (self.W_V, self.b_V))
        )
        if a.rotated:
            places = torch.arange(stream.shape[1], device=stream.device)
            q, k = (rotate(x, places, a.rotated, a.base, a.pairs) for x in (q, k))
        if a.groups != a.heads:
            k, v = (x.repeat_interleave(a.heads // a.groups, 1) for x in (k, v))
        if keep is None:
            found = functional.scaled_dot_product_attention(q, k, v, is_causal=not a.encoder)
        else:
            scores = q @ k.mT / a.h**0.5
            if not a.encoder:
                scores += torch.full(scores.shape[-2:], -torch.inf, device=scores.device).triu(1)
            weights = torch.softmax(scores, -1)
            keep.append(weights)
            found = weights @ v
        mixed = found.transpose(1, 2).flatten(2) @ self.W_O.transpose(1, 2).flatten(0, 1)
        return mixed if self.b_O is None else mixed + self.b_O

    def feed_forward(self, stream: Float[Tensor, "B T d"]) -> Float[Tensor, "B T d"]:
        """What the hidden units add."""
        a = self.architecture
        read = stream
        if not a.encoder:
            norm = "attention" if a.shared_norm else "feed_forward"
            read = _normed(stream, a, getattr(self, f"{norm}_scale"), getattr(self, f"{norm}_shift"))
        hidden = functional.linear(read, self.W_in, self.b_in)
        activation = ACTIVATIONS[a.activation]
        hidden = activation(read @ self.W_gate.mT) * hidden if a.gated else activation(hidden)
        return functional.linear(hidden, self.W_out, self.b_out)

    def forward(self, stream: Float[Tensor, "B T d"], keep: list[Tensor] | None = None) -> Float[Tensor, "B T d"]:
        """The stream after the block."""
        return self.completed(stream, stream + self.attention(stream, keep))

    def completed(
        self, stream: Float[Tensor, "B T d"], attended: Float[Tensor, "B T d"]
    ) -> Float[Tensor, "B T d"]:
        """The stream after the block, from the stream before it and with what attention adds."""
        a = self.architecture
        if a.encoder:
            attended = _normed(attended, a, self.attention_scale, self.attention_shift)
            after = attended + self.feed_forward(attended)
            return _normed(after, a, self.feed_forward_scale, self.feed_forward_shift)
        return attended + self.feed_forward(stream if a.parallel else attended)


class PretrainedModel(nn.Module):
    """A decoder or encoder with the weights of a checkpoint, for reading and editing.

    Its weights ask for no gradients; `requires_grad_(True)` has them trained.

    Arguments:
        architecture: its parts.
        weights: "W_E", "W_U" (left out where it is W_E), "b_U", "positions", "final_scale" and "final_shift"; of
            an encoder "token_types", "embedding_scale" and "embedding_shift" in place of the last two.
        layers: the weights of each layer, by the names of `Architecture.shapes`.

    Raises:
        SimonidesError: when a weight is missing or has another shape.
    """

    b_U: nn.Parameter | None  # noqa: N815
    positions: nn.Parameter | None
    final_scale: nn.Parameter
    final_shift: nn.Parameter | None
    token_types: nn.Parameter | None
    embedding_scale: nn.Parameter
    embedding_shift: nn.Parameter | None

    def __init__(
        self, architecture: Architecture, weights: dict[str, Tensor], layers: list[dict[str, Tensor]]
    ) -> None:
        super().__init__()
        a = architecture
        expected: dict[str, tuple[int, ...]] = {"W_E": (a.vocabulary, a.d), "W_U": (a.vocabulary, a.d)}
        expected["embedding_scale" if a.encoder else "final_scale"] = (a.d,)
        if a.length:
            expected["positions"] = (a.length, a.d)
        _check("the checkpoint", {"W_U": weights.get("W_E", torch.empty(0)), **weights}, expected)
        for number, own in enumerate(layers):
            needed = {n: s for n, s in a.shapes().items() if n in own or n in _NEEDED}
            if a.shared_norm:
                needed.pop("feed_forward_scale", None)
            _check(f"layer {number}", own, needed)
        self.architecture = a
        self.W_E = nn.Parameter(weights["W_E"], requires_grad=False)
        self.W_U = nn.Parameter(weights["W_U"], requires_grad=False) if "W_U" in weights else self.W_E
        for name in _OPTIONAL:
            value = weights.get(name)
            self.register_parameter(name, None if value is None else nn.Parameter(value, requires_grad=False))
        self.layers = nn.ModuleList(PretrainedLayer(a, own) for own in layers)

    def embedded(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T d"]:
        """The stream before the first layer.

        Raises:
            SimonidesError: when there are more positions than the model has, or tokens it does not know.
        """
        a = self.architecture
        if a.length and tokens.shape[1] > a.length:
            raise SimonidesError(f"{tokens.shape[1]} positions; this model has {a.length}.")
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < a.vocabulary:
            raise SimonidesError(
                f"tokens from {int(tokens.min())} to {int(tokens.max())}; it knows {a.vocabulary}."
            )
        # embedding's backward adds rows by token, indexing's does not
        stream = functional.embedding(tokens, self.W_E)
        if self.positions is not None:
            stream = stream + self.positions[: tokens.shape[1]]
        if a.encoder:
            if self.token_types is not None:
                stream = stream + self.token_types[0]
            stream = _normed(stream, a, self.embedding_scale, self.embedding_shift)
        return stream

    def through(
        self,
        stream: Float[Tensor, "B T d"],
        start: int = 0,
        stop: int | None = None,
        keep: list[Tensor] | None = None,
    ) -> Float[Tensor, "B T d"]:
        """The stream after layers start .. stop - 1: what lies below an edit is computed once."""
        for layer in self.layers[start:stop]:
            stream = layer(stream, keep)
        return stream

    def unembedded(self, stream: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows V"]:
        """Logits of a stream after the last layer.

        Raises:
            SimonidesError: when this is an encoder.
        """
        if self.architecture.encoder:
            raise SimonidesError("an encoder predicts no next token; read its weights and streams instead.")
        normed = _normed(stream, self.architecture, self.final_scale, self.final_shift)
        return functional.linear(normed, self.W_U, self.b_U)

    def forward(self, tokens: Int[Tensor, "B T"], keep: list[Tensor] | None = None) -> Float[Tensor, "B T V"]:
        """Logits of what comes next, after every position."""
        return self.unembedded(self.through(self.embedded(tokens), keep=keep))

    def tokens_read(self, layer: int, tokens: Int[Tensor, " S"]) -> Float[Tensor, "S d"]:
        """Tokens as the heads of a layer would read them if nothing had been added to their embeddings."""
        a, own = self.architecture, self.layers[layer]
        assert isinstance(own, PretrainedLayer)
        if a.encoder:
            return _normed(self.W_E[tokens], a, self.embedding_scale, self.embedding_shift)
        return _normed(self.W_E[tokens], a, own.attention_scale, own.attention_shift)

    def directions_said(self) -> Float[Tensor, "V d"]:
        """For each token the direction in the stream that raises its logit, up to the size of the last norm."""
        if self.architecture.encoder:
            return self.W_U.detach()
        scaled = self.W_U.detach() * self.final_scale
        return scaled - scaled.mean(1, keepdim=True) if self.architecture.norm == "layer" else scaled

    def W_KQ(  # noqa: N802 - the field's name
        self, layer: int, head: int = 0
    ) -> Float[Tensor, "d d"]:
        """Key by query, without biases and rotation."""
        own = self._layer(layer, head)
        return own.W_K[self.group(head)].mT @ own.W_Q[head]

    def W_OV(  # noqa: N802
        self, layer: int, head: int = 0
    ) -> Float[Tensor, "d d"]:
        """W_O W_V: what a head writes of what it attends to, behind the layer's norm."""
        own = self._layer(layer, head)
        return own.W_O[head] @ own.W_V[self.group(head)]

    def group(self, head: int) -> int:
        """Which of the G heads of keys and values serves a head."""
        return head * self.architecture.groups // self.architecture.heads

    def _layer(self, layer: int, head: int) -> PretrainedLayer:
        a = self.architecture
        if not 0 <= layer < a.layers or not 0 <= head < a.heads:
            raise SimonidesError(
                f"no head {head} in layer {layer}: there are {a.layers} layers of {a.heads}, from 0."
            )
        found = self.layers[layer]
        assert isinstance(found, PretrainedLayer)
        return found


_OPTIONAL = (
    "b_U",
    "positions",
    "final_scale",
    "final_shift",
    "token_types",
    "embedding_scale",
    "embedding_shift",
)
_NEEDED = {"W_Q", "W_K", "W_V", "W_O", "W_in", "W_gate", "W_out", "attention_scale", "feed_forward_scale"}


def _heads(stream: Tensor, weight: Tensor, bias: Tensor | None) -> Float[Tensor, "B heads T h"]:
    heads, h, d = weight.shape
    found = functional.linear(stream, weight.reshape(heads * h, d), None if bias is None else bias.flatten())
    return found.unflatten(-1, (heads, h)).transpose(1, 2)


def _normed(stream: Tensor, a: Architecture, scale: Tensor, shift: Tensor | None) -> Tensor:
    if a.norm == "rms":
        return functional.rms_norm(stream, (a.d,), scale, a.epsilon)
    return functional.layer_norm(stream, (a.d,), scale, shift, a.epsilon)


def _check(place: str, weights: dict[str, Tensor], expected: dict[str, tuple[int, ...]]) -> None:
    for name, shape in expected.items():
        if name not in weights:
            raise SimonidesError(f"{place} has no {name}; expected {', '.join(expected)}.")
        if tuple(weights[name].shape) != shape:
            raise SimonidesError(f"{place}: {name} is {tuple(weights[name].shape)}, expected {shape}.")

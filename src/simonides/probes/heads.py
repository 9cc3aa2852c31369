"""Every head of a checkpoint: what its W_OV copies, how its weights spread, and where it looks in repeated text.

Elhage et al. (2021) read W_U W_OV W_E and its eigenvalues; Olsson et al. (2022) score heads on random tokens read
twice; Bietti et al. (2023) ask what share of tokens a memory recalls. Letters: `V` tokens, `S` of them sampled,
`d` width, `H` heads of dimension `h`, `B` sequences of `T` positions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor
from torch.nn import functional

from simonides.base import SimonidesError, check_at_least
from simonides.checkpoints import PretrainedLayer, PretrainedModel

# tokens of the vocabulary whose scores are formed at once: they stay in the cache, 3 times faster than all at once
_BLOCK = 1024


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Where the heads of a layer look in sequences of random tokens read twice, a mean for each sequence.

    Arguments:
        previous: attention to the token before.
        duplicate: in the second reading, attention to the same token in the first.
        induction: in the second reading, attention to what followed the same token in the first.
    """

    previous: Float[Tensor, "H B"]
    duplicate: Float[Tensor, "H B"]
    induction: Float[Tensor, "H B"]


@dataclass(frozen=True, kw_only=True)
class HeadWeights:
    """What is read in the weights of a layer's heads.

    Arguments:
        copied: R(W_OV), the share of sampled tokens that a head raises most when it attends to them.
        eigenvalues: of W_U W_OV W_E, those that are not zero.
        output_values: singular values of W_OV.
        key_query_values: singular values of W_KQ.
    """

    copied: Float[Tensor, " H"]
    eigenvalues: Complex[Tensor, "H h"]
    output_values: Float[Tensor, "H h"]
    key_query_values: Float[Tensor, "H h"]

    @property
    def positive(self) -> Float[Tensor, " H"]:
        """sum(lambda)/sum(|lambda|): 1 for a head that only copies, -1 for one that only forbids."""
        total = self.eigenvalues.abs().sum(1)
        return self.eigenvalues.real.sum(1) / total.clamp_min(torch.finfo(total.dtype).tiny)


def repeated_tokens(vocabulary: int, length: int, count: int, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """Sequences of different random tokens read twice: T = 2 length.

    Raises:
        SimonidesError: when the vocabulary has fewer tokens than that.
    """
    check_at_least("length", length, 2)
    check_at_least("count", count, 1)
    if vocabulary < length:
        raise SimonidesError(f"{length} different tokens, but the vocabulary has {vocabulary}; read shorter ones.")
    once = torch.stack([torch.randperm(vocabulary, generator=generator)[:length] for _ in range(count)])
    return once.repeat(1, 2)


def looks(attention: Float[Tensor, "B H T T"]) -> Looks:
    """The scores of attention maps, from `repeated_tokens`; rows of a map are the positions that look."""
    length = attention.shape[-1] // 2
    before, same, after = (attention.diagonal(-gap, -2, -1) for gap in (1, length, length - 1))
    # the first of `after` looks from the end of the first reading
    found = [part.mean(-1).mT for part in (before, same, after[..., 1:])]
    return Looks(previous=found[0], duplicate=found[1], induction=found[2])


def copied_share(
    value: Float[Tensor, "h d"],
    output: Float[Tensor, "d h"],
    read: Float[Tensor, "S d"],
    said: Float[Tensor, "V d"],
    tokens: Int[Tensor, " S"],
) -> float:
    """The share of tokens that are the largest of their column of W_U W_O W_V W_E.

    Arguments:
        value, output: of a head.
        read: the tokens as the head reads them.
        said: the direction of each token's logit.
        tokens: which they are.
    """
    moved = read @ value.mT
    into = said @ output
    best, own = read.new_full((len(tokens),), -torch.inf), read.new_zeros(len(tokens))
    for first in range(0, len(said), _BLOCK):
        scores = moved @ into[first : first + _BLOCK].mT
        best = torch.maximum(best, scores.amax(1))
        inside = ((tokens >= first) & (tokens < first + _BLOCK)).nonzero()[:, 0]
        own[inside] = scores[inside, tokens[inside] - first]
    alive = moved.norm(dim=1) > 0  # a head that writes nothing raises all alike
    return float(((own == best) & alive).float().mean()) if bool(into.any()) else 0.0


def head_weights(model: PretrainedModel, tokens: Int[Tensor, " S"] | None = None) -> Iterator[HeadWeights]:
    """What each layer's heads copy, and their spectra, layer by layer.

    A token is read as the layer's norm passes its embedding, and said through the last norm's scale: what the
    layers between add is left out.

    Arguments:
        model: a decoder or encoder.
        tokens: those that are asked for; all where none are given.
    """
    a = model.architecture
    asked = torch.arange(a.vocabulary) if tokens is None else tokens
    said = model.directions_said()
    bare, moment, total = _moments(model, said)
    for number, layer in enumerate(model.layers):
        assert isinstance(layer, PretrainedLayer)
        inner = moment if bare else moment * layer.attention_scale[:, None]
        if not bare and layer.attention_shift is not None:
            inner = inner + torch.outer(layer.attention_shift, total)
        read = model.tokens_read(number, asked)
        groups = [model.group(head) for head in range(a.heads)]
        values, keys = layer.W_V[groups], layer.W_K[groups]
        yield HeadWeights(
            copied=torch.tensor(
                [copied_share(values[n], layer.W_O[n], read, said, asked) for n in range(a.heads)]
            ),
            eigenvalues=torch.linalg.eigvals((values @ inner @ layer.W_O).double()),
            output_values=product_values(layer.W_O, values),
            key_query_values=product_values(keys.mT, layer.W_Q),
        )


def product_values(
    left: Float[Tensor, "*heads m h"], right: Float[Tensor, "*heads h n"]
) -> Float[Tensor, "*heads h"]:
    """Singular values of left @ right, without forming it.

    >>> product_values(torch.eye(4)[:, :2], 3 * torch.eye(4)[:2])
    tensor([3., 3.])
    """
    _, first = torch.linalg.qr(left.float(), mode="r")
    _, second = torch.linalg.qr(right.float().mT, mode="r")
    return torch.linalg.svdvals(first @ second.mT)


def _moments(model: PretrainedModel, said: Tensor) -> tuple[bool, Tensor, Tensor]:
    """Whether all layers read alike; sum over tokens of read (before a layer's scale) by said; sum of said."""
    a = model.architecture
    if a.encoder:
        read = model.tokens_read(0, torch.arange(a.vocabulary))
    elif a.norm == "rms":
        read = functional.rms_norm(model.W_E, (a.d,), eps=a.epsilon)
    else:
        read = functional.layer_norm(model.W_E, (a.d,), eps=a.epsilon)
    return a.encoder, read.mT @ said, said.sum(0)


def attention_looks(model: PretrainedModel, sequences: Int[Tensor, "B T"]) -> Iterator[tuple[Looks, Tensor]]:
    """Where each layer's heads look in repeated sequences; with it the stream after the layer."""
    stream = model.embedded(sequences)
    for number in range(model.architecture.layers):
        kept: list[Tensor] = []
        stream = model.through(stream, number, number + 1, keep=kept)
        yield looks(kept[0]), stream

"""Every head of a model: what its W_OV copies, how its weights spread, and where it looks in repeated text.

Elhage et al. (2021) read W_U W_OV W_E and its eigenvalues; Olsson et al. (2022) score heads on random tokens read
twice; Bietti et al. (2023) ask what share of tokens a memory recalls. Letters: `V` tokens, `S` of them sampled,
`d` width, `H` heads of dimension `h`, `B` sequences of `T` positions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.nn import Norm, Roles, device_of, key_value_head

# tokens of the vocabulary whose scores are formed at once: they stay in the cache, 3 times faster than all at once
_BLOCK = 1024


@dataclass(frozen=True, kw_only=True)
class AttentionScores:
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


def attention_scores(weights: Float[Tensor, "B H T T"]) -> AttentionScores:
    """The scores of attention weights on `repeated_tokens`; rows of a map are the positions that look."""
    length = weights.shape[-1] // 2
    before, same, after = (weights.float().diagonal(-gap, -2, -1) for gap in (1, length, length - 1))
    # the first of `after` looks from the end of the first reading
    means = [part.mean(-1).mT for part in (before, same, after[..., 1:])]
    return AttentionScores(previous=means[0], duplicate=means[1], induction=means[2])


def repeated_reading(
    model: Roles,
    sequences: Int[Tensor, "B T"],
    tick: Callable[[AttentionScores], None] | None = None,
    beginning: Int[Tensor, " b"] | None = None,
) -> tuple[list[AttentionScores], float | None]:
    """Where each layer's heads look in repeated sequences, and what the model makes of the second reading.

    Attention weights are scored layer by layer and not kept.

    Arguments:
        model: a decoder or encoder.
        sequences: as of `repeated_tokens`.
        tick: told of each layer's scores as they come.
        beginning: tokens before each sequence, as a tokenizer puts them; they are no part of the scores.

    Returns:
        The scores by layer, and the share of the second reading's tokens, but its first, that are predicted; None
        of an encoder.
    """
    scores: list[AttentionScores] = []
    first = sequences.new_zeros(0) if beginning is None else beginning.to(sequences)
    skip = len(first)

    def score(weights: Tensor) -> Tensor:
        scores.append(attention_scores(weights[..., skip:, skip:]))
        if tick is not None:
            tick(scores[-1])
        return weights

    half = sequences.shape[1] // 2
    sequences = sequences.to(device_of(model))
    second = torch.arange(skip + half, skip + sequences.shape[1] - 1, device=sequences.device)
    second = second.expand(len(sequences), -1)
    interventions = {"layers.*.attention.weights": score}
    begun = torch.cat([first.to(sequences).expand(len(sequences), -1), sequences], 1)
    logits = model.run(begun, second, interventions=interventions)
    if not model.sizes.decoder:
        return scores, None
    return scores, float((logits.argmax(-1) == sequences[:, half + 1 :]).float().mean())


def copied_share(
    value: Float[Tensor, "h d"],
    output: Float[Tensor, "d h"],
    read: Float[Tensor, "S d"],
    logit_directions: Float[Tensor, "V d"],
    tokens: Int[Tensor, " S"],
) -> float:
    """The share of tokens that are the largest of their column of W_U W_O W_V W_E.

    Arguments:
        value, output: of a head.
        read: the tokens as the head reads them.
        logit_directions: the direction of each token's logit.
        tokens: which they are.
    """
    moved = read @ value.mT
    into = logit_directions @ output
    best, own_score = read.new_full((len(tokens),), -torch.inf), read.new_zeros(len(tokens))
    for first in range(0, len(logit_directions), _BLOCK):
        scores = moved @ into[first : first + _BLOCK].mT
        best = torch.maximum(best, scores.amax(1))
        inside = ((tokens >= first) & (tokens < first + _BLOCK)).nonzero()[:, 0]
        own_score[inside] = scores[inside, tokens[inside] - first]
    alive = moved.norm(dim=1) > 0  # a head that writes nothing raises all alike
    return float(((own_score == best) & alive).float().mean()) if bool(into.any()) else 0.0


def head_weights(model: Roles, tokens: Int[Tensor, " S"] | None = None) -> Iterator[HeadWeights]:
    """What each layer's heads copy, and their spectra, layer by layer.

    A token is read as the layer's norm passes its embedding, and what is written is followed through the gain of
    the norm behind attention, where there is one, to the last norm's: what the layers between add is left out, and
    so are norms of queries and keys.

    Arguments:
        model: a decoder or encoder whose outputs are the tokens it reads.
        tokens: those that are asked for; all where none are given.

    Raises:
        SimonidesError: when the model has other outputs than tokens.
    """
    sizes = model.sizes
    if sizes.outputs != sizes.vocabulary:
        raise SimonidesError(
            f"{sizes.outputs} outputs for {sizes.vocabulary} tokens: what a head copies is asked of models whose "
            "outputs are the tokens they read."
        )
    every = torch.arange(sizes.vocabulary, device=device_of(model))
    asked = every if tokens is None else tokens.to(every.device)
    embedded = model.embedded(every).float()
    logit_directions = model.logit_directions().float()
    moments = _Moments(embedded, logit_directions)
    for layer in range(sizes.layers):
        norm, behind = model.attention_norm(layer), model.attention_output_norm(layer)
        groups = [key_value_head(model, head) for head in range(sizes.heads)]
        values, keys = (model.weight(role, layer)[groups].float() for role in ("W_V", "W_K"))
        output = model.weight("W_O", layer).float()
        written = output if behind is None else behind.gain[:, None] * output
        read = embedded[asked] if norm is None else norm(embedded[asked])
        copied = [copied_share(values[n], written[n], read, logit_directions, asked) for n in range(sizes.heads)]
        merged = "W_Q" not in model.roles(layer)
        queries = torch.eye(sizes.d, device=every.device)[None] if merged else model.weight("W_Q", layer).float()
        yield HeadWeights(
            copied=torch.tensor(copied),
            eigenvalues=torch.linalg.eigvals((values @ moments.of(norm) @ written).double()),
            output_values=product_values(output, values),
            key_query_values=product_values(keys.mT, queries),
        )


class _Moments:
    """sum over tokens of (embedding as a norm passes it) by (logit direction): one product for all layers."""

    def __init__(self, embedded: Float[Tensor, "V d"], logit_directions: Float[Tensor, "V d"]) -> None:
        self._embedded, self._logit_directions = embedded, logit_directions
        self._known: dict[tuple[bool, float] | None, Tensor] = {}

    def of(self, norm: Norm | None) -> Float[Tensor, "d d"]:
        """Norms of one kind differ by gain and bias alone."""
        kind = None if norm is None else (norm.centred, norm.epsilon)
        if kind not in self._known:
            bare = self._embedded if norm is None else norm.bare(self._embedded)
            self._known[kind] = bare.mT @ self._logit_directions
        if norm is None:
            return self._known[kind]
        moment = self._known[kind] * norm.gain.float()[:, None]
        if norm.bias is None:
            return moment
        return moment + torch.outer(norm.bias.float(), self._logit_directions.sum(0))


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

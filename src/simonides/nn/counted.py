"""A one-layer transformer without positions, evaluated from how often each token occurs: no axis of positions.

Where no position is marked, what the last one reads depends on the prompt only through its counts c_z. With scores
l_z of token z for the last token, a softmax head averages to (sum_z c_z e^{l_z} V x_z)/(sum_z c_z e^{l_z}), and a
linear one sums c_z l_z V x_z: two products with the counts, however long the prompt. Letters: `B` prompts, `V`
tokens.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError
from simonides.nn.transformer import Transformer

# beyond this e^l leaves the range of float32, and weights are taken prompt by prompt
_RANGE = 80.0


Averages = Callable[[Tensor, Tensor, Tensor], Tensor]


class CountedTransformer(nn.Module):
    """A transformer as a function of counts, for training: prompts that all end with the same token.

    Arguments:
        model: one layer, positions="none".
        last: the last token of every prompt.

    Raises:
        SimonidesError: when the model has more layers, or positions.

    Scores may differ by 80 at most between tokens: one that lies further below the best counts as 80 below.
    `counted_logits` knows no such limit.
    """

    def __init__(self, model: Transformer, last: int) -> None:
        super().__init__()
        _check(model)
        self.model, self.last = model, last

    def forward(self, counts: Float[Tensor, "B V"]) -> Float[Tensor, "B outputs"]:
        """Logits after the last position."""
        return _logits(self.model, counts, self.last, _weighed)


def counted_logits(
    model: Transformer, counts: Float[Tensor, "B V"], last: Int[Tensor, " B"]
) -> Float[Tensor, "B outputs"]:
    """Logits after the last position, exact up to rounding for any scores.

    Arguments:
        model: one layer, positions="none".
        counts: c_z of each prompt, the last token included; may be fractions.
        last: each prompt's last token.

    Raises:
        SimonidesError: when the model has more layers, or positions.
    """
    _check(model)
    logits = counts.new_empty(len(counts), len(model.W_U))
    for token in last.unique().tolist():
        rows = (last == token).nonzero()[:, 0]
        logits = logits.index_copy(0, rows, _logits(model, counts[rows], token, _weighed_exactly))
    return logits


def _check(model: Transformer) -> None:
    config = model.config
    if config.layers != 1 or config.positions != "none" or config.norm == "post":
        raise SimonidesError(
            f"{config.layers} layers with positions={config.positions!r} and norm={config.norm!r}; counts are all "
            "that matters only in one layer with positions='none', and norm 'none' or 'pre'."
        )


def _logits(model: Transformer, counts: Tensor, last: int, weighed: Averages) -> Tensor:
    layer, config = model.blocks[0], model.config
    attention = layer.attention
    last_embedding = model.W_E[last]
    rows, read = model.W_E, last_embedding
    if config.norm == "pre":
        rows, read = layer.attention_norm(rows), layer.attention_norm(last_embedding)
    asked = read.expand(1, -1) if config.merged_queries else attention.W_Q @ read
    scores = torch.einsum("vd,hkd,hk->hv", rows, attention.W_K, asked)
    if config.divide_scores:
        scores = scores / config.h**0.5
    values = torch.einsum("vd,hkd->hvk", rows, attention.W_V)
    outward = attention.W_O.mT.flatten(0, 1)
    if config.attention == "linear":  # what each token adds does not depend on the prompt
        moved = counts @ ((scores[..., None] * values).transpose(0, 1).flatten(1) @ outward)
    else:
        moved = weighed(counts, scores, values).flatten(1) @ outward
    before = last_embedding.expand(len(counts), -1)
    stream = layer.fed_forward(before + moved if config.residual else moved, before)
    if config.norm == "pre":
        stream = model.final_norm(stream)
    return stream @ model.W_U.mT


def _weighed(counts: Tensor, scores: Tensor, values: Tensor) -> Tensor:
    """Averages of values, B x H x k, by two products with the counts."""
    heads, _, width = values.shape
    best = scores.amax(-1, keepdim=True).detach()
    weights = (scores - best).clamp_min(-_RANGE).exp()
    sums = counts @ (weights[..., None] * values).transpose(0, 1).flatten(1)
    return sums.unflatten(-1, (heads, width)) / (counts @ weights.mT)[..., None]


def _weighed_exactly(counts: Tensor, scores: Tensor, values: Tensor) -> Tensor:
    if float((scores.amax(-1) - scores.amin(-1)).detach().max()) < _RANGE:
        return _weighed(counts, scores, values)
    weights = torch.softmax(scores + counts.log()[:, None], -1)
    return torch.einsum("bhv,hvk->bhk", weights, values)

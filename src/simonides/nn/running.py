"""One layer without positions at every place of a sequence, from running counts of the tokens.

Scores depend on the two tokens alone, so a query x at place t sees token b with weight
N_b(t) e^{l_xb}/sum_c N_c(t) e^{l_xc}, where N_b(t) counts b up to t (causal) or in the whole sequence. What attention
brings is a mixture of few rows, and so is the stream: with u its K coefficients, norm and first product of the
feed-forward are products of u with tables of K rows. T K d operations in place of T^2 d. Letters: `B` sequences, `T`
positions, `V` tokens, `H` heads, `d` width, `K` = V (1 + H).
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.nn.block import Block
from simonides.nn.feed_forward import ACTIVATIONS

# rows whose hidden units stay in the cache
_ROWS = 1024


def counts_are_enough(block: Block, vocabulary: int, length: int) -> bool:
    """Whether a layer that reads embeddings without positions is cheaper from counts, and the same from them."""
    config = block.config
    same = config.positions == "none" and config.attention == "softmax" and config.norm != "post"
    if not same or (1 + config.heads) * vocabulary > min(length, config.d):
        return False
    # a hook waits to be called, and autocast to choose types
    hooked = any(
        part._forward_hooks or part._forward_pre_hooks or part._backward_hooks for part in block.modules()
    )
    device = next(block.parameters()).device.type
    cast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return not hooked and not cast


def running_stream(
    block: Block, embeddings: Float[Tensor, "V d"], own: Float[Tensor, "B T V"]
) -> Float[Tensor, "B T d"]:
    """The stream after the layer, as `block` makes it of the embeddings of tokens.

    Arguments:
        block: the layer, of which `counts_are_enough` is true.
        embeddings: of each token.
        own: one at the token of each place, else zero.
    """
    config, attention = block.config, block.attention
    counts = own.cumsum(1) if config.causal else own.sum(1, keepdim=True)
    rows = block.attention_norm(embeddings) if config.norm == "pre" else embeddings
    asked = rows.expand(1, -1, -1) if config.merged_queries else rows @ attention.W_Q.mT
    scores = asked @ (rows @ attention.W_K.mT).mT
    if config.divide_scores:
        scores = scores / config.h**0.5
    # a token that has not come yet has the logarithm of zero, and no weight; the query itself has always come
    weights = torch.softmax((own @ scores.unsqueeze(1)) + counts.log(), -1)
    brought = rows @ (attention.W_O @ attention.W_V).mT
    coefficients = torch.cat([own, *weights.unbind(0)], -1)
    kept = embeddings if config.residual else torch.zeros_like(embeddings)
    table = torch.cat([kept, *brought.unbind(0)])
    return _fed_forward(block, own, embeddings, coefficients, table)


def _fed_forward(
    block: Block,
    own: Tensor,
    embeddings: Tensor,
    coefficients: Float[Tensor, "B T K"],
    table: Float[Tensor, "K d"],
) -> Float[Tensor, "B T d"]:
    """The stream coefficients @ table, after the feed-forward."""
    config, feed_forward = block.config, block.feed_forward
    if feed_forward is None or feed_forward.kind != "mlp" or config.parallel:
        return block.fed_forward(coefficients @ table, own @ embeddings)
    read, scaled = table, coefficients
    if config.norm == "pre":
        norm = block.feed_forward_norm
        if config.norm_kind == "layer":
            read = read - read.mean(-1, keepdim=True)
        epsilon, gain = norm.eps, norm.weight  # a plain tensor in a stack of models
        assert isinstance(epsilon, float) and isinstance(gain, Tensor)
        squares = ((coefficients @ (read @ read.mT)) * coefficients).sum(-1, keepdim=True) / config.d
        scaled = coefficients * (squares + epsilon).rsqrt()
        read = read * gain
    into = read @ feed_forward.W_in.mT
    if feed_forward.b_in is not None:
        scaled = torch.cat([scaled, torch.ones_like(scaled[..., :1])], -1)
        into = torch.cat([into, feed_forward.b_in[None]])
    rows = _ByChunks.apply(  # type: ignore[no-untyped-call]
        coefficients.flatten(0, 1),
        table,
        scaled.flatten(0, 1),
        into,
        feed_forward.W_out.mT,
        feed_forward.activation,
    )
    return rows.unflatten(0, scaled.shape[:-1])


class _ByChunks(torch.autograd.Function):
    """c @ table + s(x @ into) @ out by a few rows at a time, so that hidden units stay in the cache.

    They are made again for gradients.
    """

    @staticmethod
    def forward(c: Tensor, table: Tensor, x: Tensor, into: Tensor, out: Tensor, activation: str) -> Tensor:
        act = ACTIVATIONS[activation]
        result = c.new_empty(*c.shape[:-1], table.shape[-1])
        for cs, each_table, xs, a, b, ys in _runs(c, table, x, into, out, result):
            for coefficients, rows, written in _chunks(cs, xs, ys):
                torch.mm(coefficients, each_table, out=written).addmm_(act(rows @ a), b)
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:-1])
        ctx.save_for_forward(*inputs[:-1])
        ctx.activation = inputs[-1]

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        c, table, x, into, out = ctx.saved_tensors
        of_c, of_table, of_x, of_into, of_out = (
            torch.zeros_like(one) if tangent is None else tangent
            for one, tangent in zip(ctx.saved_tensors, tangents[:-1], strict=True)
        )
        along = of_x @ into + x @ of_into
        hidden, moved = torch.func.jvp(ACTIVATIONS[ctx.activation], (x @ into,), (along,))[:2]
        return of_c @ table + c @ of_table + moved @ out + hidden @ of_out

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        c, table, x, into, out = ctx.saved_tensors
        act = ACTIVATIONS[ctx.activation]
        if torch.is_grad_enabled():  # gradients of gradients are asked for, or a transform of torch.func
            hidden, back = torch.func.vjp(act, x @ into)[:2]
            (inward,) = back(upstream @ out.mT)
            changes = (inward @ into.mT, x.mT @ inward, hidden.mT @ upstream)
            return upstream @ table.mT, c.mT @ upstream, *changes, None
        of_x, of_into, of_out = torch.empty_like(x), torch.zeros_like(into), torch.zeros_like(out)
        for xs, a, b, g, of_xs, of_a, of_b in _runs(x, into, out, upstream, of_x, of_into, of_out):
            for rows, above, written in _chunks(xs, g, of_xs):
                with torch.enable_grad():
                    before = (rows @ a).requires_grad_()
                    hidden = act(before)
                inward = torch.autograd.grad(hidden, before, above @ b.mT)[0]
                torch.mm(inward, a.mT, out=written)
                of_a.addmm_(rows.mT, inward)
                of_b.addmm_(hidden.detach().mT, above)
        return upstream @ table.mT, c.mT @ upstream, of_x, of_into, of_out, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
        stacked = [
            one.movedim(at, 0) if at is not None else one.expand(info.batch_size, *one.shape)
            for one, at in zip(inputs[:-1], in_dims[:-1], strict=True)
        ]
        return _ByChunks.apply(*stacked, inputs[-1]), 0  # type: ignore[no-untyped-call]


def _runs(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Matrices of each run, of tensors that may have runs in front."""
    return zip(*(one.flatten(0, -3) if one.dim() > 2 else one[None] for one in tensors), strict=True)


def _chunks(*rows: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(one.split(_ROWS) for one in rows), strict=True)

"""The block of the space-time transformer: attention over time, attention along each axis of space, feed-forward.

McCabe et al. (2024, section 3 and figure 2), after the axial attention of Ho et al. (2019); queries and keys are
normalised (Dehghani et al. 2023), distances enter by T5's buckets (Raffel et al. 2020).
"""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional

from simonides.nn import RelativeBuckets, mapped
from simonides.papers.physics.patches import SpatialNorm, SpatialScale, uniform

WRAPS = ("shift", "official")
_BUCKETS, _LONGEST = 32, 32


def distances(count: int, periodic: bool, wrap: str, device: torch.device) -> Int[Tensor, "count count"]:
    """Query place minus key place along an axis of tokens.

    On a periodic axis the way round is taken where it is shorter. With `wrap` "shift" every query sees the same
    distances, so the model is equivariant under shifts by whole tokens; "official" is the released code's, which takes
    half a turn two ways, and is wrong for an odd number of tokens.

    >>> distances(4, True, "shift", torch.device("cpu"))[0]
    tensor([ 0, -1,  2,  1])
    """
    places = torch.arange(count, device=device)
    along = places - places[:, None]  # key minus query
    if periodic and wrap == "shift":
        along = (along + count // 2) % count - count // 2
    elif periodic and count > 1:
        half = count // 2
        along = torch.where(along < -half, along % half, torch.where(along > half, along % -half, along))
    return -along


class Heads(nn.Module):
    """What attention over any axis shares: projections, norms of queries and keys, and the bias by distance.

    Arguments:
        d: width.
        heads: H.
        generator: draws the weights.
    """

    def __init__(self, d: int, heads: int, generator: Generator) -> None:
        super().__init__()
        self.heads = heads
        self.W_in = nn.Parameter(uniform((3 * d, d), d, generator))
        self.b_in = nn.Parameter(uniform((3 * d,), d, generator))
        self.W_out = nn.Parameter(uniform((d, d), d, generator))
        self.b_out = nn.Parameter(uniform((d,), d, generator))
        self.query_norm, self.key_norm = nn.LayerNorm(d // heads), nn.LayerNorm(d // heads)
        self.relative = RelativeBuckets(heads, _BUCKETS, _LONGEST, causal=False)
        self.relative.table.data = torch.randn(_BUCKETS, heads, generator=generator)

    def parts(self, read: Float[Tensor, "*rows d"]) -> tuple[Float[Tensor, "*rows H h"], ...]:
        """Queries, keys and values of every row, heads apart."""
        mixed = (mapped(read, self.W_in) + self.b_in).unflatten(-1, (self.heads, 3, -1))
        queries, keys, values = mixed.unbind(-2)
        return self.query_norm(queries), self.key_norm(keys), values

    def bias(self, distance: Int[Tensor, "Q T"]) -> Float[Tensor, "H Q T"]:
        """What is added to the scores."""
        bias: Tensor = self.relative(distance)
        return bias

    def written(self, taken: Float[Tensor, "*rows d"]) -> Float[Tensor, "*rows d"]:
        """What goes back to the stream."""
        return mapped(taken, self.W_out) + self.b_out


def attend(
    queries: Float[Tensor, "*batch H Q h"],
    keys: Float[Tensor, "*batch H T h"],
    values: Float[Tensor, "*batch H T h"],
    bias: Float[Tensor, "H Q T"],
) -> Float[Tensor, "*batch H Q h"]:
    """softmax(q k^T/sqrt(h) + bias) v."""
    # broadcasting first makes one batched product of every group
    scores = torch.baddbmm(
        bias.expand(*queries.shape[:-3], *bias.shape).flatten(0, -3),
        queries.flatten(0, -3),
        keys.flatten(0, -3).mT,
        alpha=queries.shape[-1] ** -0.5,
    )
    return torch.bmm(torch.softmax(scores, -1), values.flatten(0, -3)).reshape(queries.shape)


def dropped(
    path: Float[Tensor, "batch ..."], share: float, generator: Generator | None
) -> Float[Tensor, "batch ..."]:
    """A residual path, left out for a share of the samples and made up for in the others (Huang et al. 2016)."""
    if not share or generator is None:
        return path
    kept = (torch.rand(len(path), generator=generator) >= share).to(path) / (1 - share)
    return path * kept.reshape(-1, *[1] * (path.dim() - 1))


class TimeAttention(nn.Module):
    """Attention of each token over the frames, both ways.

    Arguments:
        d, heads: width and H.
        layer_scale: gains of the path at first (Touvron et al. 2021).
        generator: draws the weights.
    """

    def __init__(self, d: int, heads: int, layer_scale: float, generator: Generator) -> None:
        super().__init__()
        self.read_norm, self.write_norm = SpatialNorm(d), SpatialNorm(d)
        self.attention = Heads(d, heads, generator)
        self.gain = nn.Parameter(layer_scale * torch.ones(d))

    def forward(
        self, stream: Float[Tensor, "batch time *tokens d"], last: bool = False
    ) -> Float[Tensor, "batch asked *tokens d"]:
        """What is added to the stream; with `last` to its last frame alone."""
        space = stream.shape[2:-1]
        queries, keys, values = self.attention.parts(self.read_norm(stream).flatten(2, -2))
        frames = stream.shape[1]
        bias = self.attention.bias(distances(frames, False, "shift", stream.device))
        if last:
            queries, bias = queries[:, -1:], bias[:, -1:]
        # batch x time x tokens x H x h -> batch x tokens x H x time x h
        q, k, v = (part.permute(0, 2, 3, 1, 4) for part in (queries, keys, values))
        taken = attend(q, k, v, bias).permute(0, 3, 1, 2, 4).flatten(3).unflatten(2, space)
        return self.gain * self.attention.written(self.write_norm(taken))


class AxialAttention(nn.Module):
    """Attention along each axis of space with the same queries, keys and values, averaged over the axes.

    Arguments:
        d, heads, layer_scale, generator: as of `TimeAttention`.
    """

    def __init__(self, d: int, heads: int, layer_scale: float, generator: Generator) -> None:
        super().__init__()
        self.read_norm, self.write_norm = SpatialScale(d), SpatialScale(d)
        self.attention = Heads(d, heads, generator)
        self.gain = nn.Parameter(layer_scale * torch.ones(d))

    def forward(
        self, stream: Float[Tensor, "batch time *tokens d"], periodic: tuple[bool, ...], wrap: str
    ) -> Float[Tensor, "batch time *tokens d"]:
        """What is added to the stream.

        Arguments:
            stream: the tokens.
            periodic: which axes close upon themselves.
            wrap: a name in `WRAPS`.
        """
        parts = self.attention.parts(self.read_norm(stream))
        taken: Tensor | float = 0.0
        for axis, closed in enumerate(periodic):
            # the axis next to the head's dimension, the other ones among the batch
            place = 2 + axis
            q, k, v = (part.movedim(place, -2) for part in parts)
            bias = self.attention.bias(distances(stream.shape[place], closed, wrap, stream.device))
            taken = taken + attend(q, k, v, bias).movedim(-2, place)
        mean = torch.as_tensor(taken).flatten(-2) / len(periodic)
        return self.gain * self.attention.written(self.write_norm(mean))


class Block(nn.Module):
    """Attention over time, attention over space, feed-forward whose output is normalised; each a residual path.

    Arguments:
        d, heads, layer_scale, generator: as of `TimeAttention`.
        drop_path: share of the samples that skip a path in training.
    """

    def __init__(self, d: int, heads: int, layer_scale: float, drop_path: float, generator: Generator) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.time = TimeAttention(d, heads, layer_scale, generator)
        self.space = AxialAttention(d, heads, layer_scale, generator)
        self.W_in = nn.Parameter(uniform((4 * d, d), d, generator))
        self.b_in = nn.Parameter(uniform((4 * d,), d, generator))
        self.W_out = nn.Parameter(uniform((d, 4 * d), 4 * d, generator))
        self.b_out = nn.Parameter(uniform((d,), 4 * d, generator))
        self.norm = SpatialScale(d)
        self.gain = nn.Parameter(layer_scale * torch.ones(d))

    def forward(
        self,
        stream: Float[Tensor, "batch time *tokens d"],
        periodic: tuple[bool, ...],
        wrap: str = "shift",
        last: bool = False,
        generator: Generator | None = None,
    ) -> Float[Tensor, "batch asked *tokens d"]:
        """The stream behind the block.

        Arguments:
            stream: the tokens.
            periodic, wrap: as of `AxialAttention`.
            last: whether only the last frame goes on, as nothing behind the block reads the others.
            generator: draws who skips a path; None for nobody.
        """
        kept = stream[:, -1:] if last else stream
        kept = kept + dropped(self.time(stream, last), self.drop_path, generator)
        kept = kept + dropped(self.space(kept, periodic, wrap), self.drop_path, generator)
        hidden = functional.gelu(mapped(kept, self.W_in) + self.b_in)
        path = self.gain * self.norm(mapped(hidden, self.W_out) + self.b_out)
        return kept + dropped(path, self.drop_path, generator)

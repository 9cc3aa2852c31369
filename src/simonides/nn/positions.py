"""How a transformer knows where a token stands: added to embeddings, turned into queries, or a bias of scores."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError

# what each does: added to the embeddings, turns queries and keys, or is added to the scores
ADDED, TURNED, BIASES = ("learned", "sinusoidal"), ("rotary",), ("alibi", "t5")
POSITIONS = ("none", *ADDED, *TURNED, *BIASES)


def sinusoids(length: int, d: int) -> Float[Tensor, "T d"]:
    """sin and cos of t/10000^(2i/d), side by side (Vaswani et al. 2017), of entries of mean square one half."""
    rates = 10_000.0 ** (-torch.arange(0, d, 2) / d)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :d]


def rotate(
    vectors: Float[Tensor, "... T h"],
    places: Int[Tensor, "... T"],
    rotated: int | None = None,
    base: float = 10_000.0,
) -> Float[Tensor, "... T h"]:
    """Turn dimensions (i, i + rotated/2) of each vector by t base^(-2 i/rotated) (Su et al. 2021).

    Arguments:
        vectors: of each place.
        places: t.
        rotated: how many of the h dimensions, the first; by default all.
        base: of the rates.
    """
    size = vectors.shape[-1] if rotated is None else rotated
    part, rest = vectors[..., :size], vectors[..., size:]
    # angles grow with the place: short formats would lose them
    exact = torch.promote_types(vectors.dtype, torch.float32)
    rates = base ** (-torch.arange(0, size, 2, device=vectors.device, dtype=exact) / size)
    angles = places.unsqueeze(-1) * rates
    sine, cosine = angles.sin().to(vectors.dtype), angles.cos().to(vectors.dtype)
    first, second = part.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine, rest], -1)


def alibi_slopes(heads: int) -> tuple[float, ...]:
    """2^(-8 i/H) for i = 1 .. H: how fast each head forgets (Press, Smith & Lewis 2022).

    Where H is no power of two, those of the largest power below it, and then every other one of twice that power, as
    in the authors' code.

    >>> alibi_slopes(2), alibi_slopes(3)
    ((0.0625, 0.00390625), (0.0625, 0.00390625, 0.25))
    """
    whole = 2 ** (heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * i / whole) for i in range(1, whole + 1)]
    between = [2.0 ** (-4.0 * i / whole) for i in range(1, 2 * whole, 2)]
    return (*slopes, *between[: heads - whole])


class Alibi(nn.Module):
    """Scores fall with the distance, by a slope for each head (Press, Smith & Lewis 2022).

    Arguments:
        slopes: one for each head; the paper's are `alibi_slopes`.
    """

    slopes: Tensor

    def __init__(self, slopes: tuple[float, ...]) -> None:
        super().__init__()
        if not slopes or not all(math.isfinite(slope) for slope in slopes):
            raise SimonidesError(f"ALiBi slopes {slopes}: give one finite number for each head.")
        self.register_buffer("slopes", torch.tensor(slopes), persistent=False)

    def forward(self, distance: Int[Tensor, "*B Q T"]) -> Float[Tensor, "*B H Q T"]:
        """The bias of scores, from query position minus key position."""
        return -self.slopes[:, None, None] * distance.abs().unsqueeze(-3)


class RelativeBuckets(nn.Module):
    """Scores shifted by a learned number for each head and bucket of distances (Raffel et al. 2020, T5).

    Half of the buckets are single distances, the others widen logarithmically up to `longest`, beyond which all
    share the last.

    Arguments:
        heads: H.
        buckets: how many; without causality half of them for each direction.
        longest: the distance at which the last bucket begins.
        causal: whether keys lie behind their queries.
    """

    def __init__(self, heads: int, buckets: int = 32, longest: int = 128, causal: bool = True) -> None:
        super().__init__()
        one_way = buckets if causal else buckets // 2
        if one_way < 4 or longest <= one_way // 2:
            raise SimonidesError(
                f"{buckets} buckets up to distance {longest}: give at least {4 if causal else 8}, and a longest "
                "distance above half of one direction's buckets."
            )
        self.buckets, self.longest, self.causal = buckets, longest, causal
        self.table = nn.Parameter(torch.zeros(buckets, heads))

    def bucket(self, distance: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """The bucket of query position minus key position."""
        buckets, offset = self.buckets, torch.zeros_like(distance)
        if not self.causal:
            buckets //= 2
            offset = torch.where(distance < 0, buckets, 0)
            distance = distance.abs()
        distance = distance.clamp_min(0)
        exact = buckets // 2
        ratio = torch.log(distance.clamp_min(1).float() / exact) / math.log(self.longest / exact)
        wide = (exact + (ratio * (buckets - exact)).long()).clamp_max(buckets - 1)
        return offset + torch.where(distance < exact, distance, wide)

    def forward(self, distance: Int[Tensor, "*B Q T"]) -> Float[Tensor, "*B H Q T"]:
        """The bias of scores, from query position minus key position."""
        return self.table[self.bucket(distance)].movedim(-1, -3)

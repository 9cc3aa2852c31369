"""What a feed-forward writes: the tokens that each hidden unit, and each leading direction of W_out, raises.

Geva et al. (2021) read a feed-forward as a memory: rows of W_in are keys, columns of W_out are values. Letters:
`V` tokens, `d` width, `m` hidden units, `k` tokens shown.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.nn import Roles
from simonides.probes.edits import matrix_of
from simonides.probes.truncation import decompose

# units whose scores against the whole vocabulary are formed at once
_UNITS = 128


@dataclass(frozen=True, kw_only=True)
class RaisedTokens:
    """The tokens that some directions raise.

    Arguments:
        tokens: those raised most, the most first.
        peak: how far the first one's score lies above the mean of all tokens, in standard deviations.
        norm: length of what is written, per unit of activation.
    """

    tokens: Int[Tensor, "m k"]
    peak: Float[Tensor, " m"]
    norm: Float[Tensor, " m"]


def tokens_raised(
    logit_directions: Float[Tensor, "V d"], directions: Float[Tensor, "m d"], top: int = 5
) -> RaisedTokens:
    """The tokens that directions of the stream raise.

    Arguments:
        logit_directions: the direction of each token's logit, `Roles.logit_directions`.
        directions: what is written.
        top: k.
    """
    tokens, peaks = [], []
    directions = directions.to(logit_directions.dtype)
    for rows in directions.split(_UNITS):
        scores = rows @ logit_directions.mT
        highest = scores.topk(min(top, len(logit_directions)), dim=1)
        spread = scores.std(1).clamp_min(torch.finfo(scores.dtype).tiny)
        tokens.append(highest.indices)
        peaks.append((highest.values[:, 0] - scores.mean(1)) / spread)
    return RaisedTokens(tokens=torch.cat(tokens), peak=torch.cat(peaks), norm=directions.norm(dim=1))


def tokens_raised_by_units(
    model: Roles, layer: int, logit_directions: Float[Tensor, "V d"], role: str = "W_out", top: int = 5
) -> RaisedTokens:
    """The tokens that each hidden unit of a layer raises when it is active."""
    return tokens_raised(logit_directions, matrix_of(model, layer, role).mT, top)


def tokens_raised_by_singular_directions(
    model: Roles,
    layer: int,
    logit_directions: Float[Tensor, "V d"],
    role: str = "W_out",
    count: int = 4,
    top: int = 5,
) -> tuple[RaisedTokens, Float[Tensor, " k"]]:
    """What the leading left singular directions of W_out raise, each with both signs; and all its values."""
    decomposition = decompose(matrix_of(model, layer, role))
    leading = decomposition.left[:, :count].mT
    both = torch.stack([leading, -leading], 1).flatten(0, 1)
    return tokens_raised(logit_directions, both, top), decomposition.values

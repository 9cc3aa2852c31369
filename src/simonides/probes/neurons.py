"""What a feed-forward writes: the tokens that each hidden unit, and each leading direction of W_out, raises.

Geva et al. (2021) read a feed-forward as a memory: rows of W_in are keys, columns of W_out are values. Letters:
`V` tokens, `d` width, `m` hidden units, `k` tokens shown.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.checkpoints import PretrainedModel
from simonides.probes.edits import matrix_of
from simonides.probes.truncation import decompose

# units whose scores against the whole vocabulary are formed at once
_UNITS = 128


@dataclass(frozen=True, kw_only=True)
class Written:
    """What some directions say.

    Arguments:
        tokens: those raised most, the most first.
        peak: how far the first one's score lies above the mean of all tokens, in standard deviations.
        norm: length of what is written, per unit of activation.
    """

    tokens: Int[Tensor, "m k"]
    peak: Float[Tensor, " m"]
    norm: Float[Tensor, " m"]


def directions_write(said: Float[Tensor, "V d"], directions: Float[Tensor, "m d"], top: int = 5) -> Written:
    """The tokens that directions of the stream raise.

    Arguments:
        said: the direction of each token's logit, `PretrainedModel.directions_said`.
        directions: what is written.
        top: k.
    """
    tokens, peaks = [], []
    for rows in directions.split(_UNITS):
        scores = rows @ said.mT
        found = scores.topk(min(top, len(said)), dim=1)
        spread = scores.std(1).clamp_min(torch.finfo(scores.dtype).tiny)
        tokens.append(found.indices)
        peaks.append((found.values[:, 0] - scores.mean(1)) / spread)
    return Written(tokens=torch.cat(tokens), peak=torch.cat(peaks), norm=directions.norm(dim=1))


def units_write(model: PretrainedModel, layer: int, said: Float[Tensor, "V d"], top: int = 5) -> Written:
    """What each hidden unit of a layer writes when it is active."""
    return directions_write(said, matrix_of(model, layer, "W_out").mT, top)


def leading_write(
    model: PretrainedModel, layer: int, said: Float[Tensor, "V d"], count: int = 4, top: int = 5
) -> tuple[Written, Float[Tensor, " k"]]:
    """What the leading left singular directions of W_out write, each with both signs; and all its values."""
    parts = decompose(matrix_of(model, layer, "W_out"))
    leading = parts.left[:, :count].mT
    both = torch.stack([leading, -leading], 1).flatten(0, 1)
    return directions_write(said, both, top), parts.values

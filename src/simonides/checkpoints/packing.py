"""How a tensor of a checkpoint holds weights by role: whole, transposed, by heads, or several in one.

Each packing goes both ways, so that one table of names serves reading and writing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from simonides.base import SimonidesError
from simonides.checkpoints.network import Architecture


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A tensor of a checkpoint, and the weights it holds.

    Arguments:
        name: of the tensor, without the prefix of the whole model.
        roles: of the weights.
        part: the tensor as those weights.
        join: those weights as the tensor.
    """

    name: str
    roles: tuple[str, ...]
    part: Callable[[Tensor, Architecture], Sequence[Tensor]]
    join: Callable[[Sequence[Tensor], Architecture], Tensor]


def plain(name: str, role: str) -> Packed:
    """As it is."""
    return Packed(name=name, roles=(role,), part=lambda t, a: (t,), join=lambda w, a: w[0])


def transposed(name: str, role: str) -> Packed:
    """Acting on row vectors, as GPT-2's Conv1D."""
    return Packed(
        name=name, roles=(role,), part=lambda t, a: (t.mT.contiguous(),), join=lambda w, a: w[0].mT.contiguous()
    )


def by_heads(name: str, role: str) -> Packed:
    """The heads' rows, or the parts of a bias, one under the other."""
    return Packed(
        name=name,
        roles=(role,),
        part=lambda t, a: (_cut(t, a.shapes()[role]),),
        join=lambda w, a: w[0].flatten(0, 1),
    )


def by_heads_out(name: str, role: str, row_vectors: bool = False) -> Packed:
    """d x (H h), or its transpose, as H x d x h."""

    def part(t: Tensor, a: Architecture) -> Sequence[Tensor]:
        own = t.mT if row_vectors else t
        return (_cut(own, (a.d, a.heads, a.h)).transpose(0, 1).contiguous(),)

    def join(w: Sequence[Tensor], a: Architecture) -> Tensor:
        own = w[0].transpose(0, 1).flatten(1)
        return own.mT.contiguous() if row_vectors else own

    return Packed(name=name, roles=(role,), part=part, join=join)


def fused_by_head(name: str, roles: tuple[str, str, str]) -> Packed:
    """Head by head its query, key and value, as in GPT-NeoX; weights or biases."""
    return Packed(
        name=name,
        roles=roles,
        part=lambda t, a: _cut(t, (a.heads, 3, a.h, *t.shape[1:])).unbind(1),
        join=lambda w, a: torch.stack(list(w), 1).flatten(0, 2),
    )


def fused_by_part(name: str, roles: tuple[str, str, str]) -> Packed:
    """All queries, all keys, all values, as in GPT-2; a weight acts on row vectors."""
    return Packed(
        name=name,
        roles=roles,
        part=lambda t, a: _cut(t.mT if t.dim() == 2 else t, (3, a.heads, a.h, *t.shape[:-1])).unbind(0),
        join=lambda w, a: _turned(torch.stack(list(w)).flatten(0, 2)),
    )


def _turned(weight: Tensor) -> Tensor:
    return weight.mT.contiguous() if weight.dim() == 2 else weight


def _cut(weight: Tensor, shape: tuple[int, ...]) -> Tensor:
    if weight.numel() != torch.Size(shape).numel():
        raise SimonidesError(
            f"a tensor of shape {tuple(weight.shape)} does not part into {shape}; do configuration and weights "
            "belong together?"
        )
    return weight.reshape(shape)

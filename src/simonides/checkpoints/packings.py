"""How a parameter of a checkpoint holds a weight of a role: whole, transposed, by heads, or one of several.

A packing gives views of the parameter, so that one table of names serves reading and editing, and an edit touches
nothing else. Letters as in `simonides.nn.roles`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from simonides.base import SimonidesError
from simonides.nn import Sizes

# the heads of each role, G for keys and values
_KEYS_VALUES = ("K", "V")
_NO_HEADS = Sizes(
    vocabulary=0,
    outputs=0,
    d=0,
    layers=0,
    heads=0,
    key_value_heads=0,
    head_dimension=0,
    hidden=0,
    longest=0,
    decoder=True,
)
Views = Callable[[Tensor, Sizes], Sequence[Tensor]]


@dataclass(frozen=True, kw_only=True)
class Packing:
    """Where a weight is.

    Arguments:
        path: of the parameter, inside a layer.
        views: of the parameter, which make the weight when put one behind the other on their first axis.
    """

    path: str
    views: Views

    def read(self, parameter: Tensor, sizes: Sizes) -> Tensor:
        """The weight, in the shape of its role; it shares memory with the parameter where it is one view."""
        views = self.views(parameter, sizes)
        return views[0] if len(views) == 1 else torch.cat(list(views))

    def matrix(self, parameter: Tensor) -> Tensor:
        """A weight that is no matter of heads."""
        return self.views(parameter, _NO_HEADS)[0]

    def write(self, parameter: Tensor, sizes: Sizes, value: Tensor) -> None:
        """Put another weight in its place."""
        views = self.views(parameter, sizes)
        for view, part in zip(views, value.split([len(view) for view in views]), strict=True):
            view.copy_(part)


def plain(path: str) -> Packing:
    """As it is."""
    return Packing(path=path, views=lambda t, s: [t])


def transposed(path: str) -> Packing:
    """A weight that acts on row vectors, as in GPT-2."""
    return Packing(path=path, views=lambda t, s: [t.mT])


def part(path: str, index: int, of: int) -> Packing:
    """One of several matrices of equal size, one below the other."""
    return Packing(path=path, views=lambda t, s: [t.unflatten(0, (of, -1))[index]])


def of_expert(path: str, expert: int, index: int = 0, of: int = 1) -> Packing:
    """One of the matrices of one of a layer's experts, which are stacked on the first axis."""
    return Packing(path=path, views=lambda t, s: [t[expert].unflatten(0, (of, -1))[index]])


def by_heads(path: str, letter: str) -> Packing:
    """The heads' rows, or the parts of a bias, one below the other."""
    return Packing(path=path, views=lambda t, s: [_heads(t, _count(letter, s), s)])


def outward(path: str, row_vectors: bool = False) -> Packing:
    """W_O: the heads' columns side by side, or with `row_vectors` its transpose."""

    def views(t: Tensor, s: Sizes) -> Sequence[Tensor]:
        return [(t.mT if row_vectors else t).unflatten(1, (s.heads, -1)).transpose(0, 1)]

    return Packing(path=path, views=views)


def fused_by_head(path: str, letter: str) -> Packing:
    """Head by head its query, key and value, as in GPT-NeoX."""

    def views(t: Tensor, s: Sizes) -> Sequence[Tensor]:
        return [t.unflatten(0, (s.heads, 3, -1))[:, "QKV".index(letter)]]

    return Packing(path=path, views=views)


def fused_by_part(path: str, letter: str, row_vectors: bool = False) -> Packing:
    """All queries, all keys, all values, as in GPT-2 (where the weight acts on row vectors) and Phi-3."""

    def views(t: Tensor, s: Sizes) -> Sequence[Tensor]:
        rows = t.mT if row_vectors and t.dim() == 2 else t
        h, counts = s.head_dimension, [s.heads, s.key_value_heads, s.key_value_heads]
        place = "QKV".index(letter)
        start = h * sum(counts[:place])
        return [_heads(rows[start : start + h * counts[place]], counts[place], s)]

    return Packing(path=path, views=views)


def fused_by_group(path: str, letter: str) -> Packing:
    """For each head of keys and values its queries, then the key, then the value, as in newer Falcons."""

    def views(t: Tensor, s: Sizes) -> Sequence[Tensor]:
        queries = s.heads // s.key_value_heads
        grouped = t.unflatten(0, (s.key_value_heads, queries + 2, -1))
        if letter == "Q":
            return [group[:queries] for group in grouped]
        return [grouped[:, queries + "KV".index(letter)]]

    return Packing(path=path, views=views)


def _count(letter: str, sizes: Sizes) -> int:
    return sizes.key_value_heads if letter in _KEYS_VALUES else sizes.heads


def _heads(rows: Tensor, heads: int, sizes: Sizes) -> Tensor:
    if len(rows) != heads * sizes.head_dimension:
        raise SimonidesError(
            f"a tensor of shape {tuple(rows.shape)} does not part into {heads} heads of {sizes.head_dimension}; "
            "do configuration and weights belong together?"
        )
    return rows.unflatten(0, (heads, sizes.head_dimension))

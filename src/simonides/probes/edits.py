"""Edits of a checkpoint: one of its matrices, or several, cut to low rank or replaced, and put back.

Sharma, Ash & Misra (2024), LASER: one matrix of one layer is cut to its best approximation of low rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_name, suggest
from simonides.checkpoints import PretrainedModel
from simonides.probes.truncation import Decomposition, decompose

MATRICES = ("W_Q", "W_K", "W_V", "W_O", "W_in", "W_gate", "W_out")
GROUPS = {"attention": MATRICES[:4], "feed-forward": MATRICES[4:], "all": MATRICES}


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A matrix of a layer cut to a share of its rank; 0 removes it.

    Arguments:
        layer: from 0.
        matrix: one of `MATRICES`.
        share: rho, of the rank that is kept.
    """

    layer: int
    matrix: str
    share: float

    def __str__(self) -> str:
        return f"{self.matrix} of layer {self.layer} at {self.share:g} of its rank"


def edited(model: PretrainedModel, edit: Edit, parts: Decomposition | None = None) -> "replaced":
    """A context in which a matrix of a model is cut.

    Arguments:
        model: the model.
        edit: what to cut.
        parts: the matrix's decomposition, where it is known.
    """
    return replaced(model, {(edit.layer, edit.matrix): cut_matrix(model, edit, parts)})


def cut_matrix(
    model: PretrainedModel, edit: Edit, parts: Decomposition | None = None
) -> Float[Tensor, "out into"]:
    """The matrix that an edit leaves, from the decomposition where it is known."""
    known = decompose(matrix_of(model, edit.layer, edit.matrix)) if parts is None else parts
    return known.at_rank(known.rank_of_share(edit.share))


class replaced:  # noqa: N801 - read as a phrase: with replaced(model, ...)
    """A context in which some matrices of a model are others; they are put back afterwards, bit for bit.

    Arguments:
        model: the model.
        weights: the other matrices, as `matrix_of` gives them, by layer and name.
    """

    def __init__(
        self, model: PretrainedModel, weights: Mapping[tuple[int, str], Float[Tensor, "out into"]]
    ) -> None:
        self._changes: list[tuple[Tensor, Tensor, Tensor]] = []
        for (layer, matrix), weight in weights.items():
            own = _parameter(model, layer, matrix)
            self._changes.append((own, own.detach().clone(), _parted(weight.to(own.dtype), matrix, own.shape)))

    def __enter__(self) -> None:
        for own, _before, other in self._changes:
            own.data.copy_(other)

    def __exit__(self, *_: object) -> None:
        for own, before, _other in self._changes:
            own.data.copy_(before)


def matrix_of(model: PretrainedModel, layer: int, matrix: str) -> Float[Tensor, "out into"]:
    """A weight as the one matrix it is in the checkpoint, the heads side by side.

    Raises:
        SimonidesError: when there is no such layer or matrix.
    """
    weight = _parameter(model, layer, matrix).detach()
    if matrix == "W_O":
        return weight.transpose(0, 1).flatten(1)
    return weight.flatten(0, 1) if weight.dim() == 3 else weight


def matrices_named(model: PretrainedModel, pattern: str) -> list[str]:
    """The matrices of a layer that a pattern names: "W_in", "W_*", "attention", "feed-forward", "all", or several.

    Raises:
        SimonidesError: when a part of the pattern names none that the model has.
    """
    there = [name for name in MATRICES if getattr(model.layers[0], name, None) is not None]
    found: list[str] = []
    for part in filter(None, (part.strip() for part in pattern.split(","))):
        named = [n for n in there if n in GROUPS.get(part, ()) or fnmatchcase(n, part)]
        if not named:
            raise SimonidesError(f"matrix {part!r} names none of this model; {suggest(part, [*there, *GROUPS])}")
        found += named
    if not found:
        raise SimonidesError(f"matrix {pattern!r} names none; known: {', '.join([*there, *GROUPS])}.")
    return [name for name in MATRICES if name in found]


def layers_named(model: PretrainedModel, pattern: str) -> list[int]:
    """The layers that "all", "3", "0-4" or "3,8-11" names, from 0.

    Raises:
        SimonidesError: when it cannot be read, or the model has no such layer.
    """
    count = model.architecture.layers
    if pattern.strip() == "all":
        return list(range(count))
    found: set[int] = set()
    for part in pattern.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise SimonidesError(f"layers {pattern!r} cannot be read; give all, 3, 0-4 or 3,8-11.")
        low, high = int(first), int(last) if dash else int(first)
        if not low <= high < count:
            raise SimonidesError(f"layers {part.strip()!r}: there are {count}, from 0 to {count - 1}.")
        found |= set(range(low, high + 1))
    return sorted(found)


def _parted(weight: Tensor, matrix: str, shape: torch.Size) -> Tensor:
    if matrix == "W_O":
        return weight.unflatten(1, (shape[0], shape[2])).transpose(0, 1)
    return weight.reshape(shape)


def _parameter(model: PretrainedModel, layer: int, matrix: str) -> Tensor:
    check_name("matrix", matrix, MATRICES)
    if not 0 <= layer < model.architecture.layers:
        raise SimonidesError(f"no layer {layer}: there are {model.architecture.layers}, from 0.")
    found = getattr(model.layers[layer], matrix, None)
    if found is None:
        raise SimonidesError(f"layer {layer} has no {matrix}: its hidden units have no gate.")
    assert isinstance(found, Tensor)
    return found

"""Edits of a model, toy or real: matrices cut to low rank or replaced, and put back.

Sharma, Ash & Misra (2024), LASER: one matrix of one layer is cut to its best approximation of low rank.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_name, suggest
from simonides.nn import ATTENTION_ROLES, FEED_FORWARD_ROLES, Roles, as_matrix, from_matrix, matrix_roles
from simonides.probes.truncation import Decomposition, decompose

GROUPS = {
    "attention": ATTENTION_ROLES,
    "feed-forward": FEED_FORWARD_ROLES,
    "all": (*ATTENTION_ROLES, *FEED_FORWARD_ROLES),
}
# a matrix of a model: layer and role
Key = tuple[int, str]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A matrix of a layer cut to a share of its rank; 0 removes it.

    Arguments:
        layer: from 0.
        matrix: its role, such as "W_in".
        share: rho, of the rank that is kept.
    """

    layer: int
    matrix: str
    share: float

    def __str__(self) -> str:
        return f"{self.matrix} of layer {self.layer} at {self.share:g} of its rank"


def edited(model: Roles, edit: Edit, decomposition: Decomposition | None = None) -> AbstractContextManager[None]:
    """A context in which a matrix of a model is cut.

    Arguments:
        model: the model.
        edit: what to cut.
        decomposition: of the matrix, where it is known.
    """
    return replaced(model, {(edit.layer, edit.matrix): cut_matrix(model, edit, decomposition)})


def cut_matrix(model: Roles, edit: Edit, decomposition: Decomposition | None = None) -> Float[Tensor, "out into"]:
    """The matrix that an edit leaves, from the decomposition where it is known."""
    known = decompose(matrix_of(model, edit.layer, edit.matrix)) if decomposition is None else decomposition
    return known.at_rank(known.rank_of_share(edit.share))


@contextmanager
def replaced(model: Roles, matrices: Mapping[Key, Float[Tensor, "out into"]]) -> Iterator[None]:
    """A context in which some matrices of a model are others; they are put back afterwards, bit for bit.

    Arguments:
        model: the model.
        matrices: the other matrices, as `matrix_of` gives them, by layer and role.

    Raises:
        SimonidesError: when there is no such layer or matrix, or another shape is given.
    """
    before: dict[Key, Tensor] = {}
    try:
        for (layer, matrix), other in matrices.items():
            original = _weight(model, layer, matrix)
            shape = as_matrix(matrix, original).shape
            if other.shape != shape:
                raise SimonidesError(
                    f"{matrix} of layer {layer} is {list(shape)}, what is put in its place {list(other.shape)}."
                )
            before[layer, matrix] = original.clone()
            model.set_weight(matrix, layer, from_matrix(matrix, other.to(original.dtype), original.shape))
        yield
    finally:
        for (layer, matrix), original in before.items():
            model.set_weight(matrix, layer, original)


def matrix_of(model: Roles, layer: int, matrix: str) -> Float[Tensor, "out into"]:
    """A weight as the one matrix it is in a checkpoint, the heads side by side.

    Raises:
        SimonidesError: when there is no such layer or matrix.
    """
    return as_matrix(matrix, _weight(model, layer, matrix))


def matrices_named(model: Roles, pattern: str) -> list[str]:
    """The matrices of layers that a pattern names: "W_in", "W_*", "attention", "feed-forward", "all", or several.

    Raises:
        SimonidesError: when a part of the pattern names none that the model has.
    """
    if not isinstance(pattern, str):
        raise SimonidesError(f"matrix = {pattern!r}; give a text, such as W_in or attention.")
    known = list(dict.fromkeys(role for n in range(model.sizes.layers) for role in matrix_roles(model, n)))
    chosen: set[str] = set()
    for part in filter(None, (part.strip() for part in pattern.split(","))):
        named = [n for n in known if n.partition(".")[0] in GROUPS.get(part, ()) or fnmatchcase(n, part)]
        if not named:
            raise SimonidesError(f"matrix {part!r} names none of this model; {suggest(part, [*known, *GROUPS])}")
        chosen.update(named)
    if not chosen:
        raise SimonidesError(f"matrix {pattern!r} names none; known: {', '.join([*known, *GROUPS])}.")
    return [name for name in known if name in chosen]


def layers_named(model: Roles, pattern: str) -> list[int]:
    """The layers that "all", "3", "0-4" or "3,8-11" names, from 0.

    Raises:
        SimonidesError: when it cannot be read, or the model has no such layer.
    """
    count = model.sizes.layers
    if not isinstance(pattern, str):
        raise SimonidesError(f"layers = {pattern!r}; give a text: all, 3, 0-4 or 3,8-11.")
    if pattern.strip() == "all":
        return list(range(count))
    chosen: set[int] = set()
    for part in pattern.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise SimonidesError(f"layers {pattern!r} cannot be read; give all, 3, 0-4 or 3,8-11.")
        low, high = int(first), int(last) if dash else int(first)
        if low > high:
            raise SimonidesError(f"layers {part.strip()!r} go backwards; give the lower one first.")
        if high >= count:
            raise SimonidesError(f"layers {part.strip()!r}: there are {count}, from 0 to {count - 1}.")
        chosen |= set(range(low, high + 1))
    return sorted(chosen)


def _weight(model: Roles, layer: int, matrix: str) -> Tensor:
    if not 0 <= layer < model.sizes.layers:
        raise SimonidesError(f"no layer {layer}: there are {model.sizes.layers}, from 0.")
    check_name(f"matrix of layer {layer}", matrix, matrix_roles(model, layer))
    return model.weight(matrix, layer)

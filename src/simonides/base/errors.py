"""What a user may get wrong, said so that it can be put right.

Every message names what came, what was expected and what to do. The command line prints it without a
traceback and exits with code 2.
"""

import difflib
from collections.abc import Iterable
from numbers import Integral
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # errors are told before torch is loaded
    from torch import Tensor


# so many names are listed
_MANY = 30


class SimonidesError(ValueError):
    """An input that cannot be used; the message says what came, what was expected and what to do."""


class DivergenceError(SimonidesError):
    """A training whose loss is no longer finite: what came of the settings, not a setting that cannot be used."""


def check_at_least(name: str, value: int, least: int) -> None:
    """Raise `SimonidesError` unless `value` is an integer, of Python or numpy, of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise SimonidesError(f"{name} = {value!r} is no whole number; give an integer of at least {least}.")
    if value < least:
        raise SimonidesError(f"{name} = {value} is too small; give an integer of at least {least}.")


def check_seed(seed: int) -> None:
    """Raise `SimonidesError` unless a generator can be seeded with it."""
    check_at_least("seed", seed, 0)
    if seed >= 2**63:
        raise SimonidesError(f"seed = {seed} is too large; give one below 2^63.")


def check_not_negative(name: str, value: float) -> None:
    """Raise `SimonidesError` unless `value` is a finite number of at least 0."""
    if not 0 <= value < float("inf"):
        raise SimonidesError(f"{name} = {value} makes no sense; give a number of at least 0.")


def check_share(name: str, value: float) -> None:
    """Raise `SimonidesError` unless 0 < value < 1."""
    if not 0 < value < 1:
        raise SimonidesError(f"{name} = {value} lies outside (0, 1); give a share such as 0.99.")


def check_vectors(**tensors: "Tensor") -> None:
    """Raise `SimonidesError` unless tensors, given by name, are floating-point vectors in rows."""
    import torch

    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise SimonidesError(
                f"{name} came as {type(tensor).__name__}; give a tensor of torch, a vector a row."
            )
        if not tensor.is_floating_point() or tensor.dim() < 2:
            raise SimonidesError(
                f"{name} are {_told(tensor)}; give floating-point numbers in at least two dimensions, a vector a row."
            )


def check_indices(name: str, tensor: "Tensor") -> None:
    """Raise `SimonidesError` unless a tensor holds whole numbers of 64 bits, which torch takes as indices."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        raise SimonidesError(
            f"{name} came as {type(tensor).__name__}; give a tensor, as torch.tensor(...) makes it."
        )
    if tensor.dtype != torch.int64:
        raise SimonidesError(
            f"{name} are {_told(tensor)}; give whole numbers of type int64, as .long() makes them."
        )


def _told(tensor: "Tensor") -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {list(tensor.shape)}"


def check_one_type(**tensors: "Tensor") -> None:
    """Raise `SimonidesError` unless tensors, given by name, are of one type of numbers."""
    kinds = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in tensors.items()}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{name} are {kind}" for name, kind in kinds.items())
        first, *_, last = kinds
        raise SimonidesError(f"{told}; bring them to one type, such as with {last}.to({first}.dtype).")


def check_finite(**tensors: "Tensor") -> None:
    """Raise `SimonidesError` where a tensor, given by name, holds NaN or an infinite number."""
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise SimonidesError(f"there are NaN or infinite numbers in {name}; look where they come from.")


def suggest(name: str, known: Iterable[str]) -> str:
    """A clause naming the known names nearest to `name`, or all of them when none is near.

    >>> suggest("gausian", ["gaussian", "sphere"])
    "did you mean 'gaussian'?"
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    if len(known) > _MANY:
        return f"{len(known)} are known, such as {', '.join(known[:3])}."
    return "known: " + ", ".join(known) + "." if known else "none is known."


def check_name(what: str, name: str, known: Iterable[str]) -> None:
    """Raise `SimonidesError` unless `name` is one of `known`."""
    known = list(known)
    if name not in known:
        raise SimonidesError(f"{what} {name!r} is unknown; {suggest(name, known)}")

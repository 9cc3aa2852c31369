"""What a user may get wrong, said so that it can be put right.

Every message names what came, what was expected and what to do. The command line prints it without a
traceback and exits with code 2.
"""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

_CONTAINER = Path("/sys/fs/cgroup/memory.max")


class SimonidesError(ValueError):
    """An input that cannot be used; the message says what came, what was expected and what to do."""


def check_at_least(name: str, value: int, least: int) -> None:
    """Raise `SimonidesError` unless `value` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise SimonidesError(f"{name} = {value!r} is no whole number; give an integer of at least {least}.")
    if value < least:
        raise SimonidesError(f"{name} = {value} is too small; give an integer of at least {least}.")


def check_seed(seed: int) -> None:
    """Raise `SimonidesError` unless a generator can be seeded with it."""
    check_at_least("seed", seed, 0)
    if seed >= 2**63:
        raise SimonidesError(f"seed = {seed} is too large; give one below 2^63.")


def check_memory(what: str, needed: float, instead: str) -> None:
    """Raise `SimonidesError` where this machine has less memory than `needed` bytes, before any is taken.

    Arguments:
        what: the beginning of the message, such as "d = 512 and 9 facts need".
        needed: bytes.
        instead: what to do, such as "give a smaller d".
    """
    there = machine_memory()
    if there is not None and needed > there:
        raise SimonidesError(
            f"{what} about {needed / 1e9:.1f} GB of the {there / 1e9:.1f} GB this machine has; {instead}."
        )


def machine_memory() -> int | None:
    """Bytes of memory that this machine, or its container, has; None where the system does not tell."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        return min(whole, int(_CONTAINER.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return whole


def out_of_memory(error: BaseException) -> bool:
    """Whether memory was asked for in vain: Python by a class of its own, torch in a RuntimeError's words."""
    refused = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return refused or isinstance(error, MemoryError)


def check_not_negative(name: str, value: float) -> None:
    """Raise `SimonidesError` unless `value` is a finite number of at least 0."""
    if not 0 <= value < float("inf"):
        raise SimonidesError(f"{name} = {value} makes no sense; give a number of at least 0.")


def check_share(name: str, value: float) -> None:
    """Raise `SimonidesError` unless 0 < value < 1."""
    if not 0 < value < 1:
        raise SimonidesError(f"{name} = {value} lies outside (0, 1); give a share such as 0.99.")


def suggest(name: str, known: Iterable[str]) -> str:
    """A clause naming the known names nearest to `name`, or all of them when none is near.

    >>> suggest("gausian", ["gaussian", "sphere"])
    "did you mean 'gaussian'?"
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    return "known: " + ", ".join(known) + "." if known else "none is known."


def check_name(what: str, name: str, known: Iterable[str]) -> None:
    """Raise `SimonidesError` unless `name` is one of `known`."""
    known = list(known)
    if name not in known:
        raise SimonidesError(f"{what} {name!r} is unknown; {suggest(name, known)}")

"""What this machine has: memory, before it is asked for."""

import os
from pathlib import Path

from simonides.base.errors import SimonidesError

_CONTAINER = Path("/sys/fs/cgroup/memory.max")


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

"""What this machine has: memory, before it is asked for, and devices."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from simonides.base.errors import SimonidesError

if TYPE_CHECKING:  # what needs torch is told before it is loaded
    import torch

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


def chosen_device(asked: "torch.device | str") -> "torch.device":
    """The device a name means; "auto" is the GPU where there is one.

    Raises:
        SimonidesError: when it is no device that is known to work, or not there.
    """
    import torch

    name = str(asked)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if match is None:
        raise SimonidesError(f"device {name!r} is not known; give auto, cpu, cuda or cuda:1.")
    count = torch.cuda.device_count()
    if name != "cpu" and int(match[1] or 0) >= count:
        raise SimonidesError(f"there is no device {name!r}: torch sees {count} of CUDA here; give auto or cpu.")
    return torch.device(name)


def out_of_memory(error: BaseException) -> bool:
    """Whether memory was asked for in vain: Python by a class of its own, torch in a RuntimeError's words."""
    refused = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return refused or isinstance(error, MemoryError)

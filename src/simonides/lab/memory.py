"""No more memory than the machine has: what cannot be served is refused when it is asked for.

Without a limit the system promises more than there is, and kills whoever takes it, minutes later.
"""

import contextlib
import re
from collections.abc import Iterator

import torch

from simonides.base import SimonidesError, machine_memory, out_of_memory

try:
    import resource
except ImportError:  # not on this system
    resource = None  # type: ignore[assignment]

_ASKED = re.compile(r"tried to allocate (\d+) bytes")


@contextlib.contextmanager
def within_memory() -> Iterator[None]:
    """Limit what this process may allocate to the memory of the machine, and say what was asked for beyond it.

    Only where no GPU is at work, whose address space is far larger than any memory.

    Raises:
        SimonidesError: when more is asked for.
    """
    there = machine_memory()
    try:
        with _limit(there):
            yield
    except (MemoryError, RuntimeError) as error:
        if there is None or not out_of_memory(error):
            raise
        asked = _ASKED.search(str(error))
        size = f"{int(asked[1]) / 1e9:.1f} GB at once, with " if asked else "more than "
        raise SimonidesError(
            f"these sizes ask for {size}{there / 1e9:.1f} GB of memory in this machine; give smaller ones."
        ) from error


@contextlib.contextmanager
def _limit(size: int | None) -> Iterator[None]:
    if resource is None or size is None or torch.cuda.is_available():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    bounds = [bound for bound in (soft, size) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))

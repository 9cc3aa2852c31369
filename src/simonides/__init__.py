"""simonides: a laboratory for memory in transformer weights.

The names below load on first use, so that `import simonides` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simonides.errors import SimonidesError
    from simonides.facts import FactMemory
    from simonides.memories import LinearMemory, LowRankMemory
    from simonides.tasks import read_facts

__version__ = "0.1.0"
__all__ = ["FactMemory", "LinearMemory", "LowRankMemory", "SimonidesError", "__version__", "read_facts"]

_HOMES = {
    "FactMemory": "simonides.facts",
    "LinearMemory": "simonides.memories",
    "LowRankMemory": "simonides.memories",
    "SimonidesError": "simonides.errors",
    "read_facts": "simonides.tasks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'simonides' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

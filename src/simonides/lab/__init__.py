"""How claims are planned, run, judged and reported; knows no science.

What a claim file needs is named here. The names load on first use: `simonides list` needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simonides.lab.claim import Claim, Runs
    from simonides.lab.figures import CapacityPlot, Curves, Film, HeatMap, Overlay
    from simonides.lab.grid import Grid, cells, product, zipped
    from simonides.lab.rules import Crossing, Equal, Exponent, Ordered, Threshold, Within

__all__ = [
    "CapacityPlot",
    "Claim",
    "Crossing",
    "Curves",
    "Equal",
    "Exponent",
    "Film",
    "Grid",
    "HeatMap",
    "Ordered",
    "Overlay",
    "Runs",
    "Threshold",
    "Within",
    "cells",
    "product",
    "zipped",
]

_HOMES = {
    "claim": ("Claim", "Runs"),
    "figures": ("CapacityPlot", "Curves", "Film", "HeatMap", "Overlay"),
    "grid": ("Grid", "cells", "product", "zipped"),
    "rules": ("Crossing", "Equal", "Exponent", "Ordered", "Threshold", "Within"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"simonides.lab.{home}"), name)
    raise AttributeError(f"module 'simonides.lab' has no attribute {name!r}")

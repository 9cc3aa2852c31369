"""What is seen: recall, margins and spectra of memories, toy or real."""

from simonides.probes.capacities import Capacity, capacity, on_spheres, search, trained_capacity
from simonides.probes.recall import MarginSummary, accuracy, margin_summary, recalled
from simonides.probes.spectrum import Spectrum, interference_spectrum, weight_spectrum

__all__ = [
    "Capacity",
    "MarginSummary",
    "Spectrum",
    "accuracy",
    "capacity",
    "interference_spectrum",
    "margin_summary",
    "on_spheres",
    "recalled",
    "search",
    "trained_capacity",
    "weight_spectrum",
]

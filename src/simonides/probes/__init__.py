"""What is seen: recall, margins and spectra of memories, toy or real."""

from simonides.probes.capacities import Capacity, capacity, on_spheres, search, trained_capacity
from simonides.probes.population import population_errors
from simonides.probes.recall import MarginSummary, accuracy, margin_summary, recalled
from simonides.probes.spectrum import Spectrum, interference_spectrum, weight_spectrum
from simonides.probes.written import Share, WrittenMemory, written_memory

__all__ = [
    "Capacity",
    "MarginSummary",
    "Share",
    "Spectrum",
    "WrittenMemory",
    "accuracy",
    "capacity",
    "interference_spectrum",
    "margin_summary",
    "on_spheres",
    "population_errors",
    "recalled",
    "search",
    "trained_capacity",
    "weight_spectrum",
    "written_memory",
]

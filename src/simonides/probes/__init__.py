"""What is seen: recall, margins and spectra of memories, toy or real."""

from simonides.probes.capacities import Capacity, capacity, on_spheres, search, trained_capacity
from simonides.probes.circuits import attention_targets, bigram_divergence, induction_recalls
from simonides.probes.in_context import baselines, in_context, masked_loss
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
    "attention_targets",
    "baselines",
    "bigram_divergence",
    "capacity",
    "in_context",
    "induction_recalls",
    "interference_spectrum",
    "margin_summary",
    "masked_loss",
    "on_spheres",
    "population_errors",
    "recalled",
    "search",
    "trained_capacity",
    "weight_spectrum",
    "written_memory",
]

"""What is seen: recall, margins and spectra of memories, toy or real."""

from simonides.probes.recall import MarginSummary, accuracy, margin_summary, recalled
from simonides.probes.spectrum import Spectrum, interference_spectrum, weight_spectrum

__all__ = [
    "MarginSummary",
    "Spectrum",
    "accuracy",
    "interference_spectrum",
    "margin_summary",
    "recalled",
    "weight_spectrum",
]

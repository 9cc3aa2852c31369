"""Planets that two claims train on: two around a star, listed in an order drawn for each system."""

import torch
from torch import Generator, Tensor

from simonides.papers.numbers.planets import STEP_SIZES, Systems, described, draw_systems, planet_sequences
from simonides.papers.numbers.sequences import NumberSequences

# mass, semi-major axis and eccentricity of the planet listed first, and the step size: what is asked for
ASKED = {"m": 0, "a": 1, "e": 2, "step": 6}
PLANETS = 2


def systems(count: int, times: int, generator: Generator) -> NumberSequences:
    """Of the paper's law, in random order."""
    drawn = draw_systems(count, PLANETS, times, generator)
    order = torch.rand(count, PLANETS, generator=generator).argsort(1)
    return planet_sequences(drawn, order)


def outside(count: int, times: int, generator: Generator, what: str) -> NumberSequences:
    """Systems whose first listed axis lies between those seen, 1 and 1.5, or whose step size is none of the four."""
    share = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    if what == "a":
        drawn: Systems = draw_systems(count, PLANETS, times, generator, innermost=1.05 + 0.4 * share)
    else:
        sizes = 0.15 + 0.7 * share
        near = (sizes[:, None] - torch.tensor(STEP_SIZES, dtype=torch.float64)).abs().amin(1)
        sizes = torch.where(near < 0.03, sizes + 0.05, sizes)
        drawn = draw_systems(count, PLANETS, times, generator, step_sizes=sizes)
    order = torch.arange(PLANETS).repeat(count, 1)
    return planet_sequences(drawn, order)


def asked_of(sequences: NumberSequences) -> Tensor:
    """The four numbers."""
    return described(sequences, list(ASKED.values()))

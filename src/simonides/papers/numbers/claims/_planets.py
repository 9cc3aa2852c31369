"""Planets that two claims train on: two around a star, listed in an order drawn for each system."""

import torch
from torch import Generator, Tensor

from simonides.papers.numbers.planets import STEP_SIZES, described, draw_systems, planet_sequences
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
    """Systems whose first axis lies between those seen, 1 and 1.5, or whose step size is between two of the four.

    As in training the second axis is at least 0.5 larger than the first; step sizes keep 0.03 from those seen.
    """
    share = (torch.arange(4 * count, dtype=torch.float64) % count + 0.5) / count
    if what == "a":
        drawn = draw_systems(4 * count, PLANETS, times, generator, innermost=1.05 + 0.4 * share)
        kept = drawn.axes[:, 1] - drawn.axes[:, 0] >= 0.5
    else:
        sizes = STEP_SIZES[0] + (STEP_SIZES[-1] - STEP_SIZES[0]) * share
        drawn = draw_systems(4 * count, PLANETS, times, generator, step_sizes=sizes)
        kept = (sizes[:, None] - torch.tensor(STEP_SIZES, dtype=torch.float64)).abs().amin(1) >= 0.03
    sequences = planet_sequences(drawn, torch.arange(PLANETS).repeat(4 * count, 1))[kept]
    return sequences[torch.randperm(len(sequences), generator=generator)[:count]]


def asked_of(sequences: NumberSequences) -> Tensor:
    """The four numbers."""
    return described(sequences, list(ASKED.values()))

"""Advection and diffusion along a periodic line, exact in Fourier: u_t + c u_x = nu u_xx."""

import math
from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from simonides.base import SimonidesError

# waves of the initial profile
MODES = 8


def draw(
    cells: int, generator: Generator, settings: Mapping[str, float | str]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """A smooth random profile of 8 waves, its speed c and its diffusivity nu.

    Speed is drawn uniformly and diffusivity log-uniformly between two bounds; one that is not named stays 0.

    Arguments:
        cells: along the line.
        generator: draws amplitudes, then speed, then diffusivity.
        settings: least_speed and most_speed, least_diffusivity and most_diffusivity, or one pair of them.

    Raises:
        SimonidesError: when bounds are not in order.
    """
    real, imaginary = torch.randn(2, MODES, dtype=torch.float64, generator=generator)
    waves = torch.complex(real, imaginary) / torch.arange(1, MODES + 1)
    waves = waves / (waves.abs().square().sum() / 2).sqrt()
    share = torch.rand(2, dtype=torch.float64, generator=generator).tolist()
    speed = diffusivity = 0.0
    if "most_speed" in settings:
        low, high = _bounds(settings, "speed")
        speed = low + (high - low) * share[0]
    if "most_diffusivity" in settings:
        low, high = _bounds(settings, "diffusivity")
        diffusivity = low * (high / low) ** share[1]
    points = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    return {"waves": waves, "points": points}, {"speed": speed, "diffusivity": diffusivity}


def _bounds(settings: Mapping[str, float | str], name: str) -> tuple[float, float]:
    low, high = float(settings[f"least_{name}"]), float(settings[f"most_{name}"])
    if not 0 < low <= high:
        raise SimonidesError(f"least_{name} = {low}, most_{name} = {high}; give 0 < least <= most.")
    return low, high


def frames(
    initial: Mapping[str, Tensor],
    numbers: Mapping[str, Float[Tensor, " b"]],
    times: Float[Tensor, " steps"],
) -> Iterator[Float[Tensor, "b 1 n"]]:
    """Concentration at each time, the real part of the sum over k of a_k exp(2 pi i k (x - c t) - (2 pi k)^2 nu t).

    Arguments:
        initial: waves: amplitudes a_k of k = 1, 2, ...; points: coordinates x of each trajectory.
        numbers: speed c, diffusivity nu.
        times: increasing from 0.
    """
    waves, points = initial["waves"], initial["points"]
    angles = 2 * math.pi * torch.arange(1, waves.shape[1] + 1, dtype=torch.float64, device=waves.device)
    shapes = torch.exp(1j * angles * points[:, :, None])
    rates = angles.square() * numbers["diffusivity"][:, None] + 1j * angles * numbers["speed"][:, None]
    for time in times.tolist():
        yield (shapes @ (waves * torch.exp(-rates * time))[:, :, None]).real.mT

"""The shallow water equations: a circular dam of random radius breaks (Takamoto et al. 2022, PDEBench)."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from simonides.base import SimonidesError
from simonides.papers.physics.finite_volume import Faces, evolved
from simonides.papers.physics.simulations import spaced

LOW, HIGH = -2.5, 2.5
FACES: Faces = (("open", "open"), ("open", "open"))


class ShallowWater:
    """Conserved are height h and h times velocity, primitive height and velocity; the pressure is h^2 / 2 (g = 1)."""

    def primitive(self, state: Float[Tensor, "b 3 nx ny"]) -> Float[Tensor, "b 3 nx ny"]:
        """Height and velocity."""
        return torch.cat([state[:, :1], state[:, 1:] / state[:, :1]], 1)

    def conserved(self, primitive: Float[Tensor, "b 3 nx ny"]) -> Float[Tensor, "b 3 nx ny"]:
        """Height and momentum."""
        return torch.cat([primitive[:, :1], primitive[:, 1:] * primitive[:, :1]], 1)

    def pressure(self, primitive: Float[Tensor, "b 3 nx ny"]) -> Float[Tensor, "b nx ny"]:
        """h^2 / 2."""
        return primitive[:, 0].square().mul_(0.5)

    def sound(self, primitive: Float[Tensor, "b 3 nx ny"]) -> Float[Tensor, "b nx ny"]:
        """Speed of gravity waves, the square root of h."""
        return primitive[:, 0].sqrt()


def draw(
    cells: int, generator: Generator, settings: Mapping[str, float | str]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The water behind a circular dam, at rest, and the dam's radius.

    Arguments:
        cells: along each axis.
        generator: draws the radius.
        settings: least_radius and most_radius.

    Raises:
        SimonidesError: when the radii are none of a dam in the domain.
    """
    least, most = float(settings["least_radius"]), float(settings["most_radius"])
    if not 0 < least <= most < HIGH:
        raise SimonidesError(f"least_radius = {least}, most_radius = {most}; give 0 < least <= most < {HIGH}.")
    radius = least + (most - least) * float(torch.rand((), dtype=torch.float64, generator=generator))
    x = spaced(LOW, HIGH, cells)
    inside = torch.hypot(x[:, None], x[None]) <= radius
    state = torch.zeros(3, cells, cells)
    state[0] = 1.0 + inside.float()
    return {"state": state}, {"radius": radius}


def frames(
    initial: Mapping[str, Tensor],
    numbers: Mapping[str, Float[Tensor, " b"]],
    times: Float[Tensor, " steps"],
) -> Iterator[Float[Tensor, "b 1 n n"]]:
    """Height at each time.

    Arguments:
        initial: state: height and momentum.
        numbers: none is needed.
        times: increasing from 0.
    """
    state = initial["state"]
    width = (HIGH - LOW) / state.shape[-1]
    yield state[:, :1]
    for duration in times.diff().tolist():
        state = evolved(ShallowWater(), state, duration, (width, width), FACES)
        yield state[:, :1]

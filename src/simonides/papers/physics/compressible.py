"""Compressible flow of an ideal gas in a periodic square: Euler and Navier-Stokes (Takamoto et al. 2022, PDEBench)."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from simonides.papers.physics.finite_volume import Faces, evolved
from simonides.papers.physics.random_fields import random_profile, random_velocity
from simonides.papers.physics.simulations import spaced
from simonides.papers.physics.viscosity import Viscosity

# ratio of specific heats of a gas of single atoms
GAMMA = 5 / 3
FACES: Faces = (("periodic", "periodic"), ("periodic", "periodic"))
# of density and pressure from their means, at most
_VARIATION = 0.3


class IdealGas:
    """Conserved are density, momentum and energy p / (gamma - 1) + density velocity^2 / 2, with gamma = 5/3."""

    def primitive(self, state: Float[Tensor, "b 4 nx ny"]) -> Float[Tensor, "b 4 nx ny"]:
        """Density, velocity and pressure."""
        primitive = torch.empty_like(state)
        primitive[:, 0] = state[:, 0]
        torch.div(state[:, 1:3], state[:, :1], out=primitive[:, 1:3])
        motion = (primitive[:, 1] * state[:, 1]).addcmul_(primitive[:, 2], state[:, 2])
        torch.sub(state[:, 3], motion, alpha=0.5, out=primitive[:, 3]).mul_(GAMMA - 1)
        return primitive

    def conserved(self, primitive: Float[Tensor, "b 4 nx ny"]) -> Float[Tensor, "b 4 nx ny"]:
        """Density, momentum and energy."""
        state = torch.empty_like(primitive)
        state[:, 0] = primitive[:, 0]
        torch.mul(primitive[:, 1:3], primitive[:, :1], out=state[:, 1:3])
        motion = (primitive[:, 1] * state[:, 1]).addcmul_(primitive[:, 2], state[:, 2])
        torch.mul(primitive[:, 3], 1 / (GAMMA - 1), out=state[:, 3]).add_(motion, alpha=0.5)
        return state

    def pressure(self, primitive: Float[Tensor, "b 4 nx ny"]) -> Float[Tensor, "b nx ny"]:
        """The pressure itself."""
        return primitive[:, 3]

    def sound(self, primitive: Float[Tensor, "b 4 nx ny"]) -> Float[Tensor, "b nx ny"]:
        """Speed of sound, the square root of gamma p / density."""
        return (primitive[:, 3] / primitive[:, 0]).mul_(GAMMA).sqrt_()


def draw(
    cells: int, generator: Generator, settings: Mapping[str, float | str]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Random density, velocity and pressure, of root mean square speed 1 and mean speed of sound about 1 / mach.

    Arguments:
        cells: along each axis.
        generator: draws the fields.
        settings: initial, "random" (smooth fields) or "turbulence" (velocity without divergence, density 1 and
            pressure 1 / (gamma mach^2)); mach; viscosity.
    """
    mach, x = float(settings["mach"]), spaced(0.0, 1.0, cells)
    primitive = torch.ones(4, cells, cells, dtype=torch.float64)
    if settings["initial"] == "turbulence":
        primitive[1:3] = random_velocity(generator, 1.0, x)
    else:
        primitive[0] += _VARIATION * random_profile(generator, 2.0, x)
        velocity = torch.stack([random_profile(generator, 2.0, x) for _ in range(2)])
        primitive[1:3] = velocity / velocity.square().sum(0).mean().sqrt()
        primitive[3] += _VARIATION * random_profile(generator, 2.0, x)
    primitive[3] /= GAMMA * mach**2
    return {"primitive": primitive.float()}, {"mach": mach, "viscosity": float(settings["viscosity"])}


def frames(
    initial: Mapping[str, Tensor],
    numbers: Mapping[str, Float[Tensor, " b"]],
    times: Float[Tensor, " steps"],
) -> Iterator[Float[Tensor, "b 4 n n"]]:
    """Velocity along x and y, density and pressure at each time.

    Arguments:
        initial: primitive: density, velocity, pressure.
        numbers: viscosity.
        times: increasing from 0.
    """
    eta = numbers["viscosity"]
    gas, viscosity = IdealGas(), Viscosity(eta=eta) if bool((eta > 0).any()) else None
    state = gas.conserved(initial["primitive"])
    width = 1 / state.shape[-1]
    yield initial["primitive"][:, [1, 2, 0, 3]]
    for duration in times.diff().tolist():
        state = evolved(gas, state, duration, (width, width), FACES, viscosity)
        yield gas.primitive(state)[:, [1, 2, 0, 3]]

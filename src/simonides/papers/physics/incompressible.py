"""Incompressible flow in a periodic square with a passive tracer, pseudo-spectral in vorticity form.

Products are dealiased by the two-thirds rule (Orszag 1971); viscosity is exact in an integrating factor around Heun's
method of two stages.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Generator, Tensor

from simonides.papers.physics.random_fields import random_profile, random_velocity
from simonides.papers.physics.simulations import spaced
from simonides.papers.physics.time_stepping import advance, fitted_steps

# share of a cell crossed in a step: of two stages, it is accuracy that bounds it
COURANT = 0.25
NUMBERS = ("viscosity", "diffusivity", "force")


def draw(
    cells: int, generator: Generator, settings: Mapping[str, float | str]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """A smooth random velocity of root mean square 1, a tracer between 0 and 1, and a steady random force.

    Arguments:
        cells: along each axis.
        generator: draws velocity, tracer and force.
        settings: viscosity; diffusivity of the tracer; force, the root mean square of the force.
    """
    x = spaced(0.0, 1.0, cells)
    velocity = random_velocity(generator, 1.0, x)
    tracer = 0.5 + 0.5 * random_profile(generator, 1.0, x)
    force = float(settings["force"]) * random_velocity(generator, 1.0, x)
    initial = {"velocity": velocity.float(), "tracer": tracer.float(), "force": force.float()}
    return initial, {name: float(settings[name]) for name in NUMBERS}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Waves:
    """Wave numbers of a grid, and what is made of them once.

    Arguments:
        along_x, along_y: angular wave numbers.
        kept: 1 where a wave is kept by the two-thirds rule.
        inverse: 1 / (k_x^2 + k_y^2), 0 for the mean.
    """

    along_x: Float[Tensor, "n 1"]
    along_y: Float[Tensor, "1 h"]
    kept: Float[Tensor, "n h"]
    inverse: Float[Tensor, "n h"]

    def velocity(self, vorticity: Complex[Tensor, "b n h"]) -> Complex[Tensor, "b 2 n h"]:
        stream = vorticity * self.inverse
        return torch.stack([1j * self.along_y * stream, -1j * self.along_x * stream], 1)

    def curl(self, field: Complex[Tensor, "b 2 n h"]) -> Complex[Tensor, "b n h"]:
        return (1j * self.along_x * field[:, 1] - 1j * self.along_y * field[:, 0]) * self.kept


def _waves(cells: int, dtype: torch.dtype, device: torch.device) -> _Waves:
    counts = torch.fft.fftfreq(cells, 1 / cells, dtype=dtype, device=device)[:, None]
    half = torch.fft.rfftfreq(cells, 1 / cells, dtype=dtype, device=device)[None]
    kept = ((counts.abs() < cells / 3) & (half < cells / 3)).to(dtype)
    square = (2 * math.pi) ** 2 * (counts.square() + half.square())
    inverse = torch.where(square > 0, 1 / square.clamp(min=1), 0.0)
    return _Waves(along_x=2 * math.pi * counts, along_y=2 * math.pi * half, kept=kept, inverse=inverse)


def frames(
    initial: Mapping[str, Tensor],
    numbers: Mapping[str, Float[Tensor, " b"]],
    times: Float[Tensor, " steps"],
) -> Iterator[Float[Tensor, "b 3 n n"]]:
    """Velocity along x and y and the tracer at each time; the velocity's mean is 0.

    Vorticity w and tracer q obey w_t + v . grad w = nu lap w + curl f and q_t + v . grad q = kappa lap q.

    Arguments:
        initial: velocity, tracer, and the steady force.
        numbers: viscosity nu, diffusivity kappa.
        times: increasing from 0.
    """
    velocity, tracer = initial["velocity"], initial["tracer"]
    cells, dtype = velocity.shape[-1], velocity.dtype
    waves = _waves(cells, dtype, velocity.device)
    push = waves.curl(torch.fft.rfft2(initial["force"]))
    state = torch.stack([waves.curl(torch.fft.rfft2(velocity)), torch.fft.rfft2(tracer) * waves.kept], 1)
    damping = torch.stack([numbers["viscosity"], numbers["diffusivity"]], 1).to(dtype)[:, :, None, None] * (
        waves.along_x.square() + waves.along_y.square()
    )
    size = (cells, cells)
    # of the vorticity: curl of the divergence of v v, from the products v_x v_y and v_y^2 - v_x^2
    shear = (waves.along_x.square() - waves.along_y.square()) * waves.kept
    stretch = waves.along_x * waves.along_y * waves.kept
    carry_x, carry_y = -1j * waves.along_x * waves.kept, -1j * waves.along_y * waves.kept

    def rate(now: Tensor) -> tuple[Tensor, Tensor]:
        fields = torch.fft.irfft2(torch.cat([waves.velocity(now[:, 0]), now[:, 1:]], 1), s=size)
        along_x, along_y, carried = fields.unbind(1)
        products = torch.stack(
            [along_x * along_y, (along_y - along_x) * (along_y + along_x), along_x * carried, along_y * carried], 1
        )
        spectra = torch.fft.rfft2(products)
        turning = (spectra[:, 0] * shear).add_(spectra[:, 1] * stretch).add_(push)
        carrying = (spectra[:, 2] * carry_x).add_(spectra[:, 3] * carry_y)
        return torch.stack([turning, carrying], 1), along_x.abs().add_(along_y.abs()).amax((1, 2))

    def step(now: Tensor, remaining: Tensor) -> tuple[Tensor, Tensor]:
        first, speed = rate(now)
        taken = fitted_steps(remaining, speed * (cells / COURANT))
        dt = taken.to(dtype).view(-1, 1, 1, 1)
        factor = (damping * -dt).exp_()
        second, _ = rate((now + dt * first).mul_(factor))
        return (now + (0.5 * dt) * first).mul_(factor).add_((0.5 * dt) * second), taken

    yield torch.cat([velocity, tracer[:, None]], 1)
    for duration in times.diff().tolist():
        state = advance(state, duration, len(state), step, state.device)
        yield torch.fft.irfft2(torch.cat([waves.velocity(state[:, 0]), state[:, 1:]], 1), s=size)

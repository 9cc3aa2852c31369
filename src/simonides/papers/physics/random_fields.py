"""Smooth random fields that repeat: few waves, so that a draw is the same field on every grid."""

import math

import torch
from jaxtyping import Complex, Float
from torch import Generator, Tensor

# largest wave number along an axis
MODES = 4


def random_waves(generator: Generator, slope: float) -> Complex[Tensor, "modes modes"]:
    """Amplitudes of the waves exp(2 pi i (k x + l y)) of a random field, k and l from -4 to 4, 0 < |(k, l)| <= 4.

    Arguments:
        generator: draws 2 x 9 x 9 normal numbers.
        slope: amplitudes fall as |(k, l)|^-slope.
    """
    numbers = torch.arange(-MODES, MODES + 1, dtype=torch.float64)
    length = torch.hypot(numbers[:, None], numbers[None])
    weight = torch.where((length > 0) & (length <= MODES), length.clamp(min=1) ** -slope, 0.0)
    real, imaginary = torch.randn(2, len(numbers), len(numbers), dtype=torch.float64, generator=generator)
    return torch.complex(real, imaginary) * weight


def on_grid(
    waves: Complex[Tensor, "modes modes"], x: Float[Tensor, " nx"], y: Float[Tensor, " ny"]
) -> Float[Tensor, "nx ny"]:
    """The real part of a sum of waves, in double precision.

    Arguments:
        waves: amplitudes.
        x, y: coordinates; the field repeats when one grows by 1.
    """
    numbers = torch.arange(-MODES, MODES + 1, dtype=torch.float64)
    along_x, along_y = (torch.exp(2j * math.pi * points.double()[:, None] * numbers) for points in (x, y))
    return (along_x @ waves @ along_y.mT).real


def random_velocity(generator: Generator, slope: float, x: Float[Tensor, " n"]) -> Float[Tensor, "2 n n"]:
    """A random velocity without divergence, of root mean square speed 1, on a square grid.

    Arguments:
        generator: draws the stream function.
        slope: amplitudes of the velocity fall as |(k, l)|^-slope.
        x: coordinates of the points along either axis, equally spaced over one period.
    """
    stream = random_waves(generator, slope + 1)
    numbers = torch.arange(-MODES, MODES + 1, dtype=torch.float64)
    velocity = torch.stack([on_grid(1j * numbers * stream, x, x), on_grid(-1j * numbers[:, None] * stream, x, x)])
    return velocity / velocity.square().sum(0).mean().sqrt()


def random_profile(generator: Generator, slope: float, x: Float[Tensor, " n"]) -> Float[Tensor, "n n"]:
    """A random field on a square grid whose values lie between -1 and 1, one of them reached.

    Arguments:
        generator: draws the waves.
        slope: amplitudes fall as |(k, l)|^-slope.
        x: coordinates of the points along either axis.
    """
    field = on_grid(random_waves(generator, slope), x, x)
    return field / field.abs().max()

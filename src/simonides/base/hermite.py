"""Hermite polynomials, normalised for the standard normal law, and the coefficients of a function in them."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base.errors import SimonidesError

# beyond this the normal law has less than 10^-32 of its mass
_REACH, _PANELS, _NODES = 12.0, 48, 24


def hermite(degree: int, z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """h_k(z), the probabilists' Hermite polynomial with E[h_j h_k] = 1{j = k} under N(0, 1).

    >>> hermite(2, torch.tensor([0.0, 1.0]))
    tensor([-0.7071,  0.0000])
    """
    if degree < 0:
        raise SimonidesError(f"Hermite degree = {degree}; give 0 or more.")
    before, now = torch.zeros_like(z), torch.ones_like(z)
    for k in range(degree):
        # sqrt(k + 1) h_{k+1} = z h_k - sqrt(k) h_{k-1}
        before, now = now, (z * now - k**0.5 * before) / (k + 1) ** 0.5
    return now


def normal_mean(function: Callable[[Float[Tensor, " n"]], Float[Tensor, " n"]]) -> float:
    """E[f(z)] for z ~ N(0, 1), by Gauss-Legendre quadrature on panels half a unit wide.

    Kinks and jumps at multiples of one half do no harm; elsewhere a jump costs about 0.01 of its height.
    """
    z, weights = _panels()
    return float((function(z) * weights).sum())


def coefficient(function: Callable[[Float[Tensor, " n"]], Float[Tensor, " n"]], degree: int) -> float:
    """c_k(f) = E[f(z) h_k(z)] for z ~ N(0, 1).

    >>> round(coefficient(torch.relu, 1), 6)
    0.5
    """
    return normal_mean(lambda z: function(z) * hermite(degree, z))


@cache
def _panels() -> tuple[Tensor, Tensor]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    edges = np.linspace(-_REACH, _REACH, _PANELS + 1)
    half = (edges[1] - edges[0]) / 2
    z = ((edges[:-1] + edges[1:])[:, None] / 2 + half * nodes).ravel()
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return torch.from_numpy(z), torch.from_numpy(np.tile(weights * half, _PANELS) * density)

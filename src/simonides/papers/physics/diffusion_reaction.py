"""FitzHugh and Nagumo's activator and inhibitor between walls without flux (Takamoto et al. 2022, PDEBench).

Strang splitting (1968): diffusion is exact in cosines, the reaction takes a Runge-Kutta step of four stages.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from simonides.papers.physics.cosines import cosine_matrix, second_differences

LOW, HIGH = -1.0, 1.0
# two steps between frames of the 101 on [0, 5]
LONGEST_STEP = 0.025
# until then noise of single cells dies, and the splitting errs most
EARLY = 0.05
_EARLY_PARTS = 8


def draw(
    cells: int, generator: Generator, settings: Mapping[str, float | str]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Independent normal noise in every cell.

    Arguments:
        cells: along each axis.
        generator: draws the noise.
        settings: activator_diffusivity, inhibitor_diffusivity and threshold.
    """
    names = ("activator_diffusivity", "inhibitor_diffusivity", "threshold")
    return {"state": torch.randn(2, cells, cells, generator=generator)}, {n: float(settings[n]) for n in names}


def frames(
    initial: Mapping[str, Tensor],
    numbers: Mapping[str, Float[Tensor, " b"]],
    times: Float[Tensor, " steps"],
    longest_step: float = LONGEST_STEP,
) -> Iterator[Float[Tensor, "b 2 n n"]]:
    """Activator u and inhibitor v at each time: u_t = D_u lap u + u - u^3 - k - v, v_t = D_v lap v + u - v.

    Arguments:
        initial: state: both.
        numbers: activator_diffusivity D_u, inhibitor_diffusivity D_v, threshold k.
        times: increasing from 0.
        longest_step: of the splitting; an eighth of it before t = 0.05.
    """
    state = initial["state"]
    cells, dtype, device = state.shape[-1], state.dtype, state.device
    cosines = cosine_matrix(cells, dtype, device)
    laplacian = second_differences(cells, (HIGH - LOW) / cells, dtype, device)
    diffusivity = torch.stack([numbers["activator_diffusivity"], numbers["inhibitor_diffusivity"]], 1)
    decay = diffusivity.to(dtype)[:, :, None, None] * laplacian
    threshold = numbers["threshold"].to(dtype).view(-1, 1, 1)
    yield state
    for start, end in pairwise(times.tolist()):
        change = min(max(start, EARLY), end)
        for duration, longest in ((change - start, longest_step / _EARLY_PARTS), (end - change, longest_step)):
            count = math.ceil(duration / longest - 1e-6)
            if count == 0:
                continue
            step = duration / count
            whole, half = (decay * step).exp_(), (decay * (step / 2)).exp_()
            state = _diffused(state, half, cosines)
            for _ in range(count - 1):
                state = _diffused(_reacted(state, step, threshold), whole, cosines)
            state = _diffused(_reacted(state, step, threshold), half, cosines)
        yield state


def _diffused(state: Tensor, factor: Tensor, cosines: Tensor) -> Tensor:
    return cosines.T @ ((cosines @ state @ cosines.T) * factor) @ cosines


def _reacted(state: Tensor, step: float, threshold: Tensor) -> Tensor:
    first = _reaction(state, threshold)
    second = _reaction(state + step / 2 * first, threshold)
    third = _reaction(state + step / 2 * second, threshold)
    fourth = _reaction(state + step * third, threshold)
    return state + (first + fourth + (second + third).mul_(2)).mul_(step / 6)


def _reaction(state: Tensor, threshold: Tensor) -> Tensor:
    activator, inhibitor = state.unbind(1)
    rate = torch.empty_like(state)
    torch.sub(activator, inhibitor, out=rate[:, 1])
    torch.sub(rate[:, 1], activator.square().mul_(activator), out=rate[:, 0]).sub_(threshold)
    return rate

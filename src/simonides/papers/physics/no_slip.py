"""Incompressible flow between walls that it sticks to, with a passive tracer: projection on a staggered grid.

Velocity lives on faces and pressure in centres (Harlow and Welch 1965); each of three stages (Shu and Osher 1988) is
projected onto fields without divergence (Chorin 1968), with the pressure exact in cosines. Momentum is carried by
central differences, which neither make nor lose energy; the tracer by limited upwind ones, which make no new extrema.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn.functional import pad

from simonides.papers.physics.cosines import cosine_matrix, second_differences
from simonides.papers.physics.finite_volume import half_slopes
from simonides.papers.physics.incompressible import NUMBERS
from simonides.papers.physics.random_fields import on_grid, random_profile, random_waves
from simonides.papers.physics.simulations import spaced
from simonides.papers.physics.time_stepping import advance, fitted_steps

# share of a cell crossed in a step, by velocity and by diffusion together
COURANT = 0.8


@dataclass(frozen=True, kw_only=True, eq=False)
class Flow:
    """Velocity on the faces of cells, and the tracer inside.

    Arguments:
        along_x: velocity along x on faces across x; 0 on the first and the last, which are walls.
        along_y: velocity along y on faces across y, likewise.
        tracer: in the centres.
    """

    along_x: Float[Tensor, "b faces n"]
    along_y: Float[Tensor, "b n faces"]
    tracer: Float[Tensor, "b n n"]

    def fields(self) -> Float[Tensor, "b 3 n n"]:
        """Velocity and tracer in the centres."""
        along_x = (self.along_x[:, 1:] + self.along_x[:, :-1]) / 2
        along_y = (self.along_y[:, :, 1:] + self.along_y[:, :, :-1]) / 2
        return torch.stack([along_x, along_y, self.tracer], 1)

    def divergence(self) -> Float[Tensor, "b n n"]:
        """Of the velocity, in the centres."""
        return (self.along_x.diff(dim=1) + self.along_y.diff(dim=2)) * self.tracer.shape[-1]


def draw(
    cells: int, generator: Generator, settings: Mapping[str, float | str]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Random flow that is 0 on the walls, of root mean square speed 1, a tracer and a steady random force.

    Arguments:
        cells: along each axis.
        generator: draws stream functions of the flow, the tracer, and of the force.
        settings: viscosity; diffusivity of the tracer; force, the root mean square of the force.
    """
    corners = torch.arange(cells + 1, dtype=torch.float64) / cells
    inside = torch.sin(math.pi * corners).square()
    stream = on_grid(random_waves(generator, 2.0), corners, corners) * inside[:, None] * inside
    tracer = 0.5 + 0.5 * random_profile(generator, 1.0, spaced(0.0, 1.0, cells))
    push = on_grid(random_waves(generator, 2.0), corners, corners) * inside[:, None] * inside
    along_x, along_y = _of_stream(stream)
    force_x, force_y = (float(settings["force"]) * one for one in _of_stream(push))
    initial = {"along_x": along_x, "along_y": along_y, "tracer": tracer, "force_x": force_x, "force_y": force_y}
    return {name: one.float() for name, one in initial.items()}, {n: float(settings[n]) for n in NUMBERS}


def _of_stream(stream: Tensor) -> tuple[Tensor, Tensor]:
    along_x, along_y = stream.diff(dim=1), -stream.diff(dim=0)
    along_x[[0, -1]], along_y[:, [0, -1]] = 0.0, 0.0
    scale = (along_x.square().mean() + along_y.square().mean()).sqrt()
    return along_x / scale, along_y / scale


def frames(
    initial: Mapping[str, Tensor],
    numbers: Mapping[str, Float[Tensor, " b"]],
    times: Float[Tensor, " steps"],
) -> Iterator[Float[Tensor, "b 3 n n"]]:
    """Velocity along x and y and the tracer in the centres of cells, at each time.

    Arguments:
        initial: along_x, along_y, tracer, force_x, force_y.
        numbers: viscosity, diffusivity.
        times: increasing from 0.
    """
    for flow in flows(initial, numbers, times):
        yield flow.fields()


def flows(
    initial: Mapping[str, Tensor],
    numbers: Mapping[str, Float[Tensor, " b"]],
    times: Float[Tensor, " steps"],
) -> Iterator[Flow]:
    """The flow on faces at each time, v_t + v . grad v = -grad p + nu lap v + f and q_t + v . grad q = kappa lap q.

    Arguments:
        initial: along_x, along_y, tracer, force_x, force_y.
        numbers: viscosity nu, diffusivity kappa.
        times: increasing from 0.
    """
    tracer = initial["tracer"]
    cells, dtype, device = tracer.shape[-1], tracer.dtype, tracer.device
    cosines = cosine_matrix(cells, dtype, device)
    laplacian = second_differences(cells, 1 / cells, dtype, device)
    inverse = torch.where(laplacian < 0, 1 / laplacian.clamp(max=-1), 0.0)
    force = (initial["force_x"], initial["force_y"])
    viscosity, diffusivity = (numbers[name].to(dtype).view(-1, 1, 1) for name in ("viscosity", "diffusivity"))
    fastest = torch.maximum(viscosity, diffusivity).view(-1)

    def projected(flow: Flow) -> Flow:
        pressure = cosines.T @ ((cosines @ flow.divergence() @ cosines.T) * inverse) @ cosines
        along_x, along_y = flow.along_x.clone(), flow.along_y.clone()
        along_x[:, 1:-1] -= pressure.diff(dim=1) * cells
        along_y[:, :, 1:-1] -= pressure.diff(dim=2) * cells
        return Flow(along_x=along_x, along_y=along_y, tracer=flow.tracer)

    def step(flow: Flow, remaining: Tensor) -> tuple[Flow, Tensor]:
        speed = flow.along_x.abs().amax((1, 2)) + flow.along_y.abs().amax((1, 2))
        taken = fitted_steps(remaining, (speed * cells + 4 * fastest * cells**2) / COURANT)
        dt = taken.to(dtype).view(-1, 1, 1)
        now = flow
        for share in (1.0, 1 / 4, 2 / 3):
            rates = _rates(now, force, viscosity, diffusivity)
            one, two, three = (
                new.addcmul(rate, dt).mul_(share).add_(old, alpha=1 - share)
                for old, new, rate in zip(_parts(flow), _parts(now), rates, strict=True)
            )
            now = projected(Flow(along_x=one, along_y=two, tracer=three))
        return now, taken

    flow = projected(Flow(along_x=initial["along_x"], along_y=initial["along_y"], tracer=tracer))
    yield flow
    for duration in times.diff().tolist():
        flow = advance(flow, duration, len(tracer), step, device)
        yield flow


def _parts(flow: Flow) -> tuple[Tensor, Tensor, Tensor]:
    return flow.along_x, flow.along_y, flow.tracer


def _rates(
    flow: Flow, force: tuple[Tensor, Tensor], viscosity: Tensor, diffusivity: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    cells = flow.tracer.shape[-1]
    # beyond a wall, the velocity along it is its mirror image with the other sign
    padded_x = torch.cat([-flow.along_x[:, :, :1], flow.along_x, -flow.along_x[:, :, -1:]], 2)
    padded_y = torch.cat([-flow.along_y[:, :1], flow.along_y, -flow.along_y[:, -1:]], 1)
    # at the corners, momentum along one axis that is carried along the other
    exchange = (padded_x[:, :, 1:] + padded_x[:, :, :-1]) * (padded_y[:, 1:] + padded_y[:, :-1]) / 4
    rates = []
    for axis, own, padded in ((1, flow.along_x, padded_x), (2, flow.along_y, padded_y)):
        inside, count = 3 - axis, cells - 1
        middle = ((own.narrow(axis, 1, cells) + own.narrow(axis, 0, cells)) / 2).square_()
        carried = middle.diff(dim=axis) + exchange.narrow(axis, 1, count).diff(dim=inside)
        spread = own.diff(n=2, dim=axis) + padded.narrow(axis, 1, count).diff(n=2, dim=inside)
        rate = force[axis - 1].clone()
        rate.narrow(axis, 1, count).add_(viscosity * spread * cells**2 - carried * cells)
        # nothing moves a wall
        for wall in (0, cells):
            rate.select(axis, wall).zero_()
        rates.append(rate)
    return rates[0], rates[1], _tracer_rate(flow, diffusivity)


def _tracer_rate(flow: Flow, diffusivity: Tensor) -> Tensor:
    cells = flow.tracer.shape[-1]
    total = torch.zeros_like(flow.tracer)
    for axis, velocity in ((1, flow.along_x), (2, flow.along_y)):
        # walls let nothing through: the outermost cells see their own value beyond
        sides = (0, 0, 1, 1) if axis == 1 else (1, 1, 0, 0)
        padded = pad(flow.tracer, sides, mode="replicate")
        slopes = half_slopes(padded, axis)
        count = cells - 1
        below = flow.tracer.narrow(axis, 0, count) + slopes.narrow(axis, 0, count)
        above = flow.tracer.narrow(axis, 1, count) - slopes.narrow(axis, 1, count)
        inner = velocity.narrow(axis, 1, count)
        flux = torch.where(inner > 0, below, above) * inner
        flux -= diffusivity * cells * flow.tracer.diff(dim=axis)
        total.narrow(axis, 0, count).sub_(flux)
        total.narrow(axis, 1, count).add_(flux)
    return total * cells

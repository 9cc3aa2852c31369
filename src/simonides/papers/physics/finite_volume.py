"""Second-order finite volumes in two dimensions: MUSCL reconstruction, HLL fluxes, two-stage Runge-Kutta.

Primitive variables are reconstructed with the monotonized central limiter (van Leer 1977), fluxes between cells are
those of Harten, Lax and van Leer (1983) with Davis' (1988) wave speeds, and time steps are those of the strong
stability preserving method of two stages (Shu and Osher 1988). Conserved variables change by fluxes alone.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.papers.physics.time_stepping import advance, fitted_steps
from simonides.papers.physics.viscosity import Viscosity

Faces = tuple[tuple[str, str], tuple[str, str]]
# share of a cell that the fastest wave crosses in a step
COURANT = 0.4
# of a cell that is updated, on each side
_GHOSTS = 2


@runtime_checkable
class Law(Protocol):
    """A law of flow: conserved are density, momentum and perhaps energy; primitive density, velocity, pressure.

    The flux along an axis of velocity u is u times the conserved variables, plus the pressure in the momentum along
    that axis, plus u times the pressure in the energy, where there is one.
    """

    def primitive(self, state: Float[Tensor, "b v nx ny"]) -> Float[Tensor, "b v nx ny"]:
        """Primitive variables of conserved ones."""

    def conserved(self, primitive: Float[Tensor, "b v nx ny"]) -> Float[Tensor, "b v nx ny"]:
        """Conserved variables of primitive ones."""

    def pressure(self, primitive: Float[Tensor, "b v nx ny"]) -> Float[Tensor, "b nx ny"]:
        """What pushes through a face."""

    def sound(self, primitive: Float[Tensor, "b v nx ny"]) -> Float[Tensor, "b nx ny"]:
        """Speed of small waves."""


def evolved(
    law: Law,
    state: Float[Tensor, "b v nx ny"],
    duration: float,
    widths: tuple[float, float],
    faces: Faces,
    viscosity: Viscosity | None = None,
) -> Float[Tensor, "b v nx ny"]:
    """Conserved variables after some time.

    Arguments:
        law: of the flow.
        state: conserved variables: density, momentum along x, along y, and energy where the law has one.
        duration: time to go.
        widths: of a cell along x and y.
        faces: kinds of the lower and upper face of each axis: "open" extrapolates, "wall" reflects, "periodic".
        viscosity: of a law with energy.
    """

    def step(now: Tensor, remaining: Tensor) -> tuple[Tensor, Tensor]:
        primitive = law.primitive(now)
        taken = fitted_steps(remaining, _step_rate(law, primitive, widths, viscosity))
        dt = taken.to(now.dtype).view(-1, 1, 1, 1)
        first = _rate(law, primitive, widths, faces, viscosity)
        second = _rate(law, law.primitive(now + dt * first), widths, faces, viscosity)
        return now + (0.5 * dt) * first.add_(second), taken

    return advance(state, duration, len(state), step, state.device)


def _step_rate(law: Law, primitive: Tensor, widths: tuple[float, float], viscosity: Viscosity | None) -> Tensor:
    sound, speeds = law.sound(primitive), primitive[:, 1:3].abs()
    rate = torch.maximum((speeds[:, 0] + sound) / widths[0], (speeds[:, 1] + sound) / widths[1]).amax((1, 2))
    # steps so short that waves and viscosity are stable alone are stable together
    return rate / COURANT if viscosity is None else rate / COURANT + viscosity.step_rate(primitive[:, 0], widths)


def _rate(
    law: Law, primitive: Tensor, widths: tuple[float, float], faces: Faces, viscosity: Viscosity | None
) -> Tensor:
    padded = with_ghosts(primitive, faces)
    inner = slice(_GHOSTS, -_GHOSTS)
    along_x = _face_fluxes(law, padded[:, :, :, inner], 0).div_(widths[0])
    along_y = _face_fluxes(law, padded[:, :, inner], 1).div_(widths[1])
    # the sums of both axes are added last, so that exchanging x and y changes no rounding
    rate = (along_x[:, :, :-1] - along_x[:, :, 1:]).add_(along_y[..., :-1] - along_y[..., 1:])
    if viscosity is not None:
        rate[:, 1:].add_(viscosity.rate(padded[:, 1:3, 1:-1, 1:-1], widths))
    return rate


def with_ghosts(primitive: Float[Tensor, "b v nx ny"], faces: Faces) -> Float[Tensor, "b v px py"]:
    """Primitive variables with two ghost cells on every side.

    Arguments:
        primitive: density, velocity along x and y, and more.
        faces: kinds of the lower and upper face of each axis.
    """
    *batch, nx, ny = primitive.shape
    padded = primitive.new_empty(*batch, nx + 2 * _GHOSTS, ny + 2 * _GHOSTS)
    padded[:, :, _GHOSTS:-_GHOSTS, _GHOSTS:-_GHOSTS] = primitive
    for axis, kinds in enumerate(faces):
        lines = padded.transpose(2, 2 + axis)
        # seen from the upper face, the lines run backwards
        for side, kind in enumerate(kinds):
            count = lines.shape[2]
            ghosts = [0, 1] if side == 0 else [count - 1, count - 2]
            for depth, ghost in enumerate(ghosts):
                if kind == "periodic":
                    lines[:, :, ghost] = lines[:, :, (ghost - _GHOSTS) % (count - 2 * _GHOSTS) + _GHOSTS]
                    continue
                away = 2 * _GHOSTS - 1 - depth if kind == "wall" else _GHOSTS
                lines[:, :, ghost] = lines[:, :, away if side == 0 else count - 1 - away]
                if kind == "wall":
                    lines[:, 1 + axis, ghost].neg_()
    return padded


def half_slopes(values: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Half the limited difference across each cell but the outermost: what a cell's value changes to its faces.

    The monotonized central limiter (van Leer 1977): the mean of both differences, at most twice the smaller, 0 at
    extrema, so that values at faces lie between those of the cells.

    Arguments:
        values: in cells.
        dim: along which to take differences.

    >>> half_slopes(torch.tensor([0.0, 1.0, 4.0, 4.0, 5.0]), 0)
    tensor([1., 0., 0.])
    """
    steps = values.diff(dim=dim)
    count = steps.shape[dim] - 1
    left, right = steps.narrow(dim, 0, count), steps.narrow(dim, 1, count)
    low, high = torch.minimum(left, right).clamp_(min=0), torch.maximum(left, right).clamp_(max=0)
    return torch.add(left, right).mul_(0.25).clamp_(high, low)


def _face_fluxes(law: Law, padded: Tensor, axis: int) -> Tensor:
    dim = 2 + axis
    slopes = half_slopes(padded, dim)
    count = slopes.shape[dim] - 1
    left = padded.narrow(dim, 1, count) + slopes.narrow(dim, 0, count)
    right = padded.narrow(dim, 2, count) - slopes.narrow(dim, 1, count)
    left_sound, right_sound = law.sound(left), law.sound(right)
    left_speed, right_speed = left[:, 1 + axis], right[:, 1 + axis]
    slowest = torch.minimum(left_speed - left_sound, right_speed - right_sound).clamp_(max=0)
    fastest = torch.maximum(left_speed + left_sound, right_speed + right_sound).clamp_(min=0)
    spread = fastest - slowest
    from_left, from_right = fastest / spread, -slowest / spread
    mixing = fastest * slowest / spread
    flux = law.conserved(left).mul_((from_left * left_speed - mixing).unsqueeze(1))
    flux.addcmul_(law.conserved(right), (from_right * right_speed + mixing).unsqueeze(1))
    left_push, right_push = from_left * law.pressure(left), from_right * law.pressure(right)
    flux[:, 1 + axis] += left_push + right_push
    if flux.shape[1] > 3:
        flux[:, 3] += left_push * left_speed + right_push * right_speed
    return flux

"""Errors of predicted fields: normalised by the field, by its variance, and by bands of its spectrum."""

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least

_SMALL = 1e-7


def nmse(
    answer: Float[Tensor, "*batch_fields_space"], truth: Float[Tensor, "*batch_fields_space"], axes: int
) -> Float[Tensor, "*batch_fields"]:
    """mean (answer - truth)^2 / (1e-7 + mean truth^2) over space, of each field: the loss of McCabe et al. (2024).

    Arguments:
        answer, truth: fields in physical units.
        axes: how many axes of space there are, the last ones.
    """
    space = _space(answer, truth, axes)
    return (answer - truth).square().mean(space) / (_SMALL + truth.square().mean(space))


def nrmse(
    answer: Float[Tensor, "*batch_fields_space"], truth: Float[Tensor, "*batch_fields_space"], axes: int
) -> Float[Tensor, "*batch_fields"]:
    """The root of `nmse`, of each sample and field; averages are taken of the roots (Takamoto et al. 2022)."""
    return nmse(answer, truth, axes).sqrt()


def vrmse(
    answer: Float[Tensor, "*batch_fields_space"], truth: Float[Tensor, "*batch_fields_space"], axes: int
) -> Float[Tensor, "*batch_fields"]:
    """sqrt(mean (answer - truth)^2 / (1e-7 + var truth)), unbiased over space (Ohana et al. 2024, The Well).

    A field with a large mean, such as a pressure, looks easy by `nrmse`; here 1 is the error of its spatial mean.
    """
    space = _space(answer, truth, axes)
    return ((answer - truth).square().mean(space) / (_SMALL + truth.var(space))).sqrt()


def _space(answer: Tensor, truth: Tensor, axes: int) -> tuple[int, ...]:
    """The axes of space, where both tensors have the same shape and more than one cell."""
    if not 1 <= axes <= 3 or answer.shape != truth.shape or truth.dim() < axes or truth.shape[-axes:].numel() < 2:
        raise SimonidesError(
            f"answer and truth have the shapes {list(answer.shape)} and {list(truth.shape)}; expected the same one, "
            f"with {axes} axes of space (1 to 3) last and more than one cell."
        )
    return tuple(range(-axes, 0))


def band_errors(
    answer: Float[Tensor, "*batch_fields_space"],
    truth: Float[Tensor, "*batch_fields_space"],
    axes: int,
    bands: int = 3,
) -> Float[Tensor, "*batch_fields bands"]:
    """Root of the error's power over the truth's in bands of wave number, from large structures to small.

    Bands are equal in the logarithm of the wave number from 1 to half the cells of the shortest axis; the last has all
    above as well, such as the checkerboard. Fields are mirrored along each axis first, whether it is periodic or not. 1
    is the error of a field without this band; a band without power counts as one of a millionth of the field's root
    mean square.

    Arguments:
        answer, truth: fields.
        axes: how many axes of space there are, the last ones.
        bands: how many.

    Raises:
        SimonidesError: when shapes differ, or a band holds no wave number of this grid.
    """
    space = _space(answer, truth, axes)
    check_at_least("bands", bands, 1)
    error, power = _spectrum(answer - truth, axes), _spectrum(truth, axes)
    shape = truth.shape[-axes:]
    grids = torch.meshgrid(*[torch.fft.fftfreq(2 * n, 1 / (2 * n)).abs() / 2 for n in shape], indexing="ij")
    wave = torch.stack(grids).square().sum(0).sqrt().to(truth.device)
    edges = torch.logspace(0, math.log10(min(shape) / 2), bands + 1).tolist()
    edges[0], edges[-1] = 0.25, math.inf
    floor = 1e-12 * power.sum(space) + 1e-30
    out = []
    for low, high in itertools.pairwise(edges):
        inside = ((wave >= low) & (wave < high)).to(truth.device, torch.float64)
        if not bool(inside.any()):
            raise SimonidesError(f"{bands} bands on {list(shape)} cells: one holds no wave number; give fewer.")
        out.append(((error * inside).sum(space) / torch.maximum((power * inside).sum(space), floor)).sqrt())
    return torch.stack(out, -1)


def _spectrum(values: Float[Tensor, "*batch_space"], axes: int) -> Float[Tensor, "*batch_double"]:
    for axis in range(-axes, 0):
        values = torch.cat([values, values.flip(axis)], axis)
    return torch.fft.fftn(values.double(), dim=tuple(range(-axes, 0))).abs().square()

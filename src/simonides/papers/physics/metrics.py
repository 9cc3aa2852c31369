"""Errors of predicted fields: normalised by the field, by its variance, and by bands of its spectrum."""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

_SMALL = 1e-7


def nmse(
    answer: Float[Tensor, "*batch_fields_space"], truth: Float[Tensor, "*batch_fields_space"], axes: int
) -> Float[Tensor, "*batch_fields"]:
    """mean (answer - truth)^2 / (1e-7 + mean truth^2) over space, of each field: the loss of McCabe et al. (2024).

    Arguments:
        answer, truth: fields in physical units.
        axes: how many axes of space there are, the last ones.
    """
    space = tuple(range(-axes, 0))
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
    space = tuple(range(-axes, 0))
    return ((answer - truth).square().mean(space) / (_SMALL + truth.var(space))).sqrt()


def band_errors(
    answer: Float[Tensor, "*batch_fields_space"],
    truth: Float[Tensor, "*batch_fields_space"],
    axes: int,
    bands: int = 3,
) -> Float[Tensor, "*batch_fields bands"]:
    """Root of the error's power over the truth's in bands of wave number, from large structures to small.

    Bands are equal in the logarithm of the wave number, from 1 to half the cells of the shortest axis; axes that are
    not periodic are mirrored first, which is done for all. 1 is the error of a field without this band.

    Arguments:
        answer, truth: fields.
        axes: how many axes of space there are, the last ones.
        bands: how many.
    """
    error, power = _spectrum(answer - truth, axes), _spectrum(truth, axes)
    shape = truth.shape[-axes:]
    grids = torch.meshgrid(*[torch.fft.fftfreq(2 * n, 1 / (2 * n)).abs() / 2 for n in shape], indexing="ij")
    wave = torch.stack(grids).square().sum(0).sqrt().to(truth.device)
    largest = min(shape) / 2
    edges = torch.logspace(0, torch.log10(torch.tensor(largest)).item(), bands + 1)
    edges[0], edges[-1] = 0.5, largest + 1e-3
    out = []
    for low, high in itertools.pairwise(edges.tolist()):
        inside = ((wave >= low) & (wave < high)).to(truth)
        space = tuple(range(-axes, 0))
        out.append(((error * inside).sum(space) / ((power * inside).sum(space) + 1e-30)).sqrt())
    return torch.stack(out, -1)


def _spectrum(values: Float[Tensor, "*batch_space"], axes: int) -> Float[Tensor, "*batch_double"]:
    for axis in range(-axes, 0):
        values = torch.cat([values, values.flip(axis)], axis)
    return torch.fft.fftn(values.double(), dim=tuple(range(-axes, 0))).abs().square()

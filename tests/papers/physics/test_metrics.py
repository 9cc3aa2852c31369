"""Errors against their definitions written out."""

import math

import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.metrics import band_errors, nmse, nrmse, vrmse


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_errors_are_their_definitions():
    answer, truth = drawn(2, 3, 4, 5), drawn(2, 3, 4, 5, seed=1) + 2
    for sample in range(2):
        for field in range(3):
            square = sum(
                (float(answer[sample, field, i, j]) - float(truth[sample, field, i, j])) ** 2
                for i in range(4)
                for j in range(5)
            )
            values = truth[sample, field].flatten().tolist()
            power = sum(value**2 for value in values) / 20
            spread = sum((value - sum(values) / 20) ** 2 for value in values) / 19
            found = nmse(answer, truth, 2)[sample, field]
            assert float(found) == pytest.approx(square / 20 / (1e-7 + power), rel=1e-12)
            assert float(nrmse(answer, truth, 2)[sample, field]) == pytest.approx(math.sqrt(float(found)))
            assert float(vrmse(answer, truth, 2)[sample, field]) == pytest.approx(
                math.sqrt(square / 20 / (spread + 1e-7)), rel=1e-12
            )


def test_one_is_the_error_of_the_mean():
    truth = drawn(1, 1, 32, 32)
    mean = truth.mean((-2, -1), keepdim=True).expand_as(truth)
    assert float(vrmse(mean, truth, 2)) == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_bands_tell_where_the_error_lies(axes):
    x = (torch.arange(32) + 0.5) / 32
    shape = [1] * (axes - 1)
    large = torch.cos(torch.pi * 2 * x).reshape(*shape, 32).expand(*[32] * axes).double()
    small = torch.cos(torch.pi * 28 * x).reshape(*shape, 32).expand(*[32] * axes).double()
    truth = (large + 0.1 * small)[None]
    found = band_errors((large + 0.05 * small)[None], truth, axes)[0]
    assert float(found[0]) < 1e-6
    assert float(found[2]) == pytest.approx(0.5, rel=1e-6)
    assert float(band_errors((0.9 * large + 0.1 * small)[None], truth, axes)[0, 0]) == pytest.approx(0.1, rel=1e-6)


def test_the_last_band_has_the_checkerboard():
    cells = torch.arange(16)
    board = ((cells[:, None] + cells) % 2 * 2.0 - 1).double()[None]
    truth = drawn(1, 16, 16)
    found = band_errors(truth + board, truth, 2)[0]
    assert float(found[2]) > 5 * float(found[0])


def test_a_band_without_power_does_not_divide_by_zero():
    truth = torch.full((1, 8, 8), 3.0)
    assert band_errors(truth, truth, 2)[0].tolist() == [0.0, 0.0, 0.0]
    assert bool(band_errors(truth + drawn(1, 8, 8), truth, 2).isfinite().all())


@pytest.mark.parametrize(
    ("answer", "truth", "axes", "bands"),
    [((8, 8), (8, 8), 0, 3), ((2, 2), (2, 2), 2, 9), ((1, 1, 1), (1, 1, 1), 2, 3)],
)
def test_what_errors_refuse(answer, truth, axes, bands):
    with pytest.raises(SimonidesError):
        band_errors(torch.ones(answer), torch.ones(truth), axes, bands)

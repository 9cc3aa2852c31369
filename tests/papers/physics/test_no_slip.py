"""Flow between walls: no divergence, no slip, energy, and order of accuracy."""

import math
from itertools import pairwise

import pytest
import torch

from simonides.papers.physics.no_slip import draw, flows, frames

SETTINGS = {"viscosity": 5e-3, "diffusivity": 1e-3, "force": 1.0}


def numbers(viscosity=5e-3, diffusivity=1e-3):
    full = {"viscosity": viscosity, "diffusivity": diffusivity}
    return {name: torch.tensor([value], dtype=torch.float64) for name, value in full.items()}


def drawn(generator, cells=24, force=1.0):
    initial, _ = draw(cells, generator, {**SETTINGS, "force": force})
    return {name: one.double()[None] for name, one in initial.items()}


def times(end, parts=1):
    return torch.linspace(0, end, parts + 1, dtype=torch.float64)


def energy(flow):
    return float(flow.along_x.square().sum() + flow.along_y.square().sum())


def test_there_is_no_divergence_and_nothing_moves_through_walls(generator):
    for flow in flows(drawn(generator), numbers(), times(0.3, 3)):
        assert float(flow.divergence().abs().max()) < 1e-10
        for wall in (flow.along_x[:, [0, -1]], flow.along_y[:, :, [0, -1]]):
            assert bool((wall == 0).all())


def test_the_flow_sticks_to_the_walls():
    """Half a cell from a wall, the velocity along it falls with the width of a cell."""
    slips = []
    for cells in (32, 64):
        initial = drawn(torch.Generator().manual_seed(2), cells)
        *_, flow = flows(initial, numbers(viscosity=0.02), times(0.1))
        slips.append(float(flow.along_y[:, [0, -1]].abs().mean() / flow.along_y.abs().mean()))
    assert slips[0] < 0.2 and slips[1] < 0.6 * slips[0]


@pytest.mark.parametrize("viscosity", [0.0, 5e-3])
def test_energy_decays_without_force(generator, viscosity):
    energies = [energy(flow) for flow in flows(drawn(generator, force=0.0), numbers(viscosity), times(0.4, 8))]
    falls = [after / before for before, after in pairwise(energies)]
    # central differences lose none themselves, and three stages hardly any
    assert all(1 - 1e-3 < fall <= 1 + 1e-9 for fall in falls) if viscosity == 0 else max(falls) < 0.99


def test_the_tracer_is_kept_and_makes_no_new_extrema(generator):
    initial = drawn(generator)
    tracers = [flow.tracer for flow in flows(initial, numbers(diffusivity=0.0), times(1.0, 5))]
    for tracer in tracers[1:]:
        torch.testing.assert_close(tracer.mean(), tracers[0].mean(), rtol=1e-12, atol=0)
        assert float(tracers[0].min()) - 1e-9 < float(tracer.min())
        assert float(tracer.max()) < float(tracers[0].max()) + 1e-9
    assert float(tracers[-1].var()) > 0.1 * float(tracers[0].var())


def test_exchanging_x_and_y_exchanges_the_result(generator):
    initial = drawn(generator)
    swap = {"along_x": "along_y", "along_y": "along_x", "force_x": "force_y", "force_y": "force_x"}
    other = {name: initial[swap.get(name, name)].mT.contiguous() for name in initial}
    *_, end = frames(initial, numbers(), times(0.2))
    *_, swapped = frames(other, numbers(), times(0.2))
    torch.testing.assert_close(swapped[:, [1, 0, 2]].mT, end, rtol=1e-11, atol=1e-12)


def test_still_vortices_between_walls_decay_at_the_rate_of_stokes():
    """The slowest flow of Stokes in a square decays as exp(-52.3447 nu t) (Leriche and Labrosse 2004)."""
    nu, rates = 0.1, []
    for cells in (16, 32):
        points = math.pi * torch.arange(cells + 1, dtype=torch.float64) / cells
        stream = 1e-4 * torch.sin(points).square()[:, None] * torch.sin(points).square()
        along_x, along_y = stream.diff(dim=1)[None] * cells, -stream.diff(dim=0)[None] * cells
        still = torch.zeros(1, cells, cells, dtype=torch.float64)
        initial = {
            "along_x": along_x,
            "along_y": along_y,
            "tracer": still,
            "force_x": 0 * along_x,
            "force_y": 0 * along_y,
        }
        *_, before, after = flows(initial, numbers(nu, 0.0), torch.tensor([0.0, 0.2, 0.3], dtype=torch.float64))
        rates.append(-math.log(energy(after) / energy(before)) / (2 * nu * 0.1))
    exact = 52.3447
    assert abs(rates[1] - exact) < 0.2
    assert abs(rates[1] - exact) < 0.35 * abs(rates[0] - exact)  # second order

"""Incompressible flow in a periodic square, against Taylor and Green's solution and a solver in JAX."""

import math

import pytest
import torch

from simonides.papers.physics.incompressible import draw, frames

SETTINGS = {"viscosity": 2e-3, "diffusivity": 1e-3, "force": 1.0}


def numbers(count=1, viscosity=2e-3, diffusivity=1e-3):
    full = {"viscosity": viscosity, "diffusivity": diffusivity}
    return {name: torch.full((count,), value, dtype=torch.float64) for name, value in full.items()}


def drawn(generator, cells=32):
    initial, _ = draw(cells, generator, SETTINGS)
    return {name: one.double()[None] for name, one in initial.items()}


def last(initial, own, time, parts=1):
    *_, end = frames(initial, own, torch.linspace(0, time, parts + 1, dtype=torch.float64))
    return end


def test_taylor_and_greens_vortices_decay():
    angle = 2 * torch.pi * (torch.arange(32, dtype=torch.float64) + 0.5) / 32
    along_x = torch.sin(angle)[:, None] * torch.cos(angle)
    velocity = torch.stack([along_x, -along_x.mT])
    tracer = torch.cos(angle)[:, None].expand(32, 32)
    initial = {"velocity": velocity[None], "tracer": tracer[None], "force": 0 * velocity[None]}
    end = last(initial, numbers(viscosity=0.01), 0.5)
    decay = math.exp(-2 * 0.01 * (2 * math.pi) ** 2 * 0.5)
    torch.testing.assert_close(end[:, :2], decay * velocity[None], rtol=1e-12, atol=1e-12)


def test_the_tracer_is_carried_without_loss_and_spreads(generator):
    initial = drawn(generator)
    end = last(initial, numbers(), 0.5)
    torch.testing.assert_close(end[0, 2].mean(), initial["tracer"].mean(), rtol=1e-12, atol=0)
    assert float(end[0, 2].var()) < float(initial["tracer"].var())


def test_a_finer_grid_and_smaller_steps_give_the_same(generator):
    coarse = drawn(torch.Generator().manual_seed(3), 48)
    fine = drawn(torch.Generator().manual_seed(3), 144)
    # centre of a coarse cell is that of every third fine one
    shared = fine["velocity"][..., 1::3, 1::3]
    torch.testing.assert_close(shared, coarse["velocity"], rtol=1e-5, atol=1e-5)
    ends = [last(one, numbers(viscosity=5e-3, diffusivity=5e-3), 0.25) for one in (coarse, fine)]
    difference = (ends[1][..., 1::3, 1::3] - ends[0])[:, :2]
    assert float(difference.norm() / ends[0][:, :2].norm()) < 2e-3


def test_velocity_has_no_divergence(generator):
    end = last(drawn(generator), numbers(), 0.2)[0]
    waves = torch.fft.fftfreq(32, 1 / 32, dtype=torch.float64)
    spectrum = torch.fft.fft2(end[:2])
    divergence = waves[:, None] * spectrum[0] + waves * spectrum[1]
    assert float(divergence.abs().max()) < 1e-11 * float(spectrum.abs().max())


def test_exchanging_x_and_y_exchanges_the_result(generator):
    initial = drawn(generator)
    other = {name: one.mT.flip(1) if one.dim() == 4 else one.mT for name, one in initial.items()}
    end, swapped = last(initial, numbers(), 0.2), last(other, numbers(), 0.2)
    torch.testing.assert_close(swapped[:, [1, 0, 2]].mT, end, rtol=1e-10, atol=1e-11)


def test_a_weak_force_speeds_up_still_water_along_itself(generator):
    initial = drawn(generator)
    still = {**initial, "velocity": 0 * initial["velocity"], "force": 1e-3 * initial["force"]}
    end = last(still, numbers(viscosity=0.0), 0.1)
    torch.testing.assert_close(end[:, :2], 0.1 * still["force"], rtol=0, atol=1e-7)


def test_against_exponax():
    exponax = pytest.importorskip("exponax")
    jnp = pytest.importorskip("jax.numpy")
    initial = drawn(torch.Generator().manual_seed(1), 48)
    initial["force"] *= 0
    end = last(initial, numbers(viscosity=5e-3), 0.2)[0, :2]
    waves = torch.fft.fftfreq(48, 1 / 48, dtype=torch.float64) * 2j * torch.pi

    def vorticity(velocity):
        spectrum = torch.fft.fft2(velocity)
        return torch.fft.ifft2(waves[:, None] * spectrum[1] - waves * spectrum[0]).real

    # exponax takes the stream function, and so the vorticity, with the other sign
    stepper = exponax.stepper.NavierStokesVorticity(2, 1.0, 48, 0.001, diffusivity=5e-3)
    state = exponax.repeat(stepper, 200)(-jnp.asarray(vorticity(initial["velocity"][0]).numpy())[None])
    other = -torch.tensor(state.tolist(), dtype=torch.float64)[0]
    assert float((vorticity(end) - other).norm() / other.norm()) < 2e-3

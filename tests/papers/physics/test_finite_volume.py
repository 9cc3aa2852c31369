"""The shared finite volume step, against exact Riemann solutions and the symmetries of the laws."""

import math

import pytest
import torch
from scipy.optimize import brentq

from simonides.papers.physics.compressible import GAMMA, IdealGas
from simonides.papers.physics.finite_volume import evolved, half_slopes, with_ghosts
from simonides.papers.physics.shallow_water import ShallowWater
from simonides.papers.physics.viscosity import Viscosity

PERIODIC = (("periodic", "periodic"), ("periodic", "periodic"))
TUBE = (("open", "open"), ("periodic", "periodic"))
SOD = (1.0, 0.0, 1.0), (0.125, 0.0, 0.1)


def exact_gas(left, right, speeds):
    """Density, velocity and pressure of Riemann's problem along x / t (Toro 2009, chapter 4)."""

    def change(pressure, state):
        density, _, own = state
        if pressure > own:
            a, b = 2 / ((GAMMA + 1) * density), (GAMMA - 1) / (GAMMA + 1) * own
            return (pressure - own) * (a / (pressure + b)) ** 0.5
        sound = (GAMMA * own / density) ** 0.5
        return 2 * sound / (GAMMA - 1) * ((pressure / own) ** ((GAMMA - 1) / (2 * GAMMA)) - 1)

    pressure = brentq(lambda p: change(p, left) + change(p, right) + right[1] - left[1], 1e-8, 100.0)
    velocity = (left[1] + right[1] + change(pressure, right) - change(pressure, left)) / 2

    def one(speed):
        side = 1 if speed < velocity else -1  # seen from the right, everything is mirrored
        density, own_velocity, own = left if side == 1 else right
        own_velocity, middle, speed = side * own_velocity, side * velocity, side * speed
        sound = (GAMMA * own / density) ** 0.5
        ratio, share = pressure / own, (GAMMA - 1) / (GAMMA + 1)
        if ratio > 1:
            shock = own_velocity - sound * ((GAMMA + 1) / (2 * GAMMA) * (ratio - 1) + 1) ** 0.5
            if speed < shock:
                return density, side * own_velocity, own
            return density * (ratio + share) / (share * ratio + 1), side * middle, pressure
        if speed < own_velocity - sound:
            return density, side * own_velocity, own
        if speed > middle - sound * ratio ** ((GAMMA - 1) / (2 * GAMMA)):
            return density * ratio ** (1 / GAMMA), side * middle, pressure
        local = 2 / (GAMMA + 1) * (sound + (GAMMA - 1) / 2 * (own_velocity - speed))
        fan = (local / sound) ** (2 / (GAMMA - 1))
        return density * fan, side * (speed + local), own * fan**GAMMA

    return torch.tensor([one(float(speed)) for speed in speeds], dtype=torch.float64).T


def exact_water(left, right, speeds):
    """Height of a breaking dam of two still waters (Stoker 1957): a fan to the left, a bore to the right."""
    fall = lambda h: 2 * (left**0.5 - h**0.5)  # noqa: E731
    bore = lambda h: (h - right) * ((h + right) / (2 * h * right)) ** 0.5  # noqa: E731
    middle = brentq(lambda h: fall(h) - bore(h), right, left)
    velocity = fall(middle)
    front = middle * velocity / (middle - right)

    def one(speed):
        if speed > front:
            return right
        if speed > velocity - middle**0.5:
            return middle
        return left if speed < -(left**0.5) else (2 * left**0.5 - speed) ** 2 / 9

    return torch.tensor([one(float(speed)) for speed in speeds], dtype=torch.float64)


def tube(left, right, cells, axis=0):
    x = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells - 0.5
    flat = [torch.where(x < 0, a, b) for a, b in zip(left, right, strict=True)]
    flat.insert(2, torch.zeros_like(x))
    return x, torch.stack(flat)[None, :, :, None].expand(-1, -1, -1, 4).contiguous()


def random_gas(generator, *shape):
    primitive = 1.0 + 0.5 * torch.rand(shape[0], 4, *shape[1:], dtype=torch.float64, generator=generator)
    primitive[:, 1:3] -= 1.25
    return IdealGas().conserved(primitive)


def transposed(state):
    return state[:, [0, 2, 1, *range(3, state.shape[1])]].mT


@pytest.mark.parametrize("mirrored", [False, True])
def test_sods_tube_is_the_exact_solution(mirrored):
    errors = []
    left, right = SOD[::-1] if mirrored else SOD
    for cells in (50, 100):
        x, primitive = tube(left, right, cells)
        gas = IdealGas()
        end = gas.primitive(evolved(gas, gas.conserved(primitive), 0.2, (1 / cells, 1.0), TUBE))
        exact = exact_gas(left, right, x / 0.2)
        assert bool((end[..., :1] == end).all())
        errors.append((end[0, [0, 1, 3], :, 0] - exact).abs().mean(1))
    assert bool((errors[1] < torch.tensor([0.0065, 0.0095, 0.0040])).all()), errors
    assert bool((errors[1] < 0.65 * errors[0]).all())  # first order at jumps


def test_a_dam_of_water_is_the_exact_solution():
    cells = 200
    x = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells - 0.5
    state = torch.zeros(1, 3, cells, 4, dtype=torch.float64)
    state[0, 0] = torch.where(x < 0, 2.0, 1.0)[:, None]
    end = evolved(ShallowWater(), state, 0.2, (1 / cells, 1.0), TUBE)
    assert float((end[0, 0, :, 0] - exact_water(2.0, 1.0, x / 0.2)).abs().mean()) < 0.004


def test_smooth_waves_of_density_are_of_second_order():
    errors, gas = [], IdealGas()
    for cells in (64, 128):
        # cell averages, since points differ from them in second order
        edges = torch.arange(cells + 1, dtype=torch.float64) / cells
        wave = -torch.cos(2 * torch.pi * edges).diff() * cells / (2 * torch.pi)
        density = 1 + 0.2 * wave
        ones = torch.ones_like(density)
        primitive = torch.stack([density, ones, 0 * ones, ones])[None, :, :, None].expand(-1, -1, -1, 4)
        state = gas.conserved(primitive.contiguous())
        end = evolved(gas, state, 0.5, (1 / cells, 1.0), PERIODIC)
        errors.append(float((end[0, 0] - state[0, 0].roll(cells // 2, 0)).abs().mean()))
    assert math.log2(errors[0] / errors[1]) > 1.8


@pytest.mark.parametrize("eta", [0.0, 0.02])
def test_what_is_conserved_stays_to_rounding(generator, eta):
    state = random_gas(generator, 2, 16, 12)
    viscosity = Viscosity(eta=torch.tensor([eta, eta / 2])) if eta else None
    end = evolved(IdealGas(), state, 0.1, (1 / 16, 1 / 12), PERIODIC, viscosity)
    assert float((end - state).abs().max()) > 0.1
    torch.testing.assert_close(end.sum((2, 3)), state.sum((2, 3)), rtol=1e-13, atol=1e-12)


def test_closed_walls_keep_mass_and_energy(generator):
    walls = (("wall", "wall"), ("wall", "wall"))
    state = random_gas(generator, 1, 12, 12)
    end = evolved(IdealGas(), state, 0.2, (1 / 12, 1 / 12), walls)
    torch.testing.assert_close(end.sum((2, 3))[:, [0, 3]], state.sum((2, 3))[:, [0, 3]], rtol=1e-13, atol=0)


def test_a_wall_is_a_mirror(generator):
    gas, half = IdealGas(), random_gas(generator, 1, 8, 8)
    mirrored = half.flip(2)
    mirrored[:, 1] *= -1
    open_y = ("open", "open")
    whole = evolved(gas, torch.cat([mirrored, half], 2), 0.1, (0.1, 0.1), (open_y, open_y))
    part = evolved(gas, half, 0.1, (0.1, 0.1), (("wall", "open"), open_y))
    torch.testing.assert_close(whole[:, :, 8:], part, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 0.02])
def test_exchanging_x_and_y_exchanges_the_result(generator, eta):
    state = random_gas(generator, 2, 12, 10)
    viscosity = Viscosity(eta=torch.full((2,), eta)) if eta else None
    faces = (("wall", "open"), ("periodic", "periodic"))
    end = evolved(IdealGas(), state, 0.1, (0.1, 0.12), faces, viscosity)
    other = evolved(IdealGas(), transposed(state), 0.1, (0.12, 0.1), faces[::-1], viscosity)
    torch.testing.assert_close(transposed(other), end, rtol=1e-12, atol=1e-12)


def test_trajectories_do_not_know_each_other(generator):
    state = random_gas(generator, 3, 8, 8)
    state[1, 3] *= 20  # faster waves: smaller steps of its own
    viscosity = Viscosity(eta=torch.tensor([0.0, 0.01, 0.03]))
    together = evolved(IdealGas(), state, 0.1, (0.1, 0.1), PERIODIC, viscosity)
    for one in range(3):
        own = Viscosity(eta=viscosity.eta[one : one + 1])
        alone = evolved(IdealGas(), state[one : one + 1], 0.1, (0.1, 0.1), PERIODIC, own)
        torch.testing.assert_close(together[one : one + 1], alone, rtol=1e-14, atol=1e-14)


def test_ghosts_of_every_kind():
    values = torch.arange(1.0, 13.0).view(1, 1, 4, 3).expand(1, 3, 4, 3)
    padded = with_ghosts(values, (("wall", "open"), ("periodic", "periodic")))[0]
    assert padded.shape == (3, 8, 7)
    assert padded[0, :, 2].tolist() == [4, 1, 1, 4, 7, 10, 10, 10]
    assert padded[1, :, 2].tolist() == [-4, -1, 1, 4, 7, 10, 10, 10]
    assert padded[2, 3].tolist() == [5, 6, 4, 5, 6, 4, 5]
    assert padded[2, 0].tolist() == [5, 6, 4, 5, 6, 4, 5]


def test_slopes_stay_between_neighbours(generator):
    values = torch.randn(50, 20, generator=generator)
    slopes, left, right = half_slopes(values, 1), values.diff()[:, :-1], values.diff()[:, 1:]
    smaller = torch.minimum(left.abs(), right.abs())
    expected = torch.where(
        left * right > 0, torch.sign(left) * torch.minimum(smaller, (left + right).abs() / 4), 0.0
    )
    torch.testing.assert_close(slopes, expected)


def test_viscous_shear_decays_as_it_should():
    cells, eta = 64, 0.05
    y = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    primitive = torch.ones(1, 4, 4, cells, dtype=torch.float64)
    primitive[:, 1] = 0.1 * torch.sin(2 * torch.pi * y)
    primitive[:, 2] = 0
    gas = IdealGas()
    viscosity = Viscosity(eta=torch.tensor([eta]))
    end = gas.primitive(evolved(gas, gas.conserved(primitive), 0.2, (1.0, 1 / cells), PERIODIC, viscosity))
    decay = math.exp(-eta * (2 * math.pi) ** 2 * 0.2)
    # heat made by friction moves the gas a little along y, but not along x
    torch.testing.assert_close(end[:, 1], primitive[:, 1] * decay, rtol=0, atol=2e-4)

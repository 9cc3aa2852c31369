"""Planets against REBOUND, scipy and conservation laws; temperatures against what the field is made of."""

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.numbers.planets import (
    described,
    draw_systems,
    integrate,
    planet_sequences,
    start_of_orbits,
)
from simonides.papers.numbers.temperature import degrees, draw_weather


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def orbits(count=6, planets=3):
    draws = seeded(1)
    masses = 1e-5 + 4e-5 * torch.rand(count, planets, generator=draws, dtype=torch.float64)
    axes = torch.tensor([1.0, 1.5, 2.1, 2.8], dtype=torch.float64)[:planets].expand(count, planets)
    eccentricities = 0.1 * torch.rand(count, planets, generator=draws, dtype=torch.float64)
    angles = torch.rand(count, planets, generator=draws, dtype=torch.float64) - 0.5
    return masses, axes, eccentricities, angles


def test_orbits_are_those_of_rebound():
    rebound = pytest.importorskip("rebound")
    masses, axes, eccentricities, angles = orbits()
    positions, velocities, every = start_of_orbits(masses, axes, eccentricities, angles)
    sizes = torch.full((6,), 0.8, dtype=torch.float64)
    found = integrate(positions, velocities, every, sizes, 20)
    for system in range(6):
        simulation = rebound.Simulation()
        simulation.add(m=1.0)
        for p in range(3):
            a, e, f = (float(one[system, p]) for one in (axes, eccentricities, angles))
            simulation.add(m=float(masses[system, p]), a=a, e=e, f=f)
        for step in range(20):
            simulation.integrate(0.8 * step)
            there = np.array([[body.x, body.y] for body in simulation.particles])
            np.testing.assert_allclose(found[system, step], there, atol=1e-10)


def test_orbits_are_those_of_scipy_and_keep_energy_and_momentum():
    from scipy.integrate import solve_ivp

    masses, axes, eccentricities, angles = orbits(count=1)
    positions, velocities, every = start_of_orbits(masses, axes, eccentricities, angles)
    found = integrate(positions, velocities, every, torch.tensor([0.5], dtype=torch.float64), 16)[0].numpy()
    m = every[0].numpy()

    def rates(_, state):
        x, v = state.reshape(2, -1, 2)
        apart = x[None] - x[:, None]
        distance = np.linalg.norm(apart, axis=-1) + np.eye(len(m))
        return np.concatenate([v.ravel(), (m[None, :, None] * apart / distance[..., None] ** 3).sum(1).ravel()])

    start = np.concatenate([positions[0].numpy().ravel(), velocities[0].numpy().ravel()])
    solved = solve_ivp(rates, (0, 7.5), start, "DOP853", np.arange(16) * 0.5, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(found, solved.y[: 2 * len(m)].T.reshape(16, -1, 2), atol=1e-10)
    # a single planet comes back after its period
    one = orbits(count=1, planets=1)
    x, v, mass = start_of_orbits(*one)
    period = 2 * np.pi / float(mass.sum()) ** 0.5
    around = integrate(x, v, mass, torch.tensor([period / 8], dtype=torch.float64), 9)[0]
    offset = around[8] - around[0]
    torch.testing.assert_close(offset[1] - offset[0], torch.zeros(2, dtype=torch.float64), atol=1e-9, rtol=0)


def test_sequences_of_planets_say_what_was_drawn():
    systems = draw_systems(4, 2, 3, seeded())
    order = torch.tensor([[0, 1], [1, 0], [0, 1], [1, 0]])
    sequences = planet_sequences(systems, order)
    numbers = sequences.values[sequences.is_number].view(4, -1)
    assert float(numbers[1, 1]) == float(systems.axes[1, 1])
    torch.testing.assert_close(numbers[:, 6], systems.step_sizes)
    torch.testing.assert_close(numbers[0, 7:9], systems.positions[0, 0, 0])
    torch.testing.assert_close(numbers[1, 7:9], systems.positions[1, 0, 1])
    assert described(sequences, [1, 6]).sum(1).tolist() == [2, 2, 2, 2]
    assert bool((systems.axes[:, 0] == 1).all()) and float(systems.positions.abs().max()) < 3.5
    with pytest.raises(SimonidesError, match="planets"):
        draw_systems(1, 1, 3, seeded())


def test_bodies_that_meet_are_told():
    x = torch.zeros(1, 2, 2, dtype=torch.float64)
    with pytest.raises(SimonidesError, match="too near"):
        integrate(x, x, torch.ones(1, 2, dtype=torch.float64), torch.ones(1, dtype=torch.float64), 3)


def test_temperatures_tell_place_season_and_neighbours():
    weather = draw_weather(3000, 2, 4, seeded())
    celsius, latitude = weather.celsius, weather.latitude
    assert float(celsius[latitude.abs() > 1.2].mean()) < 0 < 20 < float(celsius[latitude.abs() < 0.3].mean())
    winter = (weather.start % 8766 < 700)[:, None] & (latitude > 0.8)
    summer = ((weather.start - 4383).abs() < 700)[:, None] & (latitude > 0.8)
    assert float(celsius[summer].mean()) > float(celsius[winter].mean()) + 10
    again = draw_weather(3000, 2, 4, seeded())
    assert torch.equal(again.celsius, celsius)
    torch.testing.assert_close(degrees(weather.standardised()), celsius)
    sequences = weather.sequences()
    numbers = sequences.values[sequences.is_number].view(3000, -1)
    assert numbers.shape[1] == 2 * 3 + 4 + 2 * 4
    torch.testing.assert_close(numbers[:, -1], weather.standardised()[:, 1, -1])
    assert float(numbers.abs().max()) < 5

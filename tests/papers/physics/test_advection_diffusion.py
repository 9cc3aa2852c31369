"""Advection and diffusion on a line, against shifted profiles and an independent solution in time."""

import numpy as np
import torch
from scipy.integrate import solve_ivp

from simonides.papers.physics.advection_diffusion import draw, frames

BOUNDS = {"least_speed": 0.5, "most_speed": 1.5, "least_diffusivity": 1e-3, "most_diffusivity": 1e-2}


def solved(settings, cells, times, seed=0):
    initial, own = draw(cells, torch.Generator().manual_seed(seed), settings)
    numbers = {name: torch.tensor([value], dtype=torch.float64) for name, value in own.items()}
    given = {name: one[None] for name, one in initial.items()}
    return torch.stack(list(frames(given, numbers, torch.tensor(times, dtype=torch.float64))))[:, 0, 0], own


def test_a_profile_is_carried_by_whole_cells():
    settings = {"least_speed": 0.75, "most_speed": 0.75}
    profiles, own = solved(settings, 64, [0.0, 0.25, 1.0])
    assert own == {"speed": 0.75, "diffusivity": 0.0}
    torch.testing.assert_close(profiles[1], profiles[0].roll(12), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(profiles[2], profiles[0].roll(48), rtol=1e-12, atol=1e-12)


def test_against_scipy():
    profiles, own = solved(BOUNDS, 32, [0.0, 0.3])
    waves = 2j * np.pi * np.fft.fftfreq(32, 1 / 32)

    def rate(_, profile):
        spectrum = np.fft.fft(profile)
        return np.fft.ifft((-own["speed"] * waves + own["diffusivity"] * waves**2) * spectrum).real

    end = solve_ivp(rate, (0, 0.3), profiles[0].numpy(), rtol=1e-10, atol=1e-10).y[:, -1]
    np.testing.assert_allclose(profiles[1].numpy(), end, atol=1e-7)


def test_draws_lie_within_their_bounds_and_are_scaled():
    draws = [solved(BOUNDS, 256, [0.0], seed) for seed in range(50)]
    for name in ("speed", "diffusivity"):
        values = [own[name] for _, own in draws]
        assert BOUNDS[f"least_{name}"] <= min(values) < max(values) <= BOUNDS[f"most_{name}"]
    assert all(abs(float(profiles[0].square().mean()) - 1) < 1e-9 for profiles, _ in draws)

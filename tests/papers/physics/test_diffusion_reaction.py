"""Diffusion and reaction, against scipy's solution of the same cells."""

import numpy as np
import torch
from scipy.fft import dctn
from scipy.integrate import solve_ivp

from simonides.papers.physics.cosines import cosine_matrix, second_differences
from simonides.papers.physics.diffusion_reaction import HIGH, LOW, draw, frames

NAMES = {"activator_diffusivity": 1e-3, "inhibitor_diffusivity": 5e-3, "threshold": 5e-3}
NUMBERS = {name: torch.tensor([value], dtype=torch.float64) for name, value in NAMES.items()}


def reference(state, times):
    cells = state.shape[-1]
    width = (HIGH - LOW) / cells

    def spread(field):
        around = np.pad(field, 1, mode="edge")
        total = around[2:, 1:-1] + around[:-2, 1:-1] + around[1:-1, 2:] + around[1:-1, :-2]
        return (total - 4 * field) / width**2

    def rate(_, flat):
        u, v = flat.reshape(2, cells, cells)
        change = [1e-3 * spread(u) + u - u**3 - 5e-3 - v, 5e-3 * spread(v) + u - v]
        return np.stack(change).ravel()

    solution = solve_ivp(rate, (0, times[-1]), state.ravel(), t_eval=times, rtol=1e-9, atol=1e-9, method="DOP853")
    return torch.tensor(solution.y.T).view(len(times), 2, cells, cells)


def test_against_scipy(generator):
    initial, _ = draw(16, generator, NAMES)
    state, times = initial["state"].double()[None], torch.linspace(0, 1, 6, dtype=torch.float64)
    exact = reference(state[0].numpy(), times.numpy())
    errors = []
    for step in (0.025, 0.0125, 0.00625):
        found = torch.cat(list(frames({"state": state}, NUMBERS, times, longest_step=step)))
        errors.append(float((found - exact).norm() / exact.norm()))
    assert errors[0] < 2e-4
    assert errors[1] < errors[0] / 3.5 and errors[2] < errors[1] / 3.5


def test_single_precision_is_enough(generator):
    initial, _ = draw(16, generator, NAMES)
    times = torch.linspace(0, 5, 11, dtype=torch.float64)
    single = torch.cat(list(frames({"state": initial["state"][None]}, NUMBERS, times)))
    double = torch.cat(list(frames({"state": initial["state"].double()[None]}, NUMBERS, times)))
    assert float((single - double).norm() / double.norm()) < 3e-5


def test_exchanging_x_and_y_exchanges_the_result(generator):
    state = draw(16, generator, NAMES)[0]["state"].double()[None]
    times = torch.tensor([0.0, 0.5], dtype=torch.float64)
    *_, end = frames({"state": state}, NUMBERS, times)
    *_, other = frames({"state": state.mT}, NUMBERS, times)
    torch.testing.assert_close(other.mT, end, rtol=1e-12, atol=1e-12)


def test_cosines_are_scipys_and_diagonalise_the_differences(generator):
    field = torch.randn(7, 7, dtype=torch.float64, generator=generator)
    matrix = cosine_matrix(7, torch.float64, field.device)
    np.testing.assert_allclose((matrix @ field @ matrix.T).numpy(), dctn(field.numpy(), norm="ortho"), atol=1e-13)
    around = torch.nn.functional.pad(field[None], (1, 1, 1, 1), mode="replicate")[0]
    spread = around[2:, 1:-1] + around[:-2, 1:-1] + around[1:-1, 2:] + around[1:-1, :-2] - 4 * field
    values = second_differences(7, 0.5, torch.float64, field.device)
    torch.testing.assert_close(
        matrix.T @ ((matrix @ field @ matrix.T) * values) @ matrix, spread / 0.25, rtol=1e-11, atol=1e-11
    )

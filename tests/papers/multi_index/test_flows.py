"""Targets, closed flows and predicted saddles against quadrature, autograd and scipy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from simonides.base import SimonidesError
from simonides.papers.multi_index.flows import haar_overlaps, planted, two_time_scales
from simonides.papers.multi_index.saddles import information_exponent, predict_saddles
from simonides.papers.multi_index.stiff import flow
from simonides.papers.multi_index.targets import (
    HermiteTarget,
    from_function,
    harmonic,
    kept,
    parity,
    pulled,
    radial,
    staircase,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


MIXED = HermiteTarget(coefficients={(1, 0): 0.7, (1, 1): -0.4, (0, 3): 0.9, (2, 1): 0.5})


def test_a_target_is_its_expansion():
    found = from_function(MIXED, q=2, degree=4)
    assert found.active == pytest.approx(MIXED.active)
    assert sum(float(t.square().sum()) for t in MIXED.tensors.values()) == pytest.approx(MIXED.variance)
    assert MIXED.degree == 3 and information_exponent(MIXED) == 1
    assert staircase(3).active == {(1, 0, 0): 1.0, (1, 1, 0): 1.0, (1, 1, 1): 1.0}
    assert parity(2).active == {(1, 1): 1.0}


def test_harmonic_and_radial_targets_look_as_they_should():
    z = torch.randn(500, 2, generator=seeded(), dtype=torch.float64)
    angle, size = torch.atan2(z[:, 1], z[:, 0]), z.norm(dim=1)
    values = harmonic({3: 1.0})(z)
    expected = size**3 * torch.cos(3 * angle)
    assert float(torch.corrcoef(torch.stack([values, expected]))[0, 1]) == pytest.approx(1.0)
    assert harmonic({2: 1.0, 5: 1.5}).variance == pytest.approx(1 + 1.5**2)
    f = radial(2, 4)
    turned = torch.stack([z[:, 0] * 0.6 - z[:, 1] * 0.8, z[:, 0] * 0.8 + z[:, 1] * 0.6], 1)
    assert torch.allclose(f(z), f(turned), atol=1e-9) and f.variance == pytest.approx(1.0)
    with pytest.raises(SimonidesError, match="even degrees"):
        radial(2, 3)


@given(st.integers(0, 1000))
@settings(max_examples=15)
def test_what_is_kept_has_the_derivative_that_is_told(seed):
    m = (0.5 * torch.randn(2, 2, 2, generator=seeded(seed), dtype=torch.float64)).requires_grad_()
    (gradient,) = torch.autograd.grad(kept(MIXED, m).sum(), m)
    assert torch.allclose(pulled(MIXED, m.detach()), gradient, atol=1e-9)


def test_what_is_kept_is_what_a_noisy_look_correlates():
    m = torch.tensor([[0.6, 0.2], [-0.1, 0.5]], dtype=torch.float64)
    z = torch.randn(400_000, 2, generator=seeded(1), dtype=torch.float64)
    noise = torch.randn(400_000, 2, generator=seeded(2), dtype=torch.float64)
    root = torch.linalg.cholesky(torch.eye(2, dtype=torch.float64) - m @ m.mT)
    seen = z @ m.mT + noise @ root.mT
    correlation = float((MIXED(seen) * MIXED(z)).mean())
    assert correlation == pytest.approx(float(kept(MIXED, m[None])), abs=0.02)


def test_the_stiff_solver_is_scipys():
    def velocity(y):
        return torch.stack([-1e4 * (y[:, 0] - y[:, 1].cos()), 1 - 0.1 * y[:, 1]], 1)

    start = torch.tensor([[0.0, 0.0], [1.0, 2.0]], dtype=torch.float64)
    found = flow(velocity, start, [0.5, 5.0, 50.0], watch=lambda y: y[:, 1:], level=5.0)
    for run in range(2):
        answer = solve_ivp(
            lambda t, y: velocity(torch.from_numpy(y)[None])[0].numpy(),
            (0, 50),
            start[run].numpy(),
            method="Radau",
            rtol=1e-10,
            atol=1e-12,
            t_eval=[0.5, 5.0, 50.0],
        )
        assert np.allclose(found.states[:, run].numpy(), answer.y.T, rtol=1e-6, atol=1e-8)
    # y' = 1 - y/10 from 0 rises through 5 at 10 log 2
    assert float(found.crossings[0, 0]) == pytest.approx(10 * np.log(2), rel=1e-6)
    with pytest.raises(SimonidesError, match="must rise"):
        flow(velocity, start, [1.0, 1.0])


@pytest.mark.parametrize("kind", ["free", "planted"])
def test_a_stack_of_starts_is_followed_as_radau_follows_each(kind):
    overlaps = haar_overlaps(12, 2, 2, [seeded(seed) for seed in range(4)])
    times = [1.0, 30.0, 1e3, 1e5]
    found = (two_time_scales if kind == "free" else planted)(MIXED, overlaps, times)
    eye = np.eye(2)
    for run in range(4):
        m0 = overlaps[run].numpy()

        def free(t, flat):
            g = flat.reshape(2, 2)
            half = (eye - g) @ (0.5 * pulled(MIXED, torch.from_numpy(g)[None])[0].numpy()) @ g
            return (2 * (half + half.T)).ravel()

        def known(t, flat):
            m = flat.reshape(2, 2)
            c = pulled(MIXED, torch.from_numpy(m)[None])[0].numpy()
            inner = m.T @ c
            return (c - m @ (0.5 * (inner + inner.T))).ravel()

        start = (m0 @ m0.T if kind == "free" else m0).ravel()
        answer = solve_ivp(
            free if kind == "free" else known, (0, 1e5), start, method="Radau", rtol=1e-9, atol=1e-12, t_eval=times
        )
        final = answer.y[:, -1].reshape(2, 2)
        squares = np.linalg.eigvalsh(final)[::-1] if kind == "free" else np.linalg.svd(final)[1] ** 2
        assert np.allclose(found.overlaps[-1, run].numpy(), squares, atol=1e-5)
    assert bool((found.loss.diff(dim=0) <= 1e-7).all())


def test_haar_draws_have_no_preferred_sign():
    corners = haar_overlaps(20, 2, 2, [seeded(seed) for seed in range(400)])[:, 1, 1]
    assert 160 < int((corners > 0).sum()) < 240
    assert haar_overlaps(20, 2, 2, seeded()).shape == (2, 2)
    with pytest.raises(SimonidesError, match="do not fit"):
        haar_overlaps(2, 2, 3, seeded())


@pytest.mark.parametrize(
    ("coefficients", "expected"),
    [
        ({(1, 0): 1.0, (1, 1): 1.0}, [((0,), 1), ((1,), 1)]),
        ({(1, 0): 1.0, (0, 2): 1.0}, [((0,), 1), ((1,), 2)]),
        ({(2, 0): 1.0, (0, 3): 1.0}, [((0,), 2), ((1,), 3)]),
        ({(1, 1): 1.0}, [((0, 1), 2)]),
        ({(1, 0): 1.0, (1, 2): 1.0}, [((0,), 1), ((1,), 2)]),
    ],
)
def test_saddles_and_their_exponents(coefficients, expected):
    saddles = predict_saddles(HermiteTarget(coefficients=coefficients), 100)
    assert [(saddle.found, saddle.exponent) for saddle in saddles] == expected
    assert saddles[0].loss == pytest.approx(0.5 * sum(value**2 for value in coefficients.values()))


def test_predicted_times_are_measured():
    target = HermiteTarget(coefficients={(3,): 0.8})
    found = two_time_scales(target, torch.full((1, 1, 1), 1000**-0.5, dtype=torch.float64), [1e9])
    assert float(found.escapes) == pytest.approx(predict_saddles(target, 1000)[0].duration, rel=0.01)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HermiteTarget(coefficients={}), "needs coefficients"),
        (lambda: HermiteTarget(coefficients={(1,): 1.0, (1, 0): 1.0}), "one length"),
        (lambda: HermiteTarget(coefficients={(-1,): 1.0}), "from 0"),
        (lambda: HermiteTarget(coefficients={(0, 0): 1.0}), "constant"),
        (lambda: HermiteTarget(coefficients={(1,): float("nan")}), "not finite"),
        (lambda: from_function(lambda z: z[:, 0] / 0, 1, 2), "not finite"),
        (lambda: from_function(lambda z: z[:, 0], 5, 2), "at most four"),
        (lambda: from_function(lambda z: z, 1, 2), "one number a point"),
        (lambda: from_function(lambda z: z[:, 0], 1, 6, nodes=3), "more nodes"),
        (lambda: MIXED(torch.zeros(2, 5).double()), "5 variables"),
        (lambda: HermiteTarget(coefficients={(30, 30): 1.0}).tensors, "lower it"),
        (lambda: two_time_scales(MIXED, 0.1 * torch.eye(2).double()[None], [float("nan")]), "be finite"),
        (lambda: two_time_scales(MIXED, 0.1 * torch.eye(2).double()[None], [1.0], tolerance=-1.0), "tolerance"),
        (lambda: predict_saddles(staircase(3), 2), "hold no 3"),
        (lambda: two_time_scales(MIXED, torch.eye(3).double()[None], [1.0]), "expected"),
        (lambda: two_time_scales(MIXED, 2 * torch.eye(2).double()[None], [1.0]), "above one"),
        (lambda: planted(MIXED, torch.zeros(1, 2, 3).double(), [1.0]), "r = q"),
    ],
)
def test_wrong_input_is_refused(make, message, unchecked):
    with pytest.raises(SimonidesError, match=message):
        make()


@pytest.mark.parametrize("size", [1e-4, 1e-8, 1e-20])
def test_the_smallest_starts_are_followed(size):
    target = HermiteTarget(coefficients={(1,): 1.0})
    start = torch.full((1, 1, 1), size**0.5, dtype=torch.float64)
    expected = 0.5 * (np.log(0.25 / 0.75) - np.log(size / (1 - size)))
    assert float(two_time_scales(target, start, [100.0]).escapes) == pytest.approx(expected, rel=1e-6)


def test_of_one_exponent_the_strongest_is_found_first():
    saddles = predict_saddles(HermiteTarget(coefficients={(2, 0): 1.0, (0, 2): 0.1}), 3000)
    assert [saddle.found for saddle in saddles] == [(0,), (1,)]
    assert saddles[1].duration == pytest.approx(100 * saddles[0].duration)

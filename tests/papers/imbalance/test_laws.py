"""Theory of descent under imbalance against ODE solvers, autograd and brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.papers.imbalance import laws
from simonides.papers.imbalance.bigrams import (
    best_sign_error,
    descent_error,
    descent_steps,
    sign_error,
    sign_steps,
    zipf_descent_steps,
)


def test_descent_on_quadratics():
    shares = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    w = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    now = w.clone()
    for _ in range(7):
        now -= 1.5 * shares * now
    assert torch.allclose(laws.quadratic_descent(w, shares, 1.5, 7), now)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5), st.integers(0, 30))
def test_sign_descent_on_quadratics(start, steps):
    w = torch.tensor(start, dtype=torch.float64)
    now, rate = w.clone(), 0.25
    for _ in range(steps):
        now -= rate * now.sign()
    found = laws.quadratic_sign(w, rate, steps)
    # a coordinate that meets zero up to rounding may go on or stay
    close = (found - now).abs() < 1e-9
    assert bool((close | ((w.abs() / rate).frac().sub(0.5).abs() > 0.5 - 1e-9)).all())


@pytest.mark.parametrize("share", [1e-4, 0.1, 0.9])
@pytest.mark.parametrize("classes", [2, 5, 1000])
def test_the_margin_solves_its_equation_and_its_flow(share, classes):
    times = np.array([0.0, 1.0, 50.0, 1e4, 1e7])
    u = laws.descent_margin(times, share, classes)
    assert np.allclose(np.exp(u) + (classes - 1) * u, 1 + classes * share * times, rtol=1e-9)
    # du/dt = C pi/(e^u + C - 1), which the cross-entropy gives: (1 - p)(1 + 1/(C - 1)) pi, p = e^u/(e^u + C - 1)
    h = 1e-4
    slope = (
        laws.descent_margin(times[1:3] + h, share, classes) - laws.descent_margin(times[1:3] - h, share, classes)
    ) / (2 * h)
    assert np.allclose(slope, classes * share / (np.exp(u[1:3]) + classes - 1), rtol=1e-5)


@given(st.floats(1e-6, 1.0), st.floats(1.0, 1e8), st.integers(2, 10_000))
def test_the_loss_lies_between_its_bounds(share, share_time, classes):
    loss = float(laws.descent_loss(share_time / share, share, classes))
    assert (classes - 1) / (2 * classes) * (1 - 1e-9) <= share_time * loss <= (classes - 1) * (1 + 1e-9)


def test_losses_start_at_log_c_and_sign_descent_ends_as_e_to_minus_2t():
    assert float(laws.descent_loss(0.0, 0.2, 7)) == pytest.approx(math.log(7))
    assert float(laws.sign_loss(0.0, 7)) == pytest.approx(math.log(7))
    assert float(laws.sign_loss(12.0, 7)) * math.exp(24.0) == pytest.approx(6.0, rel=1e-6)
    with pytest.raises(SimonidesError):
        laws.sign_loss(1.0, 1)


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(40, 6, generator=generator, dtype=torch.float64)
    targets = torch.randint(5, (40,), generator=generator)
    weight = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    return x, targets, weight


def mean_loss(weight, x, targets):
    return torch.nn.functional.cross_entropy(x @ weight.mT, targets)


def test_gradients_by_class_are_autograds(problem):
    x, targets, weight = problem
    weight.requires_grad_()
    (gradient,) = torch.autograd.grad(mean_loss(weight, x, targets), weight)
    found = laws.class_gradients((x @ weight.mT)[None], x, targets)[0]
    assert torch.allclose(found, gradient.norm(dim=1))
    zero = torch.zeros_like(weight).requires_grad_()
    (at_zero,) = torch.autograd.grad(mean_loss(zero, x, targets), zero)
    assert torch.allclose(laws.gradient_at_zero(x, targets, 5), at_zero)


def test_curvatures_are_autograds(problem):
    x, targets, weight = problem
    hessian = torch.autograd.functional.hessian(lambda w: mean_loss(w, x, targets), weight)
    logits = x @ weight.mT
    traces = torch.stack([hessian[k, :, k].trace() for k in range(5)])
    assert torch.allclose(laws.class_curvatures(logits, x), traces)
    assert torch.allclose(laws.curvature_block(logits, x, 1, 3), hessian[1, :, 3])
    blocks = sum(laws.curvature_block(logits, x, 2, j) for j in range(5))
    assert blocks.abs().max() < 1e-12
    at_zero = laws.class_curvatures(torch.zeros_like(logits), x)
    assert torch.allclose(at_zero, laws.curvature_at_zero(x, 5).expand(5))


def test_gradient_over_curvature_where_samples_are_put_right():
    # far more classes than matter, so that what others add vanishes: one-hot features of three classes
    x = torch.eye(3, dtype=torch.float64).repeat_interleave(torch.tensor([6, 3, 1]), 0)
    targets = torch.arange(3).repeat_interleave(torch.tensor([6, 3, 1]))
    right = 0.6
    logits = torch.full((10, 1003), 0.0, dtype=torch.float64)
    logits[torch.arange(10), targets] = math.log(right / (1 - right) * 1002)
    seen = laws.class_gradients(logits, x, targets)[:3] / laws.class_curvatures(logits, x)[:3]
    shares = torch.tensor([0.6, 0.3, 0.1])
    expected = laws.gradient_over_curvature(right, shares, torch.ones(3), torch.ones(3))
    assert torch.allclose(seen.float(), expected, rtol=0.02)
    with pytest.raises(SimonidesError):
        laws.gradient_over_curvature(1.0, shares, torch.ones(3), torch.ones(3))


def test_bigram_descent_is_that_of_the_full_matrix():
    pi = torch.tensor([0.5, 0.25, 0.15, 0.1], dtype=torch.float64)
    rows = torch.stack([pi[torch.randperm(4, generator=torch.Generator().manual_seed(k))] for k in range(4)])

    def f(w):
        return 0.5 * (pi[:, None] * (w - rows).square()).sum()

    w = torch.zeros(4, 4, dtype=torch.float64)
    for _ in range(9):
        w = w - (1 / pi.max()) * pi[:, None] * (w - rows)
    assert descent_error(pi, 9) == pytest.approx(float(f(w) / f(torch.zeros(4, 4))), rel=1e-9)
    w = torch.zeros(4, 4, dtype=torch.float64)
    for _ in range(9):
        w = w - 0.07 * (pi[:, None] * (w - rows)).sign()
    assert sign_error(pi, 0.07, 9) == pytest.approx(float(f(w) / f(torch.zeros(4, 4))), rel=1e-9)


def test_steps_are_the_least_that_reach_the_error():
    pi = 1 / torch.arange(1, 301)
    steps = descent_steps(pi, 0.2)
    assert descent_error(pi, steps) <= 0.2 < descent_error(pi, steps - 1)
    assert zipf_descent_steps(300, 0.2) == pytest.approx(steps, rel=0.05)
    signed = sign_steps(pi, 0.2)
    assert best_sign_error(pi, signed) <= 0.2 < best_sign_error(pi, signed - 1)
    for bad in (0.0, 1.0):
        with pytest.raises(SimonidesError):
            descent_steps(pi, bad)
    with pytest.raises(SimonidesError):
        descent_error(torch.tensor([1.0, -1.0]), 3)

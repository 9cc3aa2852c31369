"""The solver against closed forms, scipy and its own promises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import NonlinearConstraint, minimize

from simonides.base import SimonidesError
from simonides.papers.teleportation import laws
from simonides.papers.teleportation.functions import Quadratic, booth, goldstein_price, rosenbrock
from simonides.papers.teleportation.oracles import FunctionOracle, cost
from simonides.papers.teleportation.problems import logistic, network, packaged_table, start_of_network
from simonides.papers.teleportation.reference import solve_reference
from simonides.papers.teleportation.solver import Solving, solve


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def points(runs, p, seed=1, scale=1.0):
    return scale * torch.randn(runs, p, generator=seeded(seed), dtype=torch.float64)


@pytest.mark.parametrize(("p", "condition", "least"), [(2, 10.0, 0.999999), (10, 100.0, 0.9999), (50, 1e4, 0.998)])
def test_a_quadratic_has_a_closed_form(p, condition, least):
    f = Quadratic.draw(p, condition, seeded())
    x0 = points(8, p)
    oracle = FunctionOracle(f, 8)
    found = solve(oracle, x0)
    best = f.largest_gradient(found.f0)
    assert bool((found.target.exp() >= least * best).all() and (found.target.exp() <= best * (1 + 1e-8)).all())
    assert bool((found.f <= found.f0 * (1 + 1e-9)).all())
    assert int(oracle.hvps.max()) <= 50
    # a step of 1/lambda_max ends near the minimum
    largest = torch.linalg.eigvalsh(f.matrix)[-1]
    after = f(found.x - found.x @ f.matrix / largest)
    assert float((after / found.f0).max()) < 1e-2


def test_booths_function_has_a_known_point():
    found = solve(FunctionOracle(booth, 1), torch.tensor([[7.5, -4.0]], dtype=torch.float64))
    assert float(found.f0) == 92.25
    assert float(found.target0.exp()) == pytest.approx(20.1246, rel=1e-4)
    assert float(found.target.exp()) == pytest.approx((2 * 92.25 * 18) ** 0.5, rel=1e-4)


def functions():
    table = packaged_table("iris")
    net, size = network(table, 4, 0.01)
    return [
        (booth, points(200, 2, scale=5.0)),
        (goldstein_price, points(200, 2)),
        (rosenbrock, points(200, 4)),
        (logistic(table, 1e-3), points(200, 5)),
        (net, points(200, size)),
    ]


def test_a_thousand_starts_break_no_promise():
    for f, x0 in functions():
        oracle = FunctionOracle(f, len(x0))
        found = solve(oracle, x0, Solving(steps=10))
        slack = Solving().slack(found.f0)
        assert bool(found.x.isfinite().all() and found.f.isfinite().all() and found.target.isfinite().all())
        assert bool((found.f <= found.f0 + slack).all())
        assert bool((found.target >= found.target0).all())
        assert torch.allclose(f(found.x), found.f)
        assert int(oracle.hvps.max()) <= 10
        assert bool((cost(oracle) == 2 * oracle.gradients + 5 * oracle.hvps + oracle.forwards).all())


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_rows_of_a_stack_do_not_see_each_other(seed):
    f = Quadratic.draw(5, 50.0, seeded(3))
    x0 = points(3, 5, seed)
    together = solve(FunctionOracle(f, 3), x0, Solving(steps=8))
    alone = solve(FunctionOracle(f, 1), x0[1:2], Solving(steps=8))
    assert torch.allclose(together.x[1:2], alone.x, rtol=1e-6, atol=1e-9)


def test_scipy_finds_no_larger_gradient():
    table = packaged_table("iris")
    f = logistic(table, 1e-2)
    x0 = points(1, 5, 4)
    found = solve(FunctionOracle(f, 1), x0, Solving(steps=200))

    def value(x):
        return float(f(torch.as_tensor(x)[None]))

    def gradient(x):
        own = torch.as_tensor(x)[None].clone().requires_grad_()
        return torch.autograd.grad(f(own).sum(), own)[0][0].numpy()

    best = 0.0
    for seed in range(3):
        answer = minimize(
            lambda x: -0.5 * float(gradient(x) @ gradient(x)),
            x0[0].numpy() + 0.1 * np.random.default_rng(seed).normal(size=5),
            constraints=NonlinearConstraint(value, -np.inf, value(x0[0].numpy())),
            method="trust-constr",
            options={"maxiter": 400},
        )
        if value(answer.x) <= value(x0[0].numpy()) * (1 + 1e-6):
            best = max(best, float(np.linalg.norm(gradient(answer.x))))
    assert float(found.target.exp()) >= 0.99 * best > 0


def test_at_a_solution_the_gradient_is_an_eigenvector():
    f = logistic(packaged_table("breast cancer"), 1e-3)
    found = solve(FunctionOracle(f, 2), points(2, 31, 2, 0.1), Solving(steps=300))
    _, g, pulled = FunctionOracle(f, 2).pull(found.x, torch.ones(2, dtype=torch.bool))
    assert bool((laws.eigenvector_cosine(g, pulled) > 0.999).all())
    # from there nothing is to be won
    again = solve(FunctionOracle(f, 2), found.x, Solving(steps=5))
    assert torch.allclose(again.target, found.target, rtol=1e-3)


def test_another_target_on_the_level_set():
    f = Quadratic.draw(3, 10.0, seeded())
    x0 = points(4, 3)
    far = solve(FunctionOracle(f, 4), x0, Solving(steps=60), target=lambda x: x.square().sum(1))
    expected = 2 * far.f0 / torch.linalg.eigvalsh(f.matrix)[0]  # along the flattest direction
    assert torch.allclose(far.target, expected, rtol=1e-2)
    assert bool((far.f <= far.f0 * (1 + 1e-9)).all())


def test_level_mode_stays_on_the_level():
    found = solve(FunctionOracle(rosenbrock, 3), points(3, 3), Solving(steps=10, level=True))
    assert torch.allclose(found.f, found.f0, rtol=1e-8)


def test_budgets_and_flat_points():
    f = Quadratic.draw(20, 1e3, seeded())
    oracle = FunctionOracle(f, 2)
    found = solve(oracle, torch.cat([points(1, 20), torch.zeros(1, 20, dtype=torch.float64)]), Solving(budget=40))
    assert found.status == ("budget used", "flat")
    assert 40 <= int(cost(oracle)[0]) < 140
    assert torch.equal(found.x[1], torch.zeros(20, dtype=torch.float64))


def test_the_path_is_kept_when_asked():
    found = solve(FunctionOracle(booth, 1), torch.tensor([[7.5, -4.0]], dtype=torch.float64), keep_path=True)
    values = torch.cat([booth(x) for x in found.path])
    assert len(found.path) > 3 and bool((values <= 92.25 * (1 + 1e-9)).all())


def test_the_reference_climbs_less_and_may_leave_the_level(unchecked):
    f = Quadratic.draw(10, 100.0, seeded())
    x0 = points(1, 10)
    ours = solve(FunctionOracle(f, 1), x0)
    theirs = solve_reference(FunctionOracle(f, 1), x0, Solving(steps=50))
    assert float(theirs.target) > float(theirs.target0)
    assert float(ours.target) > float(theirs.target)
    with pytest.raises(SimonidesError, match="solves one"):
        solve_reference(FunctionOracle(f, 2), points(2, 10))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"rate": 0.0}, "positive first step"),
        ({"rate": float("nan")}, "positive first step"),
        ({"tolerance": 2.0}, "share of"),
        ({"budget": 0}, "budget"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(SimonidesError, match=message):
        Solving(**options)
    with pytest.raises(SimonidesError, match="not finite at the start"):
        solve(FunctionOracle(lambda x: x.sum(1).log(), 1), -torch.ones(1, 2))


def test_rates_of_theory():
    assert laws.stable_rate(1.0, 1.0) == 0.0 and laws.stable_rate(0.5, 2.0) == 0.75
    assert laws.fixed_step_rate(1.0, 0.5, 2.0) == 0.75
    assert laws.combined_bound(1.0, 2.0, 1.0, 0.5, 10, 3) == 0.125
    assert laws.combined_bound(100.0, 1.0, 1.0, 0.9, 10, 1) == pytest.approx(2 / 14)
    for wrong in (lambda: laws.stable_rate(2.0, 1.0), lambda: laws.fixed_step_rate(1.0, 3.0, 2.0)):
        with pytest.raises(SimonidesError):
            wrong()
    with pytest.raises(SimonidesError):
        laws.combined_bound(1.0, 1.0, 1.0, 0.5, 2, 3)
    g = torch.tensor([[1.0, 0.0]])
    assert float(laws.curvature_along(g, torch.tensor([[3.0, 1.0]]))) == 3.0


def test_networks_start_and_count_their_parameters():
    table = packaged_table("wine")
    f, size = network(table, 3, 0.0, "relu")
    start = start_of_network(table, 3, seeded())
    assert start.shape == (size,) and bool(f(start[None]).isfinite().all())


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3, 1e6])
@pytest.mark.parametrize(("factor", "offset"), [(1.0, 0.0), (1e-15, 0.0), (1e12, 0.0), (1.0, 1e4)])
def test_neither_scale_nor_offset_matters(scale, factor, offset):
    f = Quadratic.draw(10, 100.0, seeded())
    x0 = scale * points(1, 10)
    found = solve(FunctionOracle(lambda x: factor * f(x) + offset * scale**2, 1), x0, Solving(tolerance=1e-10))
    best = factor * f.largest_gradient(f(x0))
    assert float(found.target.exp() / best) > 0.99


def test_a_budget_is_of_each_solve():
    f = Quadratic.draw(5, 10.0, seeded())
    oracle = FunctionOracle(f, 1)
    oracle.hvps += 1000
    assert float(solve(oracle, points(1, 5), Solving(budget=60)).target) > float(
        FunctionOracle(f, 1).gradient(points(1, 5), torch.ones(1, dtype=torch.bool))[1].norm().log()
    )


def test_a_gradient_that_overflows_is_told():
    with pytest.raises(SimonidesError, match="overflows"):
        solve(FunctionOracle(lambda x: 1e200 * x.square().sum(1), 1), points(1, 2))

"""With an exact teleport before every step the iterations of descent do not grow with the condition number.

Mishkin, Bietti & Gower (2025): under Hessian stability each step of 1/(L lambda) shrinks the gap by 1 - m/L, whatever
the condition. Logistic regression on Gaussian rows whose covariance has eigenvalues from 1 to 1/condition.
"""

import math

import torch
from torch import Generator, Tensor

from simonides.lab import Claim, Exponent, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.papers.teleportation.base_methods import Armijo, NewtonCG, Point, descend
from simonides.papers.teleportation.claims._tables import always, reached
from simonides.papers.teleportation.laws import curvature_along
from simonides.papers.teleportation.oracles import FunctionOracle
from simonides.papers.teleportation.problems import logistic, packaged_table
from simonides.papers.teleportation.solver import Solving

GAP, PENALTY = 1e-2, 1e-7


def step(oracle: FunctionOracle, point: Point) -> None:
    """x <- x - g/lambda with lambda the curvature along g."""
    every = torch.ones_like(point.f, dtype=torch.bool)
    _, g, pulled = oracle.pull(point.x, every)
    point.x = point.x - g / curvature_along(g, pulled)[:, None]
    point.f, point.g = oracle.gradient(point.x, every)


def measure(runs: Runs, *, condition: float, solver: int, most: int) -> dict[str, Tensor]:
    """Iterations to a hundredth of the first gap."""

    def one(generator: Generator) -> dict[str, float]:
        table = packaged_table("ill-conditioned", generator, condition)
        f = logistic(table, PENALTY)
        start = torch.zeros(1, table.x.shape[1] + 1, dtype=torch.float64)
        least = descend(f, start, NewtonCG(), 60).f.min(0).values
        teleported = descend(f, start, step, 30, always, Solving(steps=solver))
        plain = descend(f, start, Armijo(), most)
        own, other = (reached(trace, GAP, least)[0] for trace in (teleported, plain))
        gaps = ((teleported.f - least) / (teleported.f[0] - least)).clamp_min(1e-12)[:, 0]
        seen = gaps[gaps > 1e-3]
        factor = float(gaps[len(seen)] / gaps[0]) ** (1 / len(seen)) if len(seen) < len(gaps) else 1.0
        return {
            "teleported": min(own, 30.0),
            "plain": min(other, float(most)),
            "factor": factor,
            "not_reached": float(not math.isfinite(own)),
        }

    return runs.each(one)


def grid(conditions: list[float], solver: int, most: int, seeds: int) -> Grid:
    """Condition numbers a decade apart."""
    return product(condition=conditions, solver=[solver], most=[most]).with_seeds(seeds)


claim = Claim(
    question="Is descent after exact teleports free of the condition number?",
    statement=r"f(w_{k+1}) - f^* \le (1 - \tilde m/\tilde L)(f(w_k) - f^*)",
    source="Mishkin, Bietti & Gower (2025), linear rate under Hessian stability",
    references=["mishkin2025teleportation"],
    scales={
        "smoke": grid([10.0, 100.0], 50, 100, 5),
        "desk": grid([10.0, 100.0, 1e3, 1e4], 300, 1500, 6),
        "paper": grid([10.0, 100.0, 1e3, 1e4, 1e5, 1e6], 3000, 100_000, 6),
    },
    measure=measure,
    rules=[
        Exponent(
            of="teleported",
            against="condition",
            low=-0.1,
            high=0.1,
            says="exponent in the condition number of the iterations to 1 % of the gap, with teleports",
        ),
        Threshold(
            column="factor",
            at_most=0.5,
            says="factor by which an iteration with a teleport shrinks the gap, to 0.1 %",
        ),
    ],
    sanity=[Threshold(column="factor", at_most=0.9)],
    figures=[
        Curves(
            ys={"a teleport before every step": "teleported", "Armijo's rule alone": "plain"},
            x="condition",
            title="Iterations to 1 % of the first gap",
            x_label="condition number",
            y_label="iterations",
            log="xy",
        )
    ],
    stack=1,
    differs="The paper states a bound; iterations against the condition number are measured here.",
)

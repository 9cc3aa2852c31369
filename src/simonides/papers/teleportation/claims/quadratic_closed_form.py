"""On a quadratic the largest gradient of a level set is known, and a step from there ends at the minimum.

|g|^2 is at most 2 f lambda_max on the level set of f, along the top eigenvector, where a step of 1/lambda_max along -g
ends at the minimum.
"""

import torch
from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, zipped
from simonides.papers.teleportation.functions import Quadratic
from simonides.papers.teleportation.oracles import FunctionOracle
from simonides.papers.teleportation.solver import Solving, solve


def measure(runs: Runs, *, p: int, condition: float, steps: int) -> dict[str, Tensor]:
    """How near the solver comes to the closed form, and what one step leaves of f."""

    def one(generator: Generator) -> dict[str, float]:
        f = Quadratic.draw(p, condition, generator)
        x0 = torch.randn(1, p, generator=generator, dtype=torch.float64)
        oracle = FunctionOracle(f, 1)
        found = solve(oracle, x0, Solving(steps=steps))
        largest = torch.linalg.eigvalsh(f.matrix)[-1]
        after = f(found.x - found.x @ f.matrix / largest)
        return {
            "ratio": float(found.target.exp() / f.largest_gradient(found.f0)),
            "violation": max(0.0, float(found.f / found.f0 - 1)),
            "after": float(after / found.f0),
            "products": float(oracle.hvps),
            "gradients": float(oracle.gradients),
        }

    return runs.each(one)


def grid(sizes: list[int], conditions: list[float], seeds: int) -> Grid:
    """Larger problems with larger condition numbers, 50 steps."""
    return zipped(p=sizes, condition=conditions, steps=[50] * len(sizes)).with_seeds(seeds)


claim = Claim(
    question="Does the solver find the largest gradient where it is known?",
    statement=r"\max_{f(w) \le f_0} \|\nabla f(w)\| = \sqrt{2 f_0 \lambda_\max}",
    source="Derived for quadratics; the solver of Mishkin, Bietti & Gower (2025) with points kept feasible",
    references=["mishkin2025teleportation"],
    scales={
        "smoke": grid([2, 10], [10.0, 100.0], 5),
        "desk": grid([2, 10, 50, 50], [10.0, 100.0, 1e4, 1e6], 8),
        "paper": grid([2, 10, 50, 200], [10.0, 100.0, 1e4, 1e6], 32),
    },
    measure=measure,
    rules=[
        Threshold(
            column="ratio", at_least=0.998, says="norm of the gradient over the largest of the level set, 50 steps"
        ),
        Threshold(column="after", at_most=0.01, says="f after one step of 1/lambda_max, over f before"),
        Threshold(column="violation", at_most=1e-8, says="how far f exceeds its start, relative"),
    ],
)

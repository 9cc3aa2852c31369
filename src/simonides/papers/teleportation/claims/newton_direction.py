"""After a teleport the gradient is an eigenvector of the Hessian: descent's direction is Newton's.

Mishkin, Bietti & Gower (2025): the conditions of Karush, Kuhn and Tucker for the largest gradient on a level set.
"""

import torch
from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.papers.teleportation.laws import eigenvector_cosine
from simonides.papers.teleportation.oracles import FunctionOracle
from simonides.papers.teleportation.problems import logistic, packaged_table
from simonides.papers.teleportation.solver import Solving, solve


def measure(runs: Runs, *, table: str, penalty: float, steps: int) -> dict[str, Tensor]:
    """Cosines of g with H g and with H^-1 g, before and after, from weights drawn at random."""
    data = packaged_table(table)
    f = logistic(data, penalty)
    p = data.x.shape[1] + 1

    def one(generator: Generator) -> dict[str, float]:
        x0 = 0.3 * torch.randn(1, p, generator=generator, dtype=torch.float64)
        oracle, every = FunctionOracle(f, 1), torch.ones(1, dtype=torch.bool)
        row: dict[str, float] = {}
        found = solve(oracle, x0, Solving(steps=steps))
        for when, x in (("before", x0), ("after", found.x)):
            _, g, pulled = oracle.pull(x, every)
            hessian = torch.autograd.functional.hessian(lambda w: f(w[None])[0], x[0])
            newton = torch.linalg.solve(hessian, g[0])[None]
            row[f"eigen_{when}"] = float(eigenvector_cosine(g, pulled))
            row[f"newton_{when}"] = float(eigenvector_cosine(g, newton))
        return {**row, "growth": float((found.target - found.target0).exp())}

    return runs.each(one)


def grid(tables: list[str], penalties: list[float], steps: int, seeds: int) -> Grid:
    """Tables and penalties."""
    return product(table=tables, penalty=penalties, steps=[steps]).with_seeds(seeds)


claim = Claim(
    question="Does a teleport turn the gradient into Newton's direction?",
    statement=r"H(w^+) \nabla f(w^+) = \lambda \nabla f(w^+)",
    source="Mishkin, Bietti & Gower (2025), gradient and Newton directions after a teleport",
    references=["mishkin2025teleportation"],
    scales={
        "smoke": grid(["iris"], [1e-2], 50, 5),
        "desk": grid(["iris", "wine", "breast cancer"], [1e-2, 1e-3], 200, 8),
        "paper": grid(["iris", "wine", "breast cancer", "diabetes"], [1e-2, 1e-3, 1e-4], 1000, 16),
    },
    measure=measure,
    rules=[
        Threshold(
            column="eigen_after", at_least=0.999, says="cosine of the gradient and the Hessian times it, after"
        ),
        Threshold(
            column="newton_after", at_least=0.99, says="cosine of the gradient and Newton's direction, after"
        ),
        Threshold(column="newton_before", at_most=0.9, says="the same, before"),
    ],
    sanity=[Threshold(column="eigen_after", at_least=0.9)],
    finding="Every teleport ends with the cosine of g and H g above 0.99999. Newton's direction magnifies what is "
    "left along flat directions: with the largest condition number (breast cancer, penalty 1e-3) its "
    "cosine with g is 0.90 (0.26 before) after 200 steps of the solver. So the statement holds at the "
    "exact point, which a first-order solver approaches slowly where the Hessian is ill-conditioned.",
)

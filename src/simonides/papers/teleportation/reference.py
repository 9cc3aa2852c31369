"""The solver as it was released with Mishkin, Bietti & Gower (2025), for comparison; its defects are part of it.

Sequential linear programming with a proximal term and a merit function: maximise log |g| - gamma max(f - f0, 0).

What differs from `simonides.papers.teleportation.solver.solve`, and was measured to slow it down: after a failed line
search the value and gradient of the rejected point are used at the old one; the penalty gamma has one factor 1/|g|^2
too many and grows without bound as the violation shrinks, which freezes the step; the rule by which steps grow divides
logarithms that may be negative. It may end above f0.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError
from simonides.papers.teleportation.oracles import Oracle, cost
from simonides.papers.teleportation.solver import Solution, Solving

_RESIDUAL, _VIOLATION = 1e-6, 1e-6
_ALPHA, _SHRINK, _BACKTRACKS, _GROWTH = 0.5, 0.5, 25, 5.0


def solve_reference(oracle: Oracle, x0: Float[Tensor, "1 p"], solving: Solving | None = None) -> Solution:
    """Maximise log |g| over f <= f0 (or f = f0 with `level`), of one problem.

    Raises:
        SimonidesError: when several problems are given, or f is not finite at the start.
    """
    solving = solving or Solving()
    if len(x0) != 1:
        raise SimonidesError(f"{len(x0)} problems: the reference solves one; give x0 of shape (1, p).")
    every = torch.ones(1, dtype=torch.bool)
    x = x0.detach().clone()
    f, g = oracle.gradient(x, every)
    if not bool(f.isfinite()):
        raise SimonidesError("the objective is not finite at the start; look at the weights and data.")
    f0, start = f.clone(), g.norm(dim=1).log()
    accepted_f, accepted_g = f, g
    # here the rate is rho itself, as released
    rate, status, residual = solving.rate, "steps used", torch.full_like(f, torch.inf)

    def penalty(excess: Tensor) -> Tensor:
        return excess.abs() if solving.level else excess.clamp_min(0)

    for _ in range(solving.steps):
        if solving.budget is not None and int(cost(oracle)) >= solving.budget:
            status = "budget used"
            break
        _, _, pulled = oracle.pull(x, every)
        square = g.square().sum(1)
        u = pulled / square
        inner = (u * g).sum(1)
        excess = f - f0
        residual = (u - (inner / square)[:, None] * g).square().sum(1)
        if float(residual) <= _RESIDUAL and float(penalty(excess)) <= _VIOLATION:
            status = "converged"
            break
        accepted = False
        for _ in range(_BACKTRACKS):
            back = (rate * inner + excess) / square
            if not solving.level:
                back = back.clamp_min(0)
            d = rate * u - back[:, None] * g
            weight = 0.1 if float(penalty(excess)) == 0 else float(0.1 * inner * back / (square * penalty(excess)))
            new_f, new_g = oracle.gradient(x + d, every)
            merit = 0.5 * new_g.square().sum(1).log() - weight * penalty(new_f - f0)
            wanted = 0.5 * square.log() - (1 - _ALPHA) * weight * penalty(excess) + 0.5 * _ALPHA * (u * d).sum(1)
            if float(merit) >= float(wanted):
                accepted = True
                break
            rate *= _SHRINK
        f, g = new_f, new_g  # also where the point was rejected, as released
        if not bool(f.isfinite()):
            status = "not finite"
            break
        if accepted:
            x = x + d
            accepted_f, accepted_g = f, g
            if float(merit / wanted) >= _GROWTH:
                rate /= _SHRINK
        else:
            rate *= _SHRINK**5
        if rate <= 1e-16:
            status = "no ascent"
            break
    return Solution(
        x=x,
        f0=f0,
        f=accepted_f,
        target0=start,
        target=accepted_g.norm(dim=1).log(),
        residual=residual,
        status=(status,),
    )

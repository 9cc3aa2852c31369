"""Maximising the norm of the gradient, or another function, over the set where f is at most what it was.

Letters: `R` stacked problems, `p` parameters. Each step solves: maximise <u, d> - |d|^2/(2 rho) subject to
e + <g, d> <= 0, where u is the gradient of what is maximised, g that of f and e = f - f0; d = rho u - v g with
v = (rho <u, g> + e)/|g|^2, and without the second term where v < 0 (Mishkin, Bietti & Gower 2025).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.papers.teleportation.oracles import Oracle, cost

# sine squared of the angle between the gradients of f and of what is maximised, at which a point is a solution
_RESIDUAL = 1e-8
_RETRACTIONS, _BACKTRACKS, _FIRST_BACKTRACKS = 5, 25, 100
_ASCENT, _SHRINK = 0.25, 0.5
Target = Callable[[Float[Tensor, "R p"]], Float[Tensor, " R"]]


@dataclass(frozen=True, kw_only=True)
class Solving:
    """How a teleport is computed.

    Arguments:
        steps: each with one Hessian-vector product.
        rate: by how much the first step is to raise log |g|, to first order; later ones adapt.
        tolerance: by how much of |f0| f may exceed f0; by default 1e-9 in double precision and 1e-5 in single.
        budget: units of work of each problem after which a solve stops: a value 1, a gradient 2, a Hessian-vector
            product 5.
        level: whether f is to stay at f0, where the default lets it fall.
    """

    steps: int = 50
    rate: float = 0.1
    tolerance: float | None = None
    budget: int | None = None
    level: bool = False

    def __post_init__(self) -> None:
        check_at_least("steps", self.steps, 1)
        if not isinstance(self.rate, (int, float)) or not 0 < self.rate < float("inf"):
            raise SimonidesError(f"rate = {self.rate!r}: give a positive first step.")
        if self.tolerance is not None and not (isinstance(self.tolerance, float) and 0 < self.tolerance < 1):
            raise SimonidesError(f"tolerance = {self.tolerance!r}: give a share of |f0| in (0, 1), or None.")
        if self.budget is not None:
            check_at_least("budget", self.budget, 1)

    def slack(self, f0: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
        """What f may exceed f0 by."""
        relative = self.tolerance or (1e-9 if f0.dtype == torch.float64 else 1e-5)
        return relative * f0.abs().clamp_min(torch.finfo(f0.dtype).tiny)


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """Where R teleports ended.

    Arguments:
        x: the points.
        f0, f: the objective before and after; f <= f0 up to the tolerance.
        target0, target: what was maximised, before and after; log |g| by default.
        residual: the squared sine of the angle between its gradient and that of f, where f is at its limit; zero at a
            solution, whatever the scale of f and x.
        status: of each: "converged", "steps used", "no ascent", "budget used", "flat" (no gradient) or "not finite".
        path: the accepted points, the first at the start, where they were asked for.
    """

    x: Float[Tensor, "R p"]
    f0: Float[Tensor, " R"]
    f: Float[Tensor, " R"]
    target0: Float[Tensor, " R"]
    target: Float[Tensor, " R"]
    residual: Float[Tensor, " R"]
    status: tuple[str, ...]
    path: tuple[Float[Tensor, "R p"], ...] = ()


@dataclass
class _Here:
    """A point with what is known of it."""

    x: Tensor
    f: Tensor
    g: Tensor
    target: Tensor


def solve(
    oracle: Oracle,
    x0: Float[Tensor, "R p"],
    solving: Solving | None = None,
    target: Target | None = None,
    keep_path: bool = False,
) -> Solution:
    """Maximise log |g|, or a target, over f <= f(x0), keeping every accepted point feasible.

    A trial step that lands above f0 is brought back along -g by Newton's steps on f = f0; it is accepted where what is
    maximised rises by a quarter of what its gradient promises. So no point is ever returned that is worse than the
    start. At a feasible point the promise is never negative, and no penalty parameter is needed.

    Arguments:
        oracle: the objective f.
        x0: where to start.
        solving: how.
        target: what is maximised in place of log |g|, of x (R, p), differentiable.
        keep_path: whether to return all accepted points.

    Raises:
        SimonidesError: when f or its gradient is not finite at the start.
    """
    solving = solving or Solving()
    before = cost(oracle)
    every = torch.ones(len(x0), dtype=torch.bool, device=x0.device)
    f, g = oracle.gradient(x0, every)
    if not bool((f.isfinite() & g.isfinite().all(1)).all()):
        raise SimonidesError(
            "the objective or its gradient is not finite at the start; look at the weights and data."
        )
    if not bool(g.square().sum(1).isfinite().all()):
        raise SimonidesError("the gradient's square overflows at the start; divide the loss by a large number.")
    here = _Here(x0.detach().clone(), f, g, _target(target, x0, g))
    f0, target0, slack = f.clone(), here.target.clone(), solving.slack(f)
    rate: Tensor | None = None
    residual = torch.full_like(f, torch.inf)
    status = ["steps used"] * len(x0)
    path = [here.x.clone()]
    active = here.g.square().sum(1) >= torch.finfo(f.dtype).tiny
    for run in (~active).nonzero()[:, 0].tolist():
        status[run] = "flat"
        residual[run] = 0.0
    for number in range(solving.steps):
        active = _within(oracle, solving, before, active, status)
        if not bool(active.any()):
            break
        u = _ascent(oracle, here, target, active)
        inner, square = (u * here.g).sum(1), here.g.square().sum(1)
        excess = here.f - f0
        binding = torch.ones_like(active) if solving.level else excess > -slack
        along = u - torch.where(binding & (solving.level | (inner > 0)), inner / square, 0.0)[:, None] * here.g
        steep = u.square().sum(1).clamp_min(torch.finfo(f.dtype).tiny)
        residual = torch.where(active, along.square().sum(1) / steep, residual)
        if rate is None:
            rate = solving.rate / steep
        done = active & ((residual <= _RESIDUAL) & binding | ~u.isfinite().all(1))
        for run in done.nonzero()[:, 0].tolist():
            status[run] = "converged" if bool(u[run].isfinite().all()) else "not finite"
        active = active & ~done
        if not bool(active.any()):
            break
        backtracks = _BACKTRACKS if number else _FIRST_BACKTRACKS
        moved, rate = _step(oracle, here, u, f0, slack, rate, active, solving, target, backtracks)
        for run in (active & ~moved).nonzero()[:, 0].tolist():
            status[run] = "no ascent"
        active = active & moved
        if keep_path:
            path.append(here.x.clone())
    return Solution(
        x=here.x,
        f0=f0,
        f=here.f,
        target0=target0,
        target=here.target,
        residual=residual,
        status=tuple(status),
        path=tuple(path) if keep_path else (),
    )


def _within(oracle: Oracle, solving: Solving, before: Tensor, active: Tensor, status: list[str]) -> Tensor:
    """Those that have work left of their budget."""
    if solving.budget is None:
        return active
    spent = (cost(oracle) - before >= solving.budget).to(active.device)
    for run in (active & spent).nonzero()[:, 0].tolist():
        status[run] = "budget used"
    return active & ~spent


def _target(target: Target | None, x: Tensor, g: Tensor) -> Tensor:
    if target is None:
        return g.norm(dim=1).log()
    with torch.no_grad():
        return target(x)


def _ascent(oracle: Oracle, here: _Here, target: Target | None, active: Tensor) -> Float[Tensor, "R p"]:
    """The gradient of what is maximised: H g/|g|^2, or the target's own."""
    if target is None:
        _, _, pulled = oracle.pull(here.x, active)
        return pulled / here.g.square().sum(1, keepdim=True).clamp_min(torch.finfo(here.g.dtype).tiny)
    with torch.enable_grad():
        own = here.x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(target(own).sum(), own)
    return gradient


def _step(
    oracle: Oracle,
    here: _Here,
    u: Tensor,
    f0: Tensor,
    slack: Tensor,
    rate: Tensor,
    active: Tensor,
    solving: Solving,
    target: Target | None,
    backtracks: int,
) -> tuple[Bool[Tensor, " R"], Float[Tensor, " R"]]:
    """Move every active problem to a better feasible point where there is one; returns which moved, and the rates."""
    inner, square, steep = (u * here.g).sum(1), here.g.square().sum(1), u.square().sum(1)
    waiting, moved = active.clone(), torch.zeros_like(active)
    first = True
    for _ in range(backtracks):
        pull = (rate * inner + here.f - f0) / square
        back = pull if solving.level else pull.clamp_min(0)
        y = torch.addcmul(here.x, rate[:, None], u).addcmul_(back[:, None], here.g, value=-1)
        y = _chosen(waiting, y, here.x)
        f, g = oracle.gradient(y, waiting)
        y, f, g = _retract(oracle, y, f, g, f0, slack, waiting, solving.level)
        value = _target(target, y, g)
        promised = rate * steep - back * inner  # <u, d>
        gained = (value >= here.target + _ASCENT * promised.clamp_min(0)) & (value > here.target)
        feasible = (f - f0 <= slack) & ((f0 - f <= slack) | (not solving.level))
        # a gradient that is not finite has no finite logarithm of its norm; a target may not look at it
        fine = waiting & gained & feasible & value.isfinite() & ((target is None) | g.isfinite().all(1))
        for name, new in (("x", y), ("f", f), ("g", g), ("target", value)):
            setattr(here, name, _chosen(fine, new, getattr(here, name)))
        moved |= fine
        if first:
            rate = torch.where(fine, rate / _SHRINK, rate)
        waiting = waiting & ~fine
        if not bool(waiting.any()):
            break
        rate = torch.where(waiting, rate * _SHRINK, rate)
        first = False
    return moved, rate


def _retract(
    oracle: Oracle, y: Tensor, f: Tensor, g: Tensor, f0: Tensor, slack: Tensor, waiting: Tensor, level: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Bring points that lie above f0 back along the gradient: y - (f - f0) g/|g|^2, at most five times."""
    for _ in range(_RETRACTIONS):
        apart = f - f0
        square = g.square().sum(1)
        off = (
            waiting & ((apart.abs() if level else apart) > slack) & f.isfinite() & square.isfinite() & (square > 0)
        )
        if not bool(off.any()):
            break
        y = _chosen(off, torch.addcmul(y, (apart / square)[:, None], g, value=-1), y)
        new_f, new_g = oracle.gradient(y, off)
        f, g = _chosen(off, new_f, f), _chosen(off, new_g, g)
    return y, f, g


def _chosen(rows: Bool[Tensor, " R"], new: Float[Tensor, "R ..."], old: Float[Tensor, "R ..."]) -> Tensor:
    """The new rows where they are chosen; without a copy where all or none are."""
    if bool(rows.all()):
        return new
    if not bool(rows.any()):
        return old
    return torch.where(rows.view(-1, *[1] * (old.dim() - 1)), new, old)

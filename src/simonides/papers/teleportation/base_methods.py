"""The methods that are run with teleports and without, on stacks of problems, with every call of the oracle counted.

Letters: `R` problems (or rates of one), `p` parameters. Settings are those of the code that was released with Mishkin,
Bietti & Gower (2025).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.papers.teleportation.oracles import FunctionOracle, cost
from simonides.papers.teleportation.solver import Solving, solve

_ARMIJO_SHRINK, _ARMIJO_MOST = 0.8, 100
_CG_MOST = 25


@dataclass
class Point:
    """Where R problems are, with what a method remembers of each."""

    x: Tensor
    f: Tensor
    g: Tensor
    memory: dict[str, Tensor] = field(default_factory=dict)


# moves a point in place; `oracle` counts what it asks
Step = Callable[[FunctionOracle, Point], None]


@dataclass(frozen=True, kw_only=True)
class Descent:
    """x <- x - rate g, with dampened momentum, divided by |g|, or with Polyak's step min(rate, (f - 0)/|g|^2).

    Arguments:
        rate: of all problems, or of each.
        momentum: with dampening of the same size, b <- m b + (1 - m) g.
        normalised: whether the gradient is divided by its norm.
        polyak: whether the rate is only the largest step (SPS_max; Loizou et al. 2021), with 0 as the least loss.
    """

    rate: float | Float[Tensor, " R"]
    momentum: float = 0.0
    normalised: bool = False
    polyak: bool = False

    def __call__(self, oracle: FunctionOracle, point: Point) -> None:
        """One step."""
        square = point.g.square().sum(1).clamp_min(torch.finfo(point.g.dtype).tiny)
        rate = torch.as_tensor(self.rate, dtype=point.f.dtype).expand_as(point.f)
        if self.polyak:
            rate = torch.minimum(rate, point.f / square)
        direction = point.g
        if self.momentum:
            past = point.memory.get("momentum", torch.zeros_like(point.g))
            direction = point.memory["momentum"] = self.momentum * past + (1 - self.momentum) * point.g
        if self.normalised:
            rate = rate / square.sqrt()
        point.x = point.x - rate[:, None] * direction
        point.f, point.g = oracle.gradient(point.x, torch.ones_like(point.f, dtype=torch.bool))


@dataclass(frozen=True, kw_only=True)
class Armijo:
    """The largest step, in powers of 0.8, with f(x - a g) <= f - slope a |g|^2: longer while it holds, then shorter.

    Arguments:
        slope: in (0, 1).
    """

    slope: float = 0.5

    def __call__(self, oracle: FunctionOracle, point: Point) -> None:
        """One step."""
        square = point.g.square().sum(1)
        size = point.memory.get("size", torch.ones_like(point.f))

        def enough(size: Tensor, asked: Tensor) -> Tensor:
            tried = oracle.value(point.x - size[:, None] * point.g, asked)
            return (tried <= point.f - self.slope * size * square) & tried.isfinite()

        every = torch.ones_like(point.f, dtype=torch.bool)
        fine = enough(size, every)
        growing, shrinking = fine.clone(), ~fine
        for _ in range(_ARMIJO_MOST):
            if not bool(growing.any()):
                break
            longer = torch.where(growing, size / _ARMIJO_SHRINK, size)
            growing = growing & enough(longer, growing)
            size = torch.where(growing, longer, size)
        for _ in range(_ARMIJO_MOST):
            if not bool(shrinking.any()):
                break
            size = torch.where(shrinking, size * _ARMIJO_SHRINK, size)
            shrinking = shrinking & ~enough(size, shrinking)
        point.memory["size"] = size
        # where no step is short enough the point stays
        point.x = point.x - torch.where(shrinking, 0.0, size)[:, None] * point.g
        point.f, point.g = oracle.gradient(point.x, every)


@dataclass(frozen=True, kw_only=True)
class NewtonCG:
    """Newton's step by conjugate gradients on H + damping, with Armijo's rule from a step of one.

    Arguments:
        damping: added to the Hessian's diagonal.
    """

    damping: float = 1e-8

    def __call__(self, oracle: FunctionOracle, point: Point) -> None:
        """One step."""
        every = torch.ones_like(point.f, dtype=torch.bool)
        direction = self._solve(oracle, point)
        slope = (direction * point.g).sum(1)
        # where curvature is not positive, down the gradient
        down = slope > 0
        direction = torch.where(down[:, None], direction, point.g)
        slope = torch.where(down, slope, point.g.square().sum(1))
        size, waiting = torch.ones_like(point.f), every.clone()
        for _ in range(_ARMIJO_MOST):
            tried = oracle.value(point.x - size[:, None] * direction, waiting)
            waiting = waiting & ~((tried <= point.f - 1e-4 * size * slope) & tried.isfinite())
            if not bool(waiting.any()):
                break
            size = torch.where(waiting, size * 0.5, size)
        point.x = point.x - torch.where(waiting, 0.0, size)[:, None] * direction
        point.f, point.g = oracle.gradient(point.x, every)

    def _solve(self, oracle: FunctionOracle, point: Point) -> Tensor:
        x, r = torch.zeros_like(point.g), point.g.clone()
        d, square = r.clone(), r.square().sum(1)
        first = square.clone()
        active = square > 0
        for _ in range(min(_CG_MOST, point.g.shape[1])):
            active = active & (square > 1e-12 * first)
            if not bool(active.any()):
                break
            curved = oracle.hessian_vector(point.x, d, active) + self.damping * d
            along = (d * curved).sum(1)
            active = active & (along > 0)
            step = torch.where(active, square / along.clamp_min(1e-300), 0.0)[:, None]
            x, r = x + step * d, r - step * curved
            new = r.square().sum(1)
            d = torch.where(active[:, None], r + (new / square.clamp_min(1e-300))[:, None] * d, d)
            square = torch.where(active, new, square)
        return x


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """How R problems went.

    Arguments:
        f: before each iteration and after the last; NaN after a run that is not finite.
        cost: units of work until then, teleports included.
        teleports: iterations after which there was one.
        gains: factors by which teleports raised |g|.
        x: where they ended.
    """

    f: Float[Tensor, "iterations_and_1 R"]
    cost: Float[Tensor, "iterations_and_1 R"]
    teleports: tuple[int, ...]
    gains: Float[Tensor, "teleports R"]
    x: Float[Tensor, "R p"]

    def iterations_to(self, gap: float, least: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
        """Iterations until (f - f*)/(f_0 - f*) <= gap; infinite where it never is."""
        return self._first(gap, least)[0]

    def cost_to(self, gap: float, least: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
        """Units of work until then."""
        return self._first(gap, least)[1]

    def _first(self, gap: float, least: Tensor) -> tuple[Tensor, Tensor]:
        reached = self.f - least <= gap * (self.f[0] - least)
        place = reached.int().argmax(0)
        there = reached.any(0)
        spent = self.cost.gather(0, place[None])[0]
        return torch.where(there, place.double(), torch.inf), torch.where(there, spent.double(), torch.inf)


def descend(
    function: Callable[[Float[Tensor, "R p"]], Float[Tensor, " R"]],
    x0: Float[Tensor, "R p"],
    method: Step,
    iterations: int,
    teleport_at: Callable[[int], bool] | None = None,
    solving: Solving | None = None,
) -> Trace:
    """Run a method, teleporting after the iterations that are said.

    Arguments:
        function: f of stacked points; no row sees another.
        x0: where to start.
        method: one of this module.
        iterations: how many.
        teleport_at: asked with the iterations done, also with 0 before the first.
        solving: how teleports are computed.

    Raises:
        SimonidesError: when f is not finite at the start.
    """
    check_at_least("iterations", iterations, 1)
    oracle = FunctionOracle(function, len(x0))
    every = torch.ones(len(x0), dtype=torch.bool, device=x0.device)
    f, g = oracle.gradient(x0, every)
    if not bool(f.isfinite().all()):
        raise SimonidesError("the objective is not finite at the start; look at the data.")
    point = Point(x0.clone(), f, g)
    seen, spent = [f], [cost(oracle).double()]
    teleports: list[int] = []
    gains: list[Tensor] = []
    for done in range(iterations + 1):
        if teleport_at is not None and done < iterations and teleport_at(done) and bool(_fine(point).all()):
            before = point.g.norm(dim=1)
            solution = solve(oracle, point.x, solving)
            point.x = solution.x
            point.f, point.g = oracle.gradient(point.x, every)
            point.memory.pop("momentum", None)
            teleports.append(done)
            gains.append(point.g.norm(dim=1) / before)
        if done == iterations:
            break
        method(oracle, point)
        seen.append(torch.where(_fine(point), point.f, torch.nan))
        spent.append(cost(oracle).double())
    return Trace(
        f=torch.stack(seen),
        cost=torch.stack(spent),
        teleports=tuple(teleports),
        gains=torch.stack(gains) if gains else torch.zeros(0, len(x0)),
        x=point.x,
    )


def _fine(point: Point) -> Tensor:
    return point.f.isfinite() & point.g.isfinite().all(1)

"""`teleport`: bring a module's weights to where the loss is no larger and its gradient is largest."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from simonides.base import SimonidesError
from simonides.papers.teleportation.oracles import ClosureOracle
from simonides.papers.teleportation.reference import solve_reference
from simonides.papers.teleportation.solver import Solving, solve

Closure = Callable[[], Tensor]


@dataclass(frozen=True, kw_only=True)
class TeleportReport:
    """What a teleport did, and what it cost.

    Arguments:
        f0, f1: the loss before and after; f1 exceeds f0 by no more than the tolerance.
        g0, g1: the norm of the gradient before and after; g1 is at least g0.
        distance: how far the weights moved.
        hvps: Hessian-vector products, each with its gradient.
        gradients: gradients beside those.
        forwards: values beside those.
        status: "converged", "steps used", "no ascent", "budget used", "flat" (there is hardly a gradient) or
            "not finite".
    """

    f0: float
    f1: float
    g0: float
    g1: float
    distance: float
    hvps: int
    gradients: int
    forwards: int
    status: str

    @property
    def cost(self) -> int:
        """Units of work: a value 1, a gradient 2, a Hessian-vector product 5."""
        return self.forwards + 2 * self.gradients + 5 * self.hvps


def teleport(
    module_or_parameters: nn.Module | Iterable[Tensor],
    closure: Closure,
    *,
    steps: int = 50,
    budget: int | None = None,
    tolerance: float | None = None,
    rate: float = 0.1,
    solver: str = "feasible",
    module: nn.Module | None = None,
) -> TeleportReport:
    """Maximise the norm of the gradient over weights whose loss is at most that of now, in place.

    Gradients, buffers and the state of torch's random generators are left as they are. The loss must be a function of
    the weights alone: dropout off, one batch. Nothing here makes training cheaper by itself: a teleport of 50 steps
    costs about as much as 300 to 450 gradients. Attention needs a kernel with second derivatives
    (`torch.nn.attention.sdpa_kernel(SDPBackend.MATH)`).

    Arguments:
        module_or_parameters: a module, whose trained parameters are moved, or the parameters; float32 or float64.
        closure: returns the loss with its graph, and calls no backward() (the forward-only convention).
        steps: of the solver, one Hessian-vector product each.
        budget: units of work after which it stops.
        tolerance: by how much of |f0| the loss may exceed f0; by default 1e-9 in double and 1e-5 in single precision.
        rate: by how much the solver's first step is to raise log |g|.
        solver: "feasible", or "reference", the released algorithm with its defects, for comparison; that one may leave
            the loss above f0, and its report says so.
        module: whose buffers are left as they are, where parameters are given.

    Raises:
        SimonidesError: when the closure gives two different losses for the same weights, a loss without a graph or that
            is not finite, or weights are in half precision or on several devices.
    """
    if solver not in ("feasible", "reference"):
        raise SimonidesError(f"solver = {solver!r}; give 'feasible' or 'reference'.")
    if isinstance(module_or_parameters, nn.Module):
        module = module_or_parameters
    parameters = _parameters(module_or_parameters)
    solving = Solving(steps=steps, rate=rate, tolerance=tolerance, budget=budget)
    oracle = ClosureOracle(parameters, closure)
    start = oracle.at()
    with _untouched(parameters, module):
        ended = start
        try:
            _check_same(oracle, start, module)
            solution = (solve if solver == "feasible" else solve_reference)(oracle, start, solving)
            ended = solution.x
        finally:
            oracle.put(ended)
    return TeleportReport(
        f0=float(solution.f0),
        f1=float(solution.f),
        g0=float(solution.target0.exp()),
        g1=float(solution.target.exp()),
        distance=float((ended - start).norm()),
        hvps=int(oracle.hvps),
        gradients=int(oracle.gradients),
        forwards=int(oracle.forwards),
        status=solution.status[0],
    )


def _parameters(given: nn.Module | Iterable[Tensor]) -> list[Tensor]:
    """What is moved, checked."""
    if isinstance(given, Tensor):
        raise SimonidesError("parameters came as one tensor; give a list of them, or a module.")
    try:
        every = list(given.parameters() if isinstance(given, nn.Module) else given)
    except TypeError:
        raise SimonidesError(
            f"parameters came as {type(given).__name__}; give a module, or a list of them."
        ) from None
    if strange := [one for one in every if not isinstance(one, Tensor)]:
        raise SimonidesError(
            f"among the parameters is a {type(strange[0]).__name__}; give a module, or a list of its parameters()."
        )
    # one that is named twice, as of tied layers, is one
    parameters = list({id(parameter): parameter for parameter in every if parameter.requires_grad}.values())
    places = [(parameter.data_ptr(), parameter.numel()) for parameter in parameters if parameter.numel()]
    if len(set(places)) < len(places):
        raise SimonidesError("two parameters share their memory; tie them by being one and the same parameter.")
    if not parameters:
        raise SimonidesError("there is no parameter that is trained (requires_grad).")
    kinds = {parameter.dtype for parameter in parameters}
    if not kinds <= {torch.float32, torch.float64} or len(kinds) > 1:
        raise SimonidesError(
            f"parameters are of {', '.join(sorted(map(str, kinds)))}; a teleport needs all in float32 or all in "
            "float64: of a training in mixed precision give the master weights, with autocast inside the closure."
        )
    if len({parameter.device for parameter in parameters}) > 1:
        raise SimonidesError("parameters lie on several devices; a teleport needs them on one.")
    return parameters


def _check_same(oracle: ClosureOracle, start: Tensor, module: nn.Module | None) -> None:
    """Refuse a loss that is not a function of the weights."""
    every = torch.ones(1, dtype=torch.bool)
    first, second = (float(oracle.value(start, every)) for _ in range(2))
    if first != first or first in (float("inf"), float("-inf")):
        raise SimonidesError(f"the loss is {first} before the teleport; look at the weights and the data.")
    if first != second:
        told = _random_parts(module)
        raise SimonidesError(
            f"the closure gave {first!r} and then {second!r} for the same weights{told}; make it a function of the "
            "weights alone: eval mode or no dropout, and one fixed batch."
        )


def _random_parts(module: nn.Module | None) -> str:
    """Names of what draws at random in a module."""
    if module is None:
        return ""
    names = [name for name, part in module.named_modules() if "Dropout" in type(part).__name__ and part.training]
    return f" ({', '.join(names[:3])} in training mode)" if names else ""


@contextmanager
def _untouched(parameters: list[Tensor], module: nn.Module | None) -> Iterator[None]:
    """A context after which gradients, buffers and torch's random generators are what they were."""
    gradients = [parameter.grad for parameter in parameters]
    held = [] if module is None else [(own, dict(own._buffers)) for own in module.modules()]
    values = [
        (buffer, buffer.detach().clone()) for _, own in held for buffer in own.values() if buffer is not None
    ]
    random = torch.get_rng_state()
    device = parameters[0].device
    random_there = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    for parameter in parameters:
        parameter.grad = None  # set aside, so that a closure that calls backward() adds to nothing of the user's
    try:
        yield
    finally:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        for own, buffers in held:  # also those that were bound anew
            own._buffers.update(buffers)
        with torch.no_grad():
            for buffer, value in values:
                buffer.copy_(value)
        torch.set_rng_state(random)
        if random_there is not None:
            torch.cuda.set_rng_state(random_there, device)

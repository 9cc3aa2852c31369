"""What is asked of an objective: value, gradient, and the gradient of half its squared norm; every call is counted.

Letters: `R` stacked problems that do not see each other, `p` parameters of each.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.base import SimonidesError

# units of work: a value, a value with its gradient, a value with gradient and Hessian-vector product
COSTS = {"forwards": 1, "gradients": 2, "hvps": 5}


@runtime_checkable
class Oracle(Protocol):
    """An objective f of R problems."""

    forwards: Int[Tensor, " R"]
    gradients: Int[Tensor, " R"]
    hvps: Int[Tensor, " R"]

    def value(self, x: Float[Tensor, "R p"], asked: Bool[Tensor, " R"]) -> Float[Tensor, " R"]:
        """f; counted for the problems that are asked about."""

    def gradient(
        self, x: Float[Tensor, "R p"], asked: Bool[Tensor, " R"]
    ) -> tuple[Float[Tensor, " R"], Float[Tensor, "R p"]]:
        """f and its gradient g."""

    def pull(
        self, x: Float[Tensor, "R p"], asked: Bool[Tensor, " R"]
    ) -> tuple[Float[Tensor, " R"], Float[Tensor, "R p"], Float[Tensor, "R p"]]:
        """f, g and H g: one Hessian-vector product, the gradient of |g|^2/2."""


def cost(oracle: Oracle) -> Int[Tensor, " R"]:
    """Units of work so far: a value 1, a gradient 2, a Hessian-vector product 5, each with what comes with it."""
    counted = (getattr(oracle, name) * units for name, units in COSTS.items())
    total: Int[Tensor, " R"] = sum(counted)
    return total


class _Counted:
    """Counts of each problem."""

    def __init__(self, problems: int) -> None:
        self.forwards = torch.zeros(problems, dtype=torch.int64)
        self.gradients = torch.zeros(problems, dtype=torch.int64)
        self.hvps = torch.zeros(problems, dtype=torch.int64)


class FunctionOracle(_Counted):
    """A function of stacked vectors.

    Arguments:
        function: f of x (R, p), one number for each row; no row sees another.
        problems: R.
    """

    def __init__(self, function: Callable[[Float[Tensor, "R p"]], Float[Tensor, " R"]], problems: int) -> None:
        super().__init__(problems)
        self.function = function

    def value(self, x: Float[Tensor, "R p"], asked: Bool[Tensor, " R"]) -> Float[Tensor, " R"]:
        """f."""
        self.forwards += asked.cpu()
        with torch.no_grad():
            return self.function(x)

    def gradient(
        self, x: Float[Tensor, "R p"], asked: Bool[Tensor, " R"]
    ) -> tuple[Float[Tensor, " R"], Float[Tensor, "R p"]]:
        """f and g."""
        self.gradients += asked.cpu()
        with torch.enable_grad():
            own = x.detach().requires_grad_()
            values = self.function(own)
            (gradient,) = torch.autograd.grad(values.sum(), own)
        return values.detach(), gradient

    def pull(
        self, x: Float[Tensor, "R p"], asked: Bool[Tensor, " R"]
    ) -> tuple[Float[Tensor, " R"], Float[Tensor, "R p"], Float[Tensor, "R p"]]:
        """f, g and H g."""
        self.hvps += asked.cpu()
        with torch.enable_grad():
            own = x.detach().requires_grad_()
            values = self.function(own)
            (gradient,) = torch.autograd.grad(values.sum(), own, create_graph=True)
            half = 0.5 * gradient.square().sum()
            (pulled,) = torch.autograd.grad(half, own) if half.requires_grad else (torch.zeros_like(gradient),)
        return values.detach(), gradient.detach(), pulled

    def hessian_vector(
        self, x: Float[Tensor, "R p"], v: Float[Tensor, "R p"], asked: Bool[Tensor, " R"]
    ) -> Float[Tensor, "R p"]:
        """H v."""
        self.hvps += asked.cpu()
        with torch.enable_grad():
            own = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.function(own).sum(), own, create_graph=True)
            (product,) = torch.autograd.grad((gradient * v).sum(), own)
        return product


class ClosureOracle(_Counted):
    """A loss that a closure computes from parameters held somewhere, as one problem.

    Arguments:
        parameters: what f is a function of; they are written to at every call.
        closure: returns the loss, with its graph, and calls no backward().
    """

    def __init__(self, parameters: Sequence[Tensor], closure: Callable[[], Tensor]) -> None:
        super().__init__(1)
        self.parameters, self.closure = list(parameters), closure

    def at(self) -> Float[Tensor, "1 p"]:
        """Where the parameters are."""
        return torch.cat([parameter.detach().flatten() for parameter in self.parameters])[None]

    @torch.no_grad()
    def put(self, x: Float[Tensor, "1 p"]) -> None:
        """Bring the parameters to x."""
        place = 0
        for parameter in self.parameters:
            parameter.copy_(x[0, place : place + parameter.numel()].view_as(parameter))
            place += parameter.numel()

    def loss(self) -> Float[Tensor, ""]:
        """What the closure returns, with its graph.

        Raises:
            SimonidesError: when it is no number that hangs on the parameters.
        """
        if torch.is_inference_mode_enabled():
            raise SimonidesError(
                "a teleport needs gradients, which torch.inference_mode() forbids; leave that mode."
            )
        with torch.enable_grad():
            value = self.closure()
        if not isinstance(value, Tensor) or value.numel() != 1:
            came = f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise SimonidesError(f"the closure returned {came}; return the loss, a tensor of one number.")
        if not value.requires_grad:
            raise SimonidesError(
                "the closure's loss has no graph: it was detached or computed without gradients, or hangs on no "
                "parameter. Return it as it was computed."
            )
        with torch.enable_grad():
            return value.reshape(())

    def value(self, x: Float[Tensor, "1 p"], asked: Bool[Tensor, "1"]) -> Float[Tensor, "1"]:
        """f."""
        self.forwards += 1
        self.put(x)
        return self.loss().detach()[None]

    def gradient(
        self, x: Float[Tensor, "1 p"], asked: Bool[Tensor, "1"]
    ) -> tuple[Float[Tensor, "1"], Float[Tensor, "1 p"]]:
        """f and g."""
        self.gradients += 1
        self.put(x)
        loss = self.loss()
        return loss.detach()[None], self._flat(self._grad(loss, graph=False)).detach()

    def pull(
        self, x: Float[Tensor, "1 p"], asked: Bool[Tensor, "1"]
    ) -> tuple[Float[Tensor, "1"], Float[Tensor, "1 p"], Float[Tensor, "1 p"]]:
        """f, g and H g."""
        self.hvps += 1
        self.put(x)
        loss = self.loss()
        gradients = self._grad(loss, graph=True)
        with torch.enable_grad():
            half = 0.5 * torch.stack([gradient.square().sum() for gradient in gradients]).sum()
        flat = self._flat(gradients).detach()
        if not half.requires_grad:  # a loss that is linear has no curvature
            return loss.detach()[None], flat, torch.zeros_like(flat)
        try:
            pulled = torch.autograd.grad(half, self.parameters, allow_unused=True, materialize_grads=True)
        except RuntimeError as error:
            raise _told(error) from None
        return loss.detach()[None], flat, self._flat(pulled)

    def _grad(self, loss: Tensor, graph: bool) -> tuple[Tensor, ...]:
        try:
            return torch.autograd.grad(
                loss, self.parameters, create_graph=graph, allow_unused=True, materialize_grads=True
            )
        except RuntimeError as error:
            raise _told(error) from None

    def _flat(self, parts: Sequence[Tensor]) -> Float[Tensor, "1 p"]:
        if any(part.is_sparse for part in parts):
            raise SimonidesError("a gradient is sparse; make embeddings with sparse=False.")
        return torch.cat([part.flatten() for part in parts])[None]


def _told(error: RuntimeError) -> Exception:
    """What an error of autograd means for a teleport; the error itself where that is not known."""
    text = str(error)
    if "second time" in text:
        return SimonidesError(
            "the closure calls backward() itself, which frees the graph that a teleport needs; return the loss alone "
            "(the forward-only convention)."
        )
    if "is not implemented" in text and "derivative" in text:
        return SimonidesError(
            f"an operation has no second derivative ({text.splitlines()[0]}); use another, such as attention under "
            "torch.nn.attention.sdpa_kernel(SDPBackend.MATH)."
        )
    return error

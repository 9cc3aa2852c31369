"""Optimisers for one run or for many stacked ones: SGD, Adam, sign descent, normalised descent.

Each is a `torch.optim.Optimizer` like any other. Beyond torch's own, `lr` may be a tensor of shape (runs,): the
first axis of every parameter is then the runs, each with a rate of its own, and what is reduced over a run (the
norm of `NormalisedDescent`) is reduced run by run.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from simonides.base import SimonidesError, check_not_negative

Rate = float | Float[Tensor, " runs"]


class _Descent(Optimizer, ABC):
    """p <- p - lr * direction(p), with the rate of each run."""

    def __init__(self, params: Iterable[Tensor], lr: Rate, **settings: Any) -> None:
        rates = torch.as_tensor(lr)
        if rates.dim() > 1 or not torch.isfinite(rates).all() or (rates < 0).any():
            raise SimonidesError(f"lr = {lr}: give one rate, or one for each run, finite and not negative.")
        super().__init__(params, {"lr": lr, **settings})
        for group in self.param_groups:
            for parameter in group["params"]:
                if rates.dim() == 1 and parameter.shape[:1] != rates.shape:
                    raise SimonidesError(
                        f"{len(rates)} rates for a parameter of shape {list(parameter.shape)}; "
                        "its first axis must be the runs."
                    )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            for p, direction in zip(parameters, self._directions(parameters, group), strict=True):
                if isinstance(group["lr"], Tensor) and group["lr"].dim():
                    p.sub_(direction * _by_run(group["lr"].to(p), p))
                else:
                    p.sub_(direction, alpha=float(group["lr"]))
        return loss

    @abstractmethod
    def _directions(self, parameters: Sequence[Tensor], group: dict[str, Any]) -> Sequence[Tensor]:
        """What the rate multiplies, for every parameter; each has a gradient."""

    def _averaged(self, parameter: Tensor, momentum: float) -> Tensor:
        """The gradient, or with momentum its sum over the past, b <- momentum b + g, as torch's SGD."""
        assert parameter.grad is not None
        if momentum == 0:
            return parameter.grad
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = parameter.grad.clone()
        else:
            state["momentum"].mul_(momentum).add_(parameter.grad)
        return state["momentum"]


class SGD(_Descent):
    """Gradient descent with momentum: b <- momentum b + g, p <- p - lr b (Polyak 1964, as in torch).

    >>> w = torch.tensor([[1.0], [1.0]], requires_grad=True)
    >>> optimiser = SGD([w], lr=torch.tensor([0.1, 0.5]))
    >>> w.square().sum().backward(); optimiser.step(); w.detach()[:, 0]
    tensor([0.8000, 0.0000])
    """

    def __init__(self, params: Iterable[Tensor], lr: Rate, momentum: float = 0.0) -> None:
        check_not_negative("momentum", momentum)
        super().__init__(params, lr, momentum=momentum)

    def _directions(self, parameters: Sequence[Tensor], group: dict[str, Any]) -> Sequence[Tensor]:
        return [self._averaged(p, group["momentum"]) for p in parameters]


class SignDescent(_Descent):
    """p <- p - lr sign(b), with b as in `SGD` (Bernstein et al. 2018); zero gradients do not move."""

    def __init__(self, params: Iterable[Tensor], lr: Rate, momentum: float = 0.0) -> None:
        check_not_negative("momentum", momentum)
        super().__init__(params, lr, momentum=momentum)

    def _directions(self, parameters: Sequence[Tensor], group: dict[str, Any]) -> Sequence[Tensor]:
        return [self._averaged(p, group["momentum"]).sign() for p in parameters]


class NormalisedDescent(_Descent):
    """p <- p - lr b/|b|, with |b| the norm over all parameters of a run, and b as in `SGD`.

    Arguments:
        params: what to train.
        lr: the length of a step; or one for each run.
        momentum: as in `SGD`.
        stacked: whether the first axis of every parameter is the runs; one rate for each run implies it.
    """

    def __init__(self, params: Iterable[Tensor], lr: Rate, momentum: float = 0.0, stacked: bool = False) -> None:
        check_not_negative("momentum", momentum)
        per_run = stacked or (isinstance(lr, Tensor) and lr.dim() == 1)
        super().__init__(params, lr, momentum=momentum, stacked=per_run)

    def _directions(self, parameters: Sequence[Tensor], group: dict[str, Any]) -> Sequence[Tensor]:
        averaged = [self._averaged(p, group["momentum"]) for p in parameters]
        if not group["stacked"]:
            norm = torch.stack([b.square().sum() for b in averaged]).sum().sqrt()
            return [b / norm if norm > 0 else torch.zeros_like(b) for b in averaged]
        squares = torch.stack([b.square().flatten(1).sum(1) for b in averaged]).sum(0)
        scale = torch.where(squares > 0, squares.rsqrt(), 0.0)
        return [b * _by_run(scale, b) for b in averaged]


class Adam(_Descent):
    """Adam (Kingma & Ba 2015), entry by entry as torch's, with a rate for each run if wanted."""

    def __init__(
        self, params: Iterable[Tensor], lr: Rate, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        if not all(0 <= beta < 1 for beta in betas):
            raise SimonidesError(f"betas = {betas} must both be in [0, 1).")
        super().__init__(params, lr, betas=betas, eps=eps)

    def _directions(self, parameters: Sequence[Tensor], group: dict[str, Any]) -> Sequence[Tensor]:
        first, second = group["betas"]
        found = []
        for p in parameters:
            state = self.state[p]
            if not state:
                state.update(step=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
            state["step"] += 1
            state["mean"].lerp_(p.grad, 1 - first)
            state["square"].mul_(second).addcmul_(p.grad, p.grad, value=1 - second)
            root = state["square"].sqrt().div_((1 - second ** state["step"]) ** 0.5).add_(group["eps"])
            found.append(state["mean"] / root / (1 - first ** state["step"]))
        return found


def _by_run(values: Float[Tensor, " runs"], like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.dim() - 1))

"""Optimisers as chains of small parts, for one run or for many stacked ones.

p <- p - lr d, where d is the gradient after each part of the chain in turn: momentum before or after the sign, a
norm that is clipped or divided by, Adam's scaling, orthogonalisation. Each chain is a `torch.optim.Optimizer` like
any other. Beyond torch's own, `lr` may be a tensor of shape (runs,): the first axis of every parameter is then the
runs, each with a rate of its own, and what is reduced over a run, such as a norm, is reduced run by run.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from simonides.base import SimonidesError, check_not_negative
from simonides.training.parts import (
    AdamScaling,
    AdanScaling,
    ClipNorm,
    Memory,
    Momentum,
    Normalise,
    Orthogonalise,
    Part,
    Sign,
    WeightDecay,
    by_run,
)

Rate = float | Float[Tensor, " runs"]


class Chain(Optimizer):
    """p <- p - lr d, with d the gradient after each part in turn.

    Arguments:
        params: what to train.
        lr: the rate, or one for each run.
        parts: of the chain, in order; none is plain gradient descent.
        stacked: whether the first axis of every parameter is the runs; one rate for each run implies it.

    Raises:
        SimonidesError: when a rate is negative or not finite, or rates and runs differ in number.

    >>> w = torch.tensor([[1.0], [1.0]], requires_grad=True)
    >>> optimiser = Chain([w], torch.tensor([0.1, 0.5]), [Momentum(0.9)])
    >>> w.square().sum().backward(); optimiser.step(); w.detach()[:, 0]
    tensor([0.8000, 0.0000])
    """

    def __init__(
        self, params: Iterable[Tensor], lr: Rate, parts: Sequence[Part] = (), stacked: bool = False
    ) -> None:
        rates = torch.as_tensor(lr)
        if rates.dim() > 1 or not torch.isfinite(rates).all() or (rates < 0).any():
            raise SimonidesError(f"lr = {lr}: give one rate, or one for each run, finite and not negative.")
        self.parts = tuple(parts)
        super().__init__(params, {"lr": lr, "stacked": stacked or rates.dim() == 1, "parts": repr(self.parts)})
        if len(self.param_groups) > 1 and any(isinstance(part, (Normalise, ClipNorm)) for part in self.parts):
            raise SimonidesError(
                f"{len(self.param_groups)} groups of parameters, and a norm over all of them is asked for; give one "
                "group."
            )
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
            for p, direction in zip(parameters, self.directions(parameters, group["stacked"]), strict=True):
                if isinstance(group["lr"], Tensor) and group["lr"].dim():
                    p.addcmul_(direction, by_run(group["lr"].to(p), p), value=-1)
                else:
                    p.sub_(direction, alpha=float(group["lr"]))
        return loss

    def directions(self, parameters: Sequence[Tensor], stacked: bool) -> list[Tensor]:
        """What the rate multiplies, for every parameter with its gradient."""
        directions = [p.grad for p in parameters if p.grad is not None]
        for number, part in enumerate(self.parts):
            memories: list[Memory] = []
            for parameter in parameters:
                state = self.state[parameter]
                memories.append({name: state[f"{number}.{name}"] for name in _names(state, number)})
            directions = part(directions, parameters, memories, stacked)
            for parameter, memory in zip(parameters, memories, strict=True):
                self.state[parameter].update({f"{number}.{name}": value for name, value in memory.items()})
        return directions


def SGD(  # noqa: N802 - as torch names it
    params: Iterable[Tensor], lr: Rate, momentum: float = 0.0, weight_decay: float = 0.0
) -> Chain:
    """Gradient descent with momentum: b <- momentum b + g, p <- p - lr b (Polyak 1964, as in torch).

    >>> w = torch.tensor([[1.0], [1.0]], requires_grad=True)
    >>> optimiser = SGD([w], lr=torch.tensor([0.1, 0.5]))
    >>> w.square().sum().backward(); optimiser.step(); w.detach()[:, 0]
    tensor([0.8000, 0.0000])
    """
    return Chain(params, lr, [*_decay(weight_decay), *_momentum(momentum)])


def SignDescent(  # noqa: N802
    params: Iterable[Tensor], lr: Rate, momentum: float = 0.0, momentum_last: bool = False
) -> Chain:
    """p <- p - lr sign(b), with b as in `SGD` (Bernstein et al. 2018); or momentum of the signs."""
    parts = [*_momentum(momentum), Sign()]
    return Chain(params, lr, parts[::-1] if momentum_last else parts)


def NormalisedDescent(  # noqa: N802
    params: Iterable[Tensor], lr: Rate, momentum: float = 0.0, momentum_last: bool = False, stacked: bool = False
) -> Chain:
    """p <- p - lr b/|b|, with |b| the norm over all parameters of a run, and b as in `SGD`.

    Arguments:
        params: what to train.
        lr: the length of a step; or one for each run.
        momentum: as in `SGD`.
        momentum_last: whether momentum sums the normalised gradients instead.
        stacked: whether the first axis of every parameter is the runs; one rate for each run implies it.
    """
    parts = [*_momentum(momentum), Normalise()]
    return Chain(params, lr, parts[::-1] if momentum_last else parts, stacked)


def Adam(  # noqa: N802
    params: Iterable[Tensor], lr: Rate, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> Chain:
    """Adam (Kingma & Ba 2015), entry by entry as torch's, with a rate for each run if wanted.

    Raises:
        SimonidesError: when a beta lies outside [0, 1).
    """
    return Chain(params, lr, [_adam_scaling(betas, eps)])


def AdamW(  # noqa: N802
    params: Iterable[Tensor],
    lr: Rate,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> Chain:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019) of matrices alone, not of gains and biases.

    Raises:
        SimonidesError: when a beta lies outside [0, 1), or the decay is negative.
    """
    check_not_negative("weight_decay", weight_decay)
    scaling = _adam_scaling(betas, eps)
    return Chain(params, lr, [scaling, WeightDecay(weight_decay, vectors=False)])


def Adan(  # noqa: N802
    params: Iterable[Tensor],
    lr: Rate,
    betas: tuple[float, float, float] = (0.02, 0.08, 0.01),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> Chain:
    """Adan (Xie et al. 2022) with decoupled weight decay of matrices alone; betas are the shares of what is new.

    Raises:
        SimonidesError: when there are not three betas within (0, 1/2), or the decay is negative.
    """
    check_not_negative("weight_decay", weight_decay)
    if len(betas) != 3 or not all(0 < beta < 0.5 for beta in betas):
        raise SimonidesError(
            f"betas = {betas}; give three shares of what is new, such as (0.02, 0.08, 0.01), where others write 0.98, "
            "0.92, 0.99 for what is kept."
        )
    return Chain(params, lr, [AdanScaling(betas, eps), WeightDecay(weight_decay, vectors=False)])


def Muon(  # noqa: N802
    params: Iterable[Tensor], lr: Rate, momentum: float = 0.95, stacked: bool = False
) -> Chain:
    """Nesterov's momentum, then orthogonalisation of each matrix (Jordan et al. 2024, as torch's)."""
    return Chain(params, lr, [Momentum(momentum, average=True, nesterov=True), Orthogonalise(tall=True)], stacked)


def _adam_scaling(betas: tuple[float, float], eps: float) -> AdamScaling:
    if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
        raise SimonidesError(f"betas = {betas} must both be in [0, 1).")
    return AdamScaling((float(betas[0]), float(betas[1])), eps)


def _momentum(beta: float) -> list[Part]:
    check_not_negative("momentum", beta)
    return [Momentum(beta)] if beta else []


def _decay(decay: float) -> list[Part]:
    check_not_negative("weight_decay", decay)
    return [WeightDecay(decay)] if decay else []


def _names(state: Memory, number: int) -> list[str]:
    prefix = f"{number}."
    return [name.removeprefix(prefix) for name in state if name.startswith(prefix)]

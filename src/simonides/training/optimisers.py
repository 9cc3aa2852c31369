"""Optimisers as chains of small parts, for one run or for many stacked ones.

p <- p - lr d, where d is the gradient after each part of the chain in turn: momentum before or after the sign, a
norm that is clipped or divided by, Adam's scaling, orthogonalisation. Each chain is a `torch.optim.Optimizer` like
any other. Beyond torch's own, `lr` may be a tensor of shape (runs,): the first axis of every parameter is then the
runs, each with a rate of its own, and what is reduced over a run, such as a norm, is reduced run by run.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from simonides.base import SimonidesError, check_not_negative

Rate = float | Float[Tensor, " runs"]
Memory = dict[str, Any]


@runtime_checkable
class Part(Protocol):
    """One part of a chain."""

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The directions that go on, one for each parameter; what is to be remembered is put into the memories."""


@dataclass(frozen=True)
class Momentum:
    """b <- beta b + d, and b goes on (Polyak 1964, as torch's SGD).

    Arguments:
        beta: how much of the past is kept.
        average: whether b <- beta b + (1 - beta) d instead.
        nesterov: whether what goes on looks a step ahead: d + beta b, or of an average (1 - beta) d + beta b.
    """

    beta: float
    average: bool = False
    nesterov: bool = False

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The sums over the past."""
        for direction, memory in zip(directions, memories, strict=True):
            if self.average:
                kept = memory.setdefault("momentum", torch.zeros_like(direction))
                kept.lerp_(direction, 1 - self.beta)
            elif "momentum" not in memory:
                memory["momentum"] = direction.clone()
            else:
                memory["momentum"].mul_(self.beta).add_(direction)
        if not self.nesterov:
            return [memory["momentum"] for memory in memories]
        share = 1 - self.beta if self.average else 1.0
        return [share * d + self.beta * m["momentum"] for d, m in zip(directions, memories, strict=True)]


@dataclass(frozen=True)
class Sign:
    """sign(d) (Bernstein et al. 2018); zeros stay zero. With `scaled` times the mean of |d| over a run."""

    scaled: bool = False

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The signs."""
        signs = [direction.sign() for direction in directions]
        if not self.scaled:
            return signs
        count = sum(d[0].numel() if stacked else d.numel() for d in directions)
        means = sum_by_run([direction.abs() for direction in directions], stacked) / count
        return [sign * by_run(means, sign) for sign in signs]


@dataclass(frozen=True)
class Normalise:
    """d/|d|, with the norm over all parameters of a run; zero stays zero."""

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The unit directions."""
        squares = sum_by_run([direction.square() for direction in directions], stacked)
        scale = torch.where(squares > 0, squares.rsqrt(), torch.zeros_like(squares))
        return [direction * by_run(scale, direction) for direction in directions]


@dataclass(frozen=True)
class ClipNorm:
    """d min(1, most/|d|), with the norm over all parameters of a run (Pascanu, Mikolov & Bengio 2013)."""

    most: float

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The clipped directions."""
        norm = sum_by_run([direction.square() for direction in directions], stacked).sqrt()
        scale = (self.most / norm.clamp_min(1e-12)).clamp_max(1.0)
        return [direction * by_run(scale, direction) for direction in directions]


@dataclass(frozen=True)
class AdamScaling:
    """m/(sqrt(v) + eps) of running means m of d and v of d^2, with their starts corrected (Kingma & Ba 2015)."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The scaled means."""
        first, second = self.betas
        scaled = []
        for direction, memory in zip(directions, memories, strict=True):
            if "step" not in memory:
                memory.update(step=0, mean=torch.zeros_like(direction), square=torch.zeros_like(direction))
            memory["step"] += 1
            memory["mean"].lerp_(direction, 1 - first)
            memory["square"].mul_(second).addcmul_(direction, direction, value=1 - second)
            root = memory["square"].sqrt().div_((1 - second ** memory["step"]) ** 0.5).add_(self.eps)
            scaled.append(memory["mean"] / root / (1 - first ** memory["step"]))
        return scaled


@dataclass(frozen=True)
class AdagradScaling:
    """d/(sqrt(sum of past d^2) + eps) (Duchi, Hazan & Singer 2011)."""

    eps: float = 1e-10

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The scaled directions."""
        scaled = []
        for direction, memory in zip(directions, memories, strict=True):
            total = memory.setdefault("sum", torch.zeros_like(direction))
            total.addcmul_(direction, direction)
            scaled.append(direction / (total.sqrt() + self.eps))
        return scaled


@dataclass(frozen=True)
class Orthogonalise:
    """U V^T of d = U S V^T for matrices, by Newton-Schulz steps (Jordan et al. 2024, Muon); others go on as they are.

    Singular values come out between about 0.7 and 1.2; three steps more of Higham's iteration make them one.
    """

    steps: int = 5

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The orthogonalised directions."""
        return [self._orthogonal(d) if d.dim() - stacked == 2 else d for d in directions]

    def _orthogonal(self, matrix: Tensor) -> Tensor:
        wide = matrix.shape[-2] > matrix.shape[-1]
        x = matrix.mT if wide else matrix
        x = x / x.flatten(-2).norm(dim=-1)[..., None, None].clamp_min(1e-12)
        for _ in range(self.steps):
            gram = x @ x.mT
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
        return x.mT if wide else x


@dataclass(frozen=True)
class WeightDecay:
    """d + decay p; first in a chain it is part of the gradient, last it is decoupled (Loshchilov & Hutter 2019)."""

    decay: float

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The directions with the pull towards zero."""
        return [d.add(p.detach(), alpha=self.decay) for d, p in zip(directions, parameters, strict=True)]


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
                    p.sub_(direction * by_run(group["lr"].to(p), p))
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
    if not all(0 <= beta < 1 for beta in betas):
        raise SimonidesError(f"betas = {betas} must both be in [0, 1).")
    return Chain(params, lr, [AdamScaling((float(betas[0]), float(betas[1])), eps)])


def Muon(  # noqa: N802
    params: Iterable[Tensor], lr: Rate, momentum: float = 0.95, stacked: bool = False
) -> Chain:
    """Nesterov's momentum, then orthogonalisation of each matrix (Jordan et al. 2024, as torch's)."""
    return Chain(params, lr, [Momentum(momentum, average=True, nesterov=True), Orthogonalise()], stacked)


def sum_by_run(values: Sequence[Tensor], stacked: bool) -> Float[Tensor, "*runs"]:
    """The sum over all entries of several tensors, for each run where they are stacked."""
    if stacked:
        return torch.stack([value.flatten(1).sum(1) for value in values]).sum(0)
    return torch.stack([value.sum() for value in values]).sum()


def by_run(values: Float[Tensor, "*runs"], like: Tensor) -> Tensor:
    """Numbers of each run in a shape that multiplies its parameters; one number as it is."""
    return values.reshape(-1, *[1] * (like.dim() - 1)) if values.dim() else values


def _momentum(beta: float) -> list[Part]:
    check_not_negative("momentum", beta)
    return [Momentum(beta)] if beta else []


def _decay(decay: float) -> list[Part]:
    check_not_negative("weight_decay", decay)
    return [WeightDecay(decay)] if decay else []


def _names(state: Memory, number: int) -> list[str]:
    prefix = f"{number}."
    return [name.removeprefix(prefix) for name in state if name.startswith(prefix)]

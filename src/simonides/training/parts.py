"""The parts that optimisers are chains of: each turns directions into directions, run by run where runs are stacked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

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
            scaled.append(torch.div(memory["mean"], root.mul_(1 - first ** memory["step"]), out=root))
        return scaled


@dataclass(frozen=True)
class AdanScaling:
    """(m + (1 - b2) v)/(sqrt(n) + eps), with running means corrected for their starts (Xie et al. 2022, Adan).

    m of the gradients d, v of their differences d - d', n of (d + (1 - b2) (d - d'))^2, each with
    mean <- (1 - b) mean + b new; the first difference is zero.

    Arguments:
        betas: b1, b2, b3, the shares of what is new.
        eps: added to the root.
    """

    betas: tuple[float, float, float] = (0.02, 0.08, 0.01)
    eps: float = 1e-8

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The scaled means."""
        first, second, third = self.betas
        scaled = []
        for direction, memory in zip(directions, memories, strict=True):
            if "step" not in memory:
                memory.update(
                    step=0,
                    before=direction.clone(),
                    **{name: torch.zeros_like(direction) for name in ("mean", "change", "square")},
                )
            memory["step"] += 1
            change = direction - memory["before"]
            memory["before"].copy_(direction)
            memory["mean"].lerp_(direction, first)
            memory["change"].lerp_(change, second)
            ahead = direction.add(change, alpha=1 - second)
            memory["square"].mul_(1 - third).addcmul_(ahead, ahead, value=third)
            whole = [1 - (1 - beta) ** memory["step"] for beta in self.betas]
            top = memory["mean"] / whole[0] + (1 - second) * memory["change"] / whole[1]
            scaled.append(top / ((memory["square"] / whole[2]).sqrt() + self.eps))
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
    """About U V^T of d = U S V^T, by Newton-Schulz steps (Jordan et al. 2024, Muon).

    A parameter of more than two axes is a stack of matrices, such as one of each head; vectors go on as they are.
    Singular values that are not tiny come out between about 0.7 and 1.2; with `tall` those of a matrix with more rows
    than columns are multiplied by sqrt(rows/columns).
    """

    steps: int = 5
    tall: bool = False

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The orthogonalised directions."""
        return [self._orthogonal(d) if d.dim() - stacked >= 2 else d for d in directions]

    def _orthogonal(self, matrix: Tensor) -> Tensor:
        wide = matrix.shape[-2] > matrix.shape[-1]
        x = matrix.mT if wide else matrix
        x = x / x.flatten(-2).norm(dim=-1)[..., None, None].clamp_min(1e-12)
        for _ in range(self.steps):
            gram = x @ x.mT
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
        if not wide:
            return x
        return x.mT * (matrix.shape[-2] / matrix.shape[-1]) ** 0.5 if self.tall else x.mT


@dataclass(frozen=True)
class WeightDecay:
    """d + decay p; first in a chain it is part of the gradient, last it is decoupled (Loshchilov & Hutter 2019).

    Arguments:
        decay: the factor.
        vectors: whether parameters with no more than one axis longer than 1, such as gains and biases, decay too.
    """

    decay: float
    vectors: bool = True

    def __call__(
        self, directions: list[Tensor], parameters: Sequence[Tensor], memories: Sequence[Memory], stacked: bool
    ) -> list[Tensor]:
        """The directions with the pull towards zero."""
        return [
            d.add(p.detach(), alpha=self.decay) if self.vectors or _is_matrix(p, stacked) else d
            for d, p in zip(directions, parameters, strict=True)
        ]


def _is_matrix(parameter: Tensor, stacked: bool) -> bool:
    return sum(size > 1 for size in parameter.shape[stacked:]) > 1


def sum_by_run(values: Sequence[Tensor], stacked: bool) -> Float[Tensor, "*runs"]:
    """The sum over all entries of several tensors, for each run where they are stacked."""
    if stacked:
        return torch.stack([value.flatten(1).sum(1) for value in values]).sum(0)
    return torch.stack([value.sum() for value in values]).sum()


def by_run(values: Float[Tensor, "*runs"], like: Tensor) -> Tensor:
    """Numbers of each run in a shape that multiplies its parameters; one number as it is."""
    return values.reshape(-1, *[1] * (like.dim() - 1)) if values.dim() else values

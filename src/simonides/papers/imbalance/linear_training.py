"""Full-batch training of a linear softmax classifier: every rate of a method at once, losses by class frequency.

Letters: `R` rates, `n` samples, `d` features, `C` classes. Methods whose steps are sums of gradients stay in the span
of the samples: with more features than samples they are run on the n x n matrix K = X X^T + 1, the 1 for the bias.
A step is then one product K G with the gradient in the logits, for all rates together. The others train W.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least, check_memory, check_name
from simonides.nn import cross_entropies, excess, product, weighted_cross_entropy
from simonides.papers.imbalance.bins import frequency_bins
from simonides.papers.imbalance.linear_data import LinearData
from simonides.papers.imbalance.methods import METHODS, default_rates
from simonides.papers.imbalance.rate_runs import RateRuns
from simonides.training import DivergedTraining, Records, Stack, Update, fit

# methods that stay in the span of the samples: momentum, and whether gradients are normalised
_IN_SPAN = {
    "gd": (0.0, False),
    "gd-momentum": (0.9, False),
    "normalised": (0.0, True),
    "normalised-momentum": (0.9, True),
}
REWEIGHTINGS = {"none": 0.0, "inverse root": -0.5, "inverse": -1.0}


class SoftmaxRegression(Stack):
    """R linear classifiers with bias of one data set, as one product.

    Arguments:
        weight: of each run.
        bias: of each run.
    """

    def __init__(self, weight: Float[Tensor, "R C d"], bias: Float[Tensor, "R C"]) -> None:
        super().__init__(len(weight))
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(
        self, x: Float[Tensor, "n d"], transposed: Float[Tensor, "d n"] | None = None
    ) -> Float[Tensor, "R n C"]:
        """Logits; `transposed` is x^T in memory of its own, where x is the same at every step."""
        runs, classes, _ = self.weight.shape
        x_t = x.mT.contiguous() if transposed is None else transposed
        logits: Tensor = _Linear.apply(x, x_t, self.weight.flatten(0, 1))  # type: ignore[no-untyped-call]
        return logits.unflatten(1, (runs, classes)).movedim(1, 0) + self.bias[:, None]


class _Linear(torch.autograd.Function):
    """x W^T with a gradient in W alone, both products as fast as they go."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, transposed: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(transposed)
        return product(x, weight)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[None, None, Tensor]:
        (transposed,) = ctx.saved_tensors
        return None, None, product(upstream.mT.contiguous(), transposed)


def start(data: LinearData, generator: torch.Generator) -> tuple[Float[Tensor, "C d"], Float[Tensor, " C"]]:
    """Weight and bias uniform within 1/sqrt(d) of zero, as `torch.nn.Linear` has them at first."""
    classes, d = data.classes, data.x.shape[1]
    weight = (2 * torch.rand(classes, d, generator=generator) - 1) / d**0.5
    return weight, (2 * torch.rand(classes, generator=generator) - 1) / d**0.5


def train_linear(
    data: LinearData,
    method: str,
    generator: torch.Generator,
    steps: int = 100,
    rates: Sequence[float] | None = None,
    every: int = 10,
    bins: int = 10,
    reweighting: str = "none",
    initial_bias: Float[Tensor, " C"] | None = None,
    device: torch.device | None = None,
) -> RateRuns:
    """Train by one method at every rate, from one start.

    Arguments:
        data: the samples.
        method: a name of `simonides.papers.imbalance.methods.METHODS`.
        generator: draws the start, on the CPU; left as it was, so that methods can be compared from the same start.
        steps: updates.
        rates: the grid; by default the method's own.
        every: updates between records.
        bins: of the classes by frequency.
        reweighting: samples weighted by a power of their class's share: "none", "inverse root" or "inverse"; losses
            are told unweighted.
        initial_bias: in place of a random one, such as log pi.
        device: where to compute; by default the CPU.

    Raises:
        SimonidesError: when names are unknown, or this machine has too little memory.
    """
    check_name("method", method, METHODS)
    check_name("reweighting", reweighting, REWEIGHTINGS)
    check_at_least("steps", steps, 1)
    check_at_least("every", every, 1)
    grid = tuple(default_rates(method) if rates is None else rates)
    if not grid or any(not rate > 0 for rate in grid) or list(grid) != sorted(grid):
        raise SimonidesError(f"rates {list(grid)}: give positive ones that rise.")
    if method == "armijo" and len(grid) > 1:
        raise SimonidesError(
            f"{len(grid)} rates for a line search, which finds its own; give one, the first step tried."
        )
    if int(data.targets.min()) < 0 or int(data.targets.max()) >= data.classes:
        raise SimonidesError(f"targets lie outside 0 .. {data.classes - 1}.")
    if initial_bias is not None and initial_bias.shape != (data.classes,):
        raise SimonidesError(f"initial_bias has shape {list(initial_bias.shape)}; give {data.classes} numbers.")
    n, d = data.x.shape
    in_span = method in _IN_SPAN and n < d
    check_memory(
        f"{n:,} samples of {d:,} features, {data.classes:,} classes and {len(grid)} rates need",
        needed_memory(n, d, data.classes, len(grid), in_span),
        "give fewer rates, or a smaller m",
    )
    device = device or torch.device("cpu")
    twin = torch.Generator().set_state(generator.get_state())
    weight, bias = (value.to(device) for value in start(data, twin))
    if initial_bias is not None:
        bias = initial_bias.to(bias)
    x, targets = data.x.float().to(device), data.targets.to(device)
    counts = data.counts.to(device)
    sample_weights = (counts.clamp_min(1) / n).pow(REWEIGHTINGS[reweighting])[targets]
    problem = _Problem(x, targets, counts, sample_weights / sample_weights.sum())
    train = problem.in_span if in_span else problem.in_weights
    losses, at = train(method, weight, bias, grid, steps, every)
    return RateRuns(
        method=method,
        rates=grid,
        steps=tuple(at),
        losses=losses.double().cpu(),
        measured=data.counts.double(),
        bins=frequency_bins(data.counts, bins),
    )


def needed_memory(n: int, d: int, classes: int, rates: int, in_span: bool) -> float:
    """Bytes that `train_linear` takes at most, in float32: samples, K where it is used, and what a step holds."""
    held = n * d + (n * n if in_span else n * d)
    return 4.0 * (held + rates * classes * (5 * n if in_span else 4 * n + 6 * d))


@dataclass(frozen=True)
class _Problem:
    """One data set on its device."""

    x: Float[Tensor, "n d"]
    targets: Int[Tensor, " n"]
    counts: Int[Tensor, " C"]
    weights: Float[Tensor, " n"]

    def class_losses(self, logits: Float[Tensor, "R n C"]) -> Float[Tensor, "R C"]:
        """Mean loss of each class."""
        losses = cross_entropies(logits, self.targets.expand(len(logits), -1))
        sums = torch.zeros(len(logits), len(self.counts), device=logits.device)
        return sums.index_add_(1, self.targets, losses) / self.counts.clamp_min(1)

    def in_span(
        self, method: str, weight: Tensor, bias: Tensor, rates: Sequence[float], steps: int, every: int
    ) -> tuple[Float[Tensor, "records R C"], list[int]]:
        """Descent on the logits of the samples: Z <- Z - rate K G."""
        momentum, normalised = _IN_SPAN[method]
        kernel = product(self.x, self.x) + 1
        first = product(self.x, weight) + bias
        logits = first.expand(len(rates), -1, -1).clone()
        rate = torch.tensor(rates, device=first.device)[:, None, None]
        past: Tensor | None = None
        losses, at = [], []
        for step in range(steps + 1):
            if step % every == 0 or step == steps:
                losses.append(self.class_losses(logits))
                at.append(step)
            if step == steps:
                break
            away = excess(logits, self.targets.expand(len(rates), -1), self.weights.expand(len(rates), -1))
            # the runs side by side, so that K is read once for all
            pulled = product(kernel, away.mT.flatten(0, 1))
            direction = pulled.unflatten(1, (len(rates), -1)).movedim(1, 0)
            if normalised:  # |G^T X|^2 of weights and bias together
                square = (away * direction).sum((1, 2), keepdim=True)
                direction = direction * torch.where(square > 0, square.rsqrt(), 0.0)
            past = direction if past is None or not momentum else past.mul_(momentum).add_(direction)
            logits.sub_(rate * past)
        return torch.stack(losses), at

    def in_weights(
        self, method: str, weight: Tensor, bias: Tensor, rates: Sequence[float], steps: int, every: int
    ) -> tuple[Float[Tensor, "records R C"], list[int]]:
        """Any method, on W and b."""
        stack = SoftmaxRegression(
            weight.expand(len(rates), -1, -1).clone(), bias.expand(len(rates), -1).clone()
        ).to(self.x.device)
        transposed = self.x.mT.contiguous()

        def look(model: SoftmaxRegression) -> Mapping[str, Tensor]:
            return {"by_class": self.class_losses(model(self.x))}

        def loss(model: SoftmaxRegression, _: None) -> Float[Tensor, " R"]:
            targets, weights = (own.expand(model.runs, -1) for own in (self.targets, self.weights))
            return weighted_cross_entropy(model(self.x, transposed), targets, weights)

        try:
            history = fit(
                stack,
                loss,
                lambda _: None,
                lambda parameters: METHODS[method](parameters, torch.tensor(rates, device=self.x.device)),
                steps,
                torch.Generator(),
                update=Update(),
                records=Records(every=every, probes={"seen": look}),
            )
        except DivergedTraining as stopped:  # all of them: that is a result
            history = stopped.history
        at, seen = list(history.steps), list(history.column("by_class"))
        if at[-1:] != [steps]:
            at.append(steps)
            seen.append(torch.full((len(rates), len(self.counts)), torch.nan))
        return torch.stack([entry.cpu() for entry in seen]), at

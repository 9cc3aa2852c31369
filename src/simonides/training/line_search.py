"""Line search: the largest step that lowers the loss enough, with what it cost."""

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from simonides.base import SimonidesError
from simonides.training.parts import by_run, sum_by_run


class LineSearch(Optimizer):
    """Gradient descent by Armijo's rule (1966): p <- p - a g with the largest a = start shrink^k such that

    f(p - a g) <= f(p) - slope a |g|^2. Each stacked run searches for itself. `evaluations` counts the losses that
    were computed in search. The next search begins at a/shrink of the last.

    Arguments:
        params: what to train.
        lr: the first step tried.
        slope: how much of the linear decrease is asked for, in (0, 1).
        shrink: in (0, 1).
        most: steps tried at most; where none lowers the loss enough a run stays where it is.
        stacked: whether the first axis of every parameter is the runs.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1.0,
        slope: float = 1e-4,
        shrink: float = 0.5,
        most: int = 40,
        stacked: bool = False,
    ) -> None:
        if not lr > 0 or not 0 < slope < 1 or not 0 < shrink < 1 or most < 1:
            raise SimonidesError(
                f"lr = {lr}, slope = {slope}, shrink = {shrink}, most = {most}: give a positive rate, two numbers in "
                "(0, 1), and at least one trial."
            )
        super().__init__(params, {"lr": lr, "slope": slope, "shrink": shrink, "most": most, "stacked": stacked})
        self.evaluations = 0
        self.sizes: Float[Tensor, "*runs"] | None = None

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:  # type: ignore[override]
        """One update; `closure` computes each run's loss at the parameters as they are.

        Raises:
            SimonidesError: when no closure is given.
        """
        if closure is None:
            raise SimonidesError("a line search computes losses: give step(closure).")
        (group,) = self.param_groups
        parameters = [p for p in group["params"] if p.grad is not None]
        gradients = [p.grad.clone() for p in parameters]
        before = [p.clone() for p in parameters]
        stacked = group["stacked"]
        squares = sum_by_run([g.square() for g in gradients], stacked)
        loss = closure().detach()
        first = torch.full_like(squares, group["lr"])
        size = first if self.sizes is None else torch.where(self.sizes > 0, self.sizes / group["shrink"], first)
        accepted = torch.zeros_like(squares, dtype=torch.bool)
        for _ in range(group["most"]):
            for p, old, g in zip(parameters, before, gradients, strict=True):
                p.copy_(old - by_run(size, g) * g)
            tried = closure().detach()
            self.evaluations += 1
            accepted |= tried <= loss - group["slope"] * size * squares
            if bool(accepted.all()):
                break
            size = torch.where(accepted, size, size * group["shrink"])
        size = torch.where(accepted, size, torch.zeros_like(size))
        for p, old, g in zip(parameters, before, gradients, strict=True):
            p.copy_(old - by_run(size, g) * g)
        self.sizes = size
        return loss

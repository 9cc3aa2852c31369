"""Cross-entropy of stacked runs, with its gradient written out: softmax minus label."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError


def excess(
    scores: Float[Tensor, "*rows M"], targets: Int[Tensor, "*rows"], weights: Float[Tensor, "*rows"] | None = None
) -> Float[Tensor, "*rows M"]:
    """w (softmax(scores) - 1{y = target}): the gradient of w times the cross-entropy in the scores.

    >>> excess(torch.zeros(1, 2), torch.tensor([0]))
    tensor([[-0.5000,  0.5000]])
    """
    difference = torch.softmax(scores, -1)
    difference.scatter_add_(-1, targets[..., None], -torch.ones_like(difference[..., :1]))
    return difference if weights is None else difference * weights[..., None]


def cross_entropies(scores: Float[Tensor, "*rows M"], targets: Int[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
    """-log softmax(scores) at the target, in nats, for every row.

    >>> cross_entropies(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([1.3863, 1.3863])
    """
    if targets.shape != scores.shape[:-1]:
        raise SimonidesError(
            f"targets have shape {list(targets.shape)} for scores of {list(scores.shape)}; give one a row."
        )
    return torch.logsumexp(scores, -1) - scores.gather(-1, targets[..., None])[..., 0]


def weighted_cross_entropy(
    scores: Float[Tensor, "*runs N M"], targets: Int[Tensor, "*runs N"], weights: Float[Tensor, "*runs N"]
) -> Float[Tensor, "*runs"]:
    """sum_x w(x) times the cross-entropy of x, for every run: the loss of a population with frequencies w."""
    loss: Tensor = _Weighted.apply(scores, targets, weights)  # type: ignore[no-untyped-call]
    return loss


class _Weighted(torch.autograd.Function):
    """One softmax serves loss and gradient."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(scores, targets, weights)
        return (weights * cross_entropies(scores, targets)).sum(-1)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        scores, targets, weights = ctx.saved_tensors
        return excess(scores, targets, weights * upstream[..., None]), None, None

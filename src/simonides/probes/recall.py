"""Recall accuracy and margins of any memory: something that maps input vectors to output vectors.

A probe needs no knowledge of a memory's class: a linear map, a head's value circuit and a whole block are all
read the same way, by what they return for the stored inputs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.memories import margins, recall

Memory = Callable[[Float[Tensor, "*runs N d_in"]], Float[Tensor, "*runs N d_out"]]


def recalled(
    memory: Memory,
    inputs: Float[Tensor, "*runs N d_in"],
    outputs: Float[Tensor, "*runs M d_out"],
    targets: Int[Tensor, "*runs N"],
) -> Bool[Tensor, "*runs N"]:
    """Which inputs' best answer among all M outputs is their target."""
    return recall(memory(inputs), outputs) == targets


def accuracy(
    memory: Memory,
    inputs: Float[Tensor, "*runs N d_in"],
    outputs: Float[Tensor, "*runs M d_out"],
    targets: Int[Tensor, "*runs N"],
) -> Float[Tensor, "*runs"]:
    """The share of inputs whose best answer among all M outputs is their target.

    >>> accuracy(lambda e: e, torch.eye(2), torch.eye(2), torch.tensor([0, 0]))
    tensor(0.5000)
    """
    return recalled(memory, inputs, outputs, targets).float().mean(-1)


@dataclass(frozen=True, kw_only=True)
class MarginSummary:
    """How surely a memory recalls: statistics of the margins over its inputs."""

    least: Float[Tensor, "*runs"]
    median: Float[Tensor, "*runs"]
    positive: Float[Tensor, "*runs"]  # the share above zero: the accuracy, where no two scores tie


def margin_summary(
    memory: Memory,
    inputs: Float[Tensor, "*runs N d_in"],
    outputs: Float[Tensor, "*runs M d_out"],
    targets: Int[Tensor, "*runs N"],
) -> MarginSummary:
    """Least and median margin, and the share of inputs whose margin is positive."""
    all_margins = margins(memory(inputs), outputs, targets)
    return MarginSummary(
        least=all_margins.amin(-1),
        median=torch.quantile(all_margins, 0.5, dim=-1),
        positive=(all_margins > 0).float().mean(-1),
    )

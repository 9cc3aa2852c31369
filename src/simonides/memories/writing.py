"""Writing rules: how associations become the matrix W of a linear memory.

Letters: `N` associations, `M` possible answers, `d_in` and `d_out` widths, `R` stacked runs in front.
`targets[x]` is the row of `outputs` that input x maps to.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_finite, check_indices, check_one_type, check_vectors

# rows gathered at a time: bounds the copy of `outputs[targets]` to about 64 MB at d = 1024
_ROWS = 16_384


def outer_products(
    inputs: Float[Tensor, "*runs N d_in"],
    outputs: Float[Tensor, "*runs M d_out"],
    targets: Int[Tensor, "*rows N"],
    weights: Float[Tensor, "*runs N"] | None = None,
) -> Float[Tensor, "*runs d_out d_in"]:
    """W = sum_x alpha_x u_{f(x)} e_x^T, the Hebbian sum of outer products.

    Kohonen (1972); equation (1) of Cabannes, Dohmatob & Bietti (2024). `weights` are the alpha_x, all one when left
    out; W has the type of the inputs. Inputs that share an answer are added first, so the cost is
    N d_in + M d_out d_in, and N d_out d_in where M >= N. Beside W the sum keeps one block of rows, or M d_in sums;
    never an N x M table.

    Raises:
        SimonidesError: when there are no associations or the shapes disagree.

    >>> outer_products(torch.eye(2), torch.eye(2), torch.tensor([1, 0]))
    tensor([[0., 1.],
            [1., 0.]])
    """
    targets = checked_targets(inputs, outputs, targets)
    if weights is not None:
        _check_weights(weights, inputs)
    facts, answers = inputs.shape[-2], outputs.shape[-2]
    if answers < facts:
        return outputs.mT @ class_sums(inputs, targets, answers, weights)
    total = inputs.new_zeros(*inputs.shape[:-2], outputs.shape[-1], inputs.shape[-1])
    for start in range(0, facts, _ROWS):
        rows = slice(start, start + _ROWS)
        written = select(outputs, targets[..., rows])
        if weights is not None:
            written = written * weights[..., rows, None].to(written)
        total += written.mT @ inputs[..., rows, :]
    return total


def class_sums(
    inputs: Float[Tensor, "*runs N d_in"],
    targets: Int[Tensor, "*runs N"],
    answers: int,
    weights: Float[Tensor, "*runs N"] | None = None,
) -> Float[Tensor, "*runs M d_in"]:
    """S_y = sum_{x: f(x) = y} alpha_x e_x, so that W = sum_y u_y S_y^T.

    With few answers, `LowRankMemory(outputs.mT, sums)` is the same memory as W at the cost of M directions.
    """
    total = inputs.new_zeros(*inputs.shape[:-2], answers, inputs.shape[-1])
    for start in range(0, inputs.shape[-2], _ROWS):
        rows = slice(start, start + _ROWS)
        block = inputs[..., rows, :]
        if weights is not None:
            block = block * weights[..., rows, None].to(block)
        total.scatter_add_(-2, targets[..., rows, None].expand_as(block), block)
    return total


def pseudo_inverse(
    inputs: Float[Tensor, "*runs N d_in"],
    outputs: Float[Tensor, "*runs M d_out"],
    targets: Int[Tensor, "*rows N"],
) -> Float[Tensor, "*runs d_out d_in"]:
    """W of least norm among those minimising sum_x |W e_x - u_{f(x)}|^2: W = U^T E^+.

    Kohonen & Ruohonen (1973). It recalls exactly while the N inputs are linearly independent. Holds an
    N x d table, so it is for N up to some 10^5.

    Raises:
        SimonidesError: when there are no associations or the shapes disagree.
    """
    targets = checked_targets(inputs, outputs, targets)
    return (torch.linalg.pinv(inputs) @ select(outputs, targets)).mT


def select(outputs: Float[Tensor, "*runs M d"], targets: Int[Tensor, "*runs N"]) -> Float[Tensor, "*runs N d"]:
    """The rows outputs[targets], run by run."""
    if outputs.dim() == 2:
        return outputs[targets]
    return outputs.gather(-2, targets.unsqueeze(-1).expand(*targets.shape, outputs.shape[-1]))


def _check_weights(weights: Tensor, inputs: Tensor) -> None:
    check_finite(weights=weights)
    if weights.shape not in (inputs.shape[:-1], inputs.shape[-2:-1]):
        raise SimonidesError(
            f"weights have shape {list(weights.shape)} where the inputs ask for {list(inputs.shape[:-1])}; "
            "give one weight for every input."
        )


def checked_targets(
    inputs: Float[Tensor, "*runs N d_in"], outputs: Float[Tensor, "*runs M d_out"], targets: Int[Tensor, "*rows N"]
) -> Int[Tensor, "*runs N"]:
    """The targets, one row for each run, of associations that can be stored.

    Raises:
        SimonidesError: when there are none, shapes or types disagree, a target is no row of the outputs, or a number
            is not finite.
    """
    check_vectors(inputs=inputs, outputs=outputs)
    check_indices("targets", targets)
    if outputs.dim() > 2 and outputs.shape[:-2] != inputs.shape[:-2]:
        raise SimonidesError(
            f"outputs have shape {list(outputs.shape)} and inputs {list(inputs.shape)}: their runs must be as many."
        )
    facts, answers = inputs.shape[-2], outputs.shape[-2]
    if facts == 0 or answers == 0:
        raise SimonidesError(f"nothing to store: {facts} inputs and {answers} outputs; give at least one of each.")
    if targets.shape == inputs.shape[-2:-1]:  # one row serves all runs
        targets = targets.expand(inputs.shape[:-1])
    if targets.shape != inputs.shape[:-1]:
        raise SimonidesError(
            f"targets have shape {list(targets.shape)} where the inputs ask for {list(inputs.shape[:-1])}; "
            "give one target for every input."
        )
    check_one_type(inputs=inputs, outputs=outputs)
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= answers:
        raise SimonidesError(
            f"targets reach from {low} to {high}, outside 0 .. {answers - 1}, the rows of the outputs."
        )
    check_finite(inputs=inputs, outputs=outputs)
    return targets

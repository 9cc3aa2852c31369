"""Population errors: exact sums over a finite vocabulary, for several ways of writing at once."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_one_type


def population_errors(
    inputs: Float[Tensor, "N d"],
    outputs: Float[Tensor, "M d"],
    targets: Int[Tensor, " N"],
    weights: Float[Tensor, "schemes N"],
    probabilities: Float[Tensor, " N"],
) -> Float[Tensor, " schemes"]:
    """E = sum_x p(x) 1{argmax_y <u_y, W_q e_x> != f(x)} of W_q = sum_x q(x) u_{f(x)} e_x^T, for every row q.

    The scores are E S_q^T (U U^T) with S_q the class sums of q(x) e_x: O(N d M) each, without a d x d matrix, in
    the embeddings' precision. An input whose best score is not above all others counts as wrong.

    >>> e = torch.eye(3)
    >>> population_errors(e, e[:2], torch.tensor([0, 1, 0]), torch.tensor([[1.0, 1, 0]]), torch.ones(3) / 3)
    tensor([0.3333])
    """
    shapes = [inputs.dim(), outputs.dim(), targets.dim(), weights.dim(), probabilities.dim()]
    if shapes != [2, 2, 1, 2, 1]:
        raise SimonidesError(
            f"inputs, outputs, targets, weights and probabilities have {shapes} axes; give [2, 2, 1, 2, 1], a scheme "
            "in each row of the weights, and stacks run by run."
        )
    check_one_type(inputs=inputs, outputs=outputs)
    answers, schemes = len(outputs), len(weights)
    if len(targets) != len(inputs) or weights.shape[1] != len(inputs):
        raise SimonidesError(
            f"{len(inputs)} inputs, {len(targets)} targets and weights of {weights.shape[1]}; give one for each."
        )
    placed = inputs.new_zeros(answers, schemes, len(inputs))
    placed[targets, :, torch.arange(len(inputs), device=targets.device)] = weights.mT.to(inputs)
    sums = (placed.flatten(0, 1) @ inputs).reshape(answers, schemes, -1)
    # columns: answer by scheme; then every scheme's answers are mixed by the overlaps of the outputs
    table = (inputs @ sums.flatten(0, 1).mT).reshape(len(inputs), answers, schemes)
    scores = torch.einsum("nas,ab->nsb", table, outputs @ outputs.mT)
    own = targets[:, None, None].expand(-1, schemes, 1)
    right_score = scores.gather(-1, own)[..., 0]
    rival = scores.scatter(-1, own, -torch.inf).amax(-1)
    return ((right_score <= rival).to(probabilities) * probabilities[:, None]).sum(0)

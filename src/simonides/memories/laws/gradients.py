"""Gradients as memories: the cross-entropy gradient of a linear memory as a sum of outer products.

The model is p_W(k|z) = softmax_k(v_k^T W u_z), the loss the cross-entropy against p(k|z) over inputs z of
probability p(z). Bietti et al. (2023), lemma 1 and after. Letters: `N` inputs u_z, `M` outputs v_k, `S` samples.
All are exact: equal to autograd in float64 to 1e-12.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_one_type

Labels = Float[Tensor, "N M"]


def answer_probabilities(
    weight: Float[Tensor, "d_out d_in"], inputs: Float[Tensor, "N d_in"], outputs: Float[Tensor, "M d_out"]
) -> Float[Tensor, "N M"]:
    """p_W(k|z) = softmax_k(v_k^T W u_z)."""
    return torch.softmax(inputs @ weight.mT @ outputs.mT, -1)


def certain(targets: Int[Tensor, " N"], answers: int, like: Tensor) -> Labels:
    """p(k|z) = 1{k = f(z)}, in the format of a tensor."""
    return torch.nn.functional.one_hot(targets, answers).to(like)


def population_gradient(
    weight: Float[Tensor, "d_out d_in"],
    inputs: Float[Tensor, "N d_in"],
    outputs: Float[Tensor, "M d_out"],
    labels: Labels,
    probabilities: Float[Tensor, " N"],
) -> Float[Tensor, "d_out d_in"]:
    """grad L(W) = sum_k sum_z p(z) (p_W(k|z) - p(k|z)) v_k u_z^T.

    A sum of outer products: a step writes every u_z -> v_k that is more likely than the model thinks.
    """
    excess = answer_probabilities(weight, inputs, outputs) - labels
    return outputs.mT @ (probabilities[:, None] * excess).mT @ inputs


def noisy_gradient(
    weight: Float[Tensor, "d_out d_in"],
    samples: Float[Tensor, "S d_in"],
    outputs: Float[Tensor, "M d_out"],
    targets: Int[Tensor, " S"],
    probabilities: Float[Tensor, " S"],
) -> Float[Tensor, "d_out d_in"]:
    """grad L(W) = sum_k p(y = k) v_k (mu-hat_k - mu_k)^T for inputs x of any kind.

    mu_k = E[x | y = k] is what goes with answer k, mu-hat_k = E[p_W(k|x) x]/p(y = k) what the model takes for it.
    Whatever is in x and independent of y is the same in both once p_W(k|x) is p(y = k), and cancels: exogenous
    noise is not written.

    Raises:
        SimonidesError: when some answer never occurs, since its means are not defined.
    """
    answers, here = means(samples, targets, probabilities, len(outputs))
    predicted = answer_probabilities(weight, samples, outputs)
    there = (probabilities[:, None] * predicted).mT @ samples / answers[:, None]
    return (outputs * answers[:, None]).mT @ (there - here)


def means(
    samples: Float[Tensor, "S d_in"], targets: Int[Tensor, " S"], probabilities: Float[Tensor, " S"], answers: int
) -> tuple[Float[Tensor, " M"], Float[Tensor, "M d_in"]]:
    """p(y = k), and mu_k = E[x | y = k].

    Raises:
        SimonidesError: when some answer never occurs.
    """
    chosen = certain(targets, answers, samples) * probabilities[:, None]
    frequency = chosen.sum(0)
    if (frequency == 0).any():
        missing = int((frequency == 0).nonzero()[0, 0])
        raise SimonidesError(
            f"answer {missing} never occurs, so E[x | y = {missing}] does not exist; leave it out."
        )
    return frequency, chosen.mT @ samples / frequency[:, None]


def one_step_weight(
    inputs: Float[Tensor, "N d_in"], outputs: Float[Tensor, "M d_out"], targets: Int[Tensor, " N"], rate: float
) -> Float[Tensor, "d_out d_in"]:
    """W_1 after one step of rate eta from W_0 = 0, inputs even: (eta/N) sum_z (v_{f(z)} - mean_k v_k) u_z^T."""
    written = outputs[targets] - outputs.mean(0)
    return rate / len(inputs) * written.mT @ inputs


def one_step_score(facts: int, answers: int, rate: float, right: bool) -> float:
    """v_k^T W_1 u_z = (eta/N)(1{k = f(z)} - 1/M) with orthonormal embeddings, uniform z; Bietti et al. (2023).

    >>> one_step_score(4, 4, 4.0, right=True)
    0.75
    """
    return rate / facts * (float(right) - 1 / answers)


def hessian(
    weight: Float[Tensor, "d_out d_in"],
    inputs: Float[Tensor, "N d_in"],
    outputs: Float[Tensor, "M d_out"],
    probabilities: Float[Tensor, " N"],
) -> Float[Tensor, "d_out*d_in d_out*d_in"]:
    """Second derivatives of the loss in the entries of W, row by row; it does not depend on the labels.

    sum_z p(z) Cov_{k ~ p_W(.|z)}(v_k) (x) u_z u_z^T; Cabannes, Simsek & Bietti (2024).
    """
    _check_matrices(inputs, outputs, probabilities, weight)
    predicted = answer_probabilities(weight, inputs, outputs)
    mean = predicted @ outputs
    covariance = torch.einsum("zk,ka,kb->zab", predicted, outputs, outputs) - mean[:, :, None] * mean[:, None, :]
    curvature = torch.einsum("z,zab,zi,zj->aibj", probabilities, covariance, inputs, inputs)
    return curvature.flatten(2).flatten(0, 1)


def _check_matrices(inputs: Tensor, outputs: Tensor, probabilities: Tensor, weight: Tensor | None = None) -> None:
    """Raise `SimonidesError` unless there is one matrix of each, of one type, and a probability for each input."""
    named = {"inputs": inputs, "outputs": outputs} | ({} if weight is None else {"weights": weight})
    for name, matrix in named.items():
        if matrix.dim() != 2:
            raise SimonidesError(f"{name} have shape {list(matrix.shape)}; give one matrix, and runs one by one.")
    if probabilities.shape != inputs.shape[:1]:
        raise SimonidesError(
            f"{len(inputs)} inputs and probabilities of {list(probabilities.shape)}; give one for each."
        )
    check_one_type(**named, probabilities=probabilities)


def curvature_bound(
    inputs: Float[Tensor, "N d_in"], outputs: Float[Tensor, "M d_out"], probabilities: Float[Tensor, " N"]
) -> float:
    """lambda_max(Hessian) <= D^2/4 lambda_max(sum_z p(z) u_z u_z^T) for every W, D the largest |v_k - v_j|.

    A distribution's variance along a direction is at most a quarter of its range squared (Popoviciu 1935).
    """
    _check_matrices(inputs, outputs, probabilities)
    widest = torch.cdist(outputs[None], outputs[None]).max()
    spread = torch.linalg.eigvalsh((probabilities[:, None] * inputs).mT @ inputs)[-1]
    return float(widest**2 / 4 * spread)


def stable_rate(
    inputs: Float[Tensor, "N d_in"], outputs: Float[Tensor, "M d_out"], probabilities: Float[Tensor, " N"]
) -> float:
    """2/curvature_bound: at any smaller rate full-batch gradient descent never raises the loss.

    For two orthonormal outputs it is 4/lambda_max(sum_z p(z) u_z u_z^T), and curvature attains it at W = 0.
    """
    return 2 / curvature_bound(inputs, outputs, probabilities)

"""How gradients write the memories of an induction head: lemmas 3 and 4 of Bietti et al. (2023), and step one.

A read-out attends with weights a_t = softmax_t(kappa_t) to T places that each say v_t (logits): o = sum_t a_t v_t,
p = softmax(o), label y. What place t is worth is the fall in loss by attending to it, -a_t (p - 1_y)^T (v_t - o).
All are exact: equal to autograd in float64 to 1e-12. Letters: `B` sequences, `T` places, `N` tokens, `d` width.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least


def attention_errors(
    says: Float[Tensor, "B T N"], weights: Float[Tensor, "B T"], targets: Int[Tensor, " B"]
) -> Float[Tensor, "B T"]:
    """dLoss/dkappa_t = a_t (p - 1_y)^T (v_t - o): negative where attending more would help.

    Arguments:
        says: v_t, the logits each place stands for.
        weights: a_t.
        targets: y.
    """
    predicted = torch.einsum("bt,btn->bn", weights, says)
    excess = torch.softmax(predicted, -1) - torch.nn.functional.one_hot(targets, predicted.shape[-1]).to(predicted)
    return weights * (torch.einsum("bn,btn->bt", excess, says) - (excess * predicted).sum(-1, keepdim=True))


def key_query_gradient(
    errors: Float[Tensor, "B T"], keys: Float[Tensor, "B T d"], queries: Float[Tensor, "B d"]
) -> Float[Tensor, "d d"]:
    """Gradient of the mean loss in W_KQ (key by query), kappa_t = x_t^T W_KQ q: E sum_t errors_t x_t q^T.

    At W_KQ = 0, a_t = 1/T, this is lemma 3, (1/T) sum_k E[(p_k - 1{y=k}) sum_t (v_k^T Phi x_t)(x_t - mean x) q^T]:
    once the values are right, places with the right token get larger keys.

    Arguments:
        errors: of `attention_errors`.
        keys: x_t.
        queries: q, the one position that reads.
    """
    return torch.einsum("bt,btd,be->de", errors, keys, queries) / len(errors)


def first_key_query_gradient(
    errors: Float[Tensor, "B T"],
    matches: Float[Tensor, "B T"],
    weights: Float[Tensor, "B T T"],
    keys: Float[Tensor, "B T d"],
    queries: Float[Tensor, "B T d"],
) -> Float[Tensor, "d d"]:
    """Gradient of the mean loss in the first layer's W_KQ (key by query), where its output makes the keys.

    With kappa_t = sum_s b_ts m_s, b_t = softmax over s of x_s^T W_KQ x_t:
    grad = E sum_t errors_t sum_s b_ts (m_s - kappa_t) x_s x_t^T (Bietti et al. 2023, lemma 4). Place t comes to
    look at s where attending to t helps and s holds what the query asks for: the place before.

    Arguments:
        errors: of `attention_errors`, of the second layer.
        matches: m_s, how well the token at s, remapped, meets the second layer's query.
        weights: b_ts, first of the place t that looks, then of s, where it looks; zero where it may not.
        keys: x_s.
        queries: x_t.
    """
    matched = torch.einsum("bts,bs->bt", weights, matches)
    pulls = errors[:, :, None] * weights * (matches[:, None, :] - matched[:, :, None])
    return torch.einsum("bts,bsd,bte->de", pulls, keys, queries) / len(errors)


def first_output_step(tokens: int, length: int) -> tuple[float, float]:
    """Step one of three: -dLoss/dW_OV2 at zero, of a token to itself and of a token to another, times N T.

    Sequences as of `three_steps.draw_sequences`, orthonormal directions: with even attention a
    token is seen as often as it occurs, so -dLoss/dV_kj = E[(1{y=k} - 1/N) count_j]/T. A token's own is
    (1 + (T - 3)/(N - 1) - T/N) after the scaling, near 1 for N >> T (Bietti et al. 2023, theorem 3).

    >>> own, other = first_output_step(tokens=64, length=16)
    >>> round(own, 3), round(other, 4)
    (0.956, -0.0152)
    """
    check_at_least("tokens", tokens, 2)
    if length < 3:
        raise SimonidesError(f"length = {length}: a trigger, what follows it, and the trigger again need 3.")
    n, t = tokens, length
    average = t / n
    repeats = 1 + (t - 3) / (n - 1)
    # the other is the trigger, at two places, or any of the rest
    other = 2 / (n - 1) + (n - 2) / (n - 1) * (t - 3) / (n - 1)
    return repeats - average, other - average

"""The closed-form induction head: three sums of outer products written into a two-layer transformer."""

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError
from simonides.nn import Layer, Transformer


def write_induction_head(model: Transformer, gain: float, triggers: Int[Tensor, " K"] | None = None) -> None:
    """Write an induction head into the merged key-query matrices of both layers and W_O of the second.

    W_KQ1 = sum_t p_{t-1} p_t^T, W_KQ2 = sum_k (W_OV1 w_E(k)) w_E(k)^T, W_O2 = sum_k w_U(k) (W_V2 w_E(k))^T, each
    times the gain; Bietti et al. (2023), section 4. It works where embeddings are nearly orthogonal.

    Arguments:
        model: two layers of one head, merged_queries=True, positions added to the embeddings.
        gain: sharp attention wants it large, crosstalk small.
        triggers: which tokens look back; by default all.

    Raises:
        SimonidesError: when the model is another kind.
    """
    if len(model.layers) != 2 or not model.config.merged_queries or not hasattr(model, "positions"):
        raise SimonidesError(
            "an induction head is written into two layers with merged_queries=True and positions added to the "
            "embeddings; make the model so."
        )
    first, second = model.layers
    assert isinstance(first, Layer)
    assert isinstance(second, Layer)
    with torch.no_grad():
        places, tokens = model.positions, model.W_E
        asked = tokens if triggers is None else tokens[triggers]
        first.W_K[0] = gain * places[1:].mT @ places[:-1]
        second.W_K[0] = gain * asked.mT @ (asked @ model.W_OV(0).mT)
        second.W_O[0] = gain * model.W_U.mT @ (tokens @ second.W_V[0].mT)

"""The closed-form induction head: three sums of outer products written into a two-layer transformer."""

from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError
from simonides.nn import W_OV, Transformer


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
    if len(model.layers) != 2 or not model.config.merged_queries or model.positions is None:
        raise SimonidesError(
            "an induction head is written into two layers with merged_queries=True and positions added to the "
            "embeddings; make the model so."
        )
    places, tokens, outputs = model.weight("positions"), model.weight("W_E"), model.weight("W_U")
    asked = tokens if triggers is None else tokens[triggers]
    model.weight("W_K", 0)[0] = gain * places[1:].mT @ places[:-1]
    model.weight("W_K", 1)[0] = gain * asked.mT @ (asked @ W_OV(model, 0).mT)
    model.weight("W_O", 1)[0] = gain * outputs.mT @ (tokens @ model.weight("W_V", 1)[0].mT)

"""What a counter's weights say: which tokens see which, what a reader looks at, and what it takes from there.

Golkar et al. (2024), figures of section 5. Letters: `V` tokens, `B` strings, `P` readers, `T` places.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.base import SimonidesError
from simonides.nn import W_KQ, EncoderDecoder, Trace, read_by_heads

READING = "decoder.0.cross_attention.weights"


def token_scores(model: EncoderDecoder, layer: int = 0, head: int = 0) -> Float[Tensor, "V V"]:
    """The attention scores of each token (rows) for each token (columns) in a layer of the encoder, positions apart.

    Of a first layer without positions these are all its scores; with rotary positions, those at distance zero.
    """
    encoder = model.encoder
    tokens = torch.arange(encoder.config.vocabulary, device=encoder.W_E.device)
    read = read_by_heads(encoder, layer, tokens)
    scores = (read @ W_KQ(encoder, layer, head) @ read.mT).mT
    return scores / encoder.config.h**0.5 if encoder.config.divide_scores else scores


def reading(model: EncoderDecoder, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B P T"]:
    """Where each reader looks, a mean over heads."""
    trace = Trace(READING)
    with torch.no_grad():
        model.run(tokens, trace=trace)
    return trace[READING].mean(1)


def effective_values(
    model: EncoderDecoder, tokens: Int[Tensor, "B T"], chosen: Bool[Tensor, "B T"]
) -> Float[Tensor, " answers"]:
    """W_U W_O W_V s, averaged over the chosen places: what a reader's logits would be if it looked there alone.

    Raises:
        SimonidesError: when no place is chosen, or the decoder is more than one head of cross-attention, so that
            logits are not linear in these.
    """
    config = model.config
    if config.layers > 1 or config.residual or config.feed_forward != "none" or config.encoder.heads > 1:
        raise SimonidesError(
            "only a decoder of cross-attention alone, of one layer and head, has effective values."
        )
    if not bool(chosen.any()):
        raise SimonidesError("no place was chosen; choose at least one.")
    with torch.no_grad():
        stream = model.encoder.streams(tokens)[chosen].mean(0)
        attention = model.blocks[0].cross_attention
        return model.encoder.W_U @ (attention.W_O[0] @ (attention.W_V[0] @ stream))


def positions_written(model: EncoderDecoder, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T d"]:
    """What the first layer's attention adds at each place: where contextual position is, if anywhere."""
    trace = Trace("encoder.layers.0.attention.output")
    with torch.no_grad():
        model.run(tokens, trace=trace)
    return trace["encoder.layers.0.attention.output"]

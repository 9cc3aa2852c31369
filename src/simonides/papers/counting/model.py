"""The counter: an encoder of one layer, and prompts that each read one region by cross-attention.

Golkar et al. (2024), section 4. Width, norm, activation and optimiser are not stated there; those here are ours.
"""

import torch

from simonides.base import SimonidesError, check_name
from simonides.nn import EncoderDecoder, EncoderDecoderConfig, TransformerConfig
from simonides.papers.counting.strings import ContextualCounting

POSITIONS = ("none", "learned", "rotary", "alibi")


def counter_config(
    task: ContextualCounting,
    positions: str = "none",
    causal: bool = True,
    d: int = 64,
    hidden: int | None = None,
    layers: int = 1,
    heads: int = 1,
    alibi_slope: float | None = None,
    norm: str = "pre",
    decoder: str = "none",
) -> EncoderDecoderConfig:
    """The model of a task.

    Arguments:
        task: how many tokens, places, regions and answers there are.
        positions: "none", "learned", "rotary" or "alibi".
        causal: whether the encoder's tokens see only what came before.
        d: width.
        hidden: units of the feed-forward; by default 2 d, which learned no worse than 4 d at T = 32 and 64.
        layers, heads: of the encoder.
        alibi_slope: of all heads; by default those of `alibi_slopes`.
        norm: "pre", or "none".
        decoder: "none" is cross-attention alone, linear in the encoder's values; "mlp" adds a feed-forward behind it.

    Raises:
        SimonidesError: when settings do not go together.

    >>> model = make_counter(counter_config(ContextualCounting(length=16, regions=2)), torch.Generator())
    >>> model(torch.zeros(1, 17, dtype=torch.long)).shape
    torch.Size([1, 2, 9])
    """
    check_name("positions", positions, POSITIONS)
    check_name("norm", norm, ("pre", "none"))
    if alibi_slope is not None and positions != "alibi":
        raise SimonidesError(f"alibi_slope = {alibi_slope} with positions={positions!r}; give positions='alibi'.")
    encoder = TransformerConfig(
        vocabulary=task.vocabulary,
        length=task.longest,
        outputs=task.answers,
        d=d,
        layers=layers,
        heads=heads,
        positions=positions,
        alibi_slopes=None if alibi_slope is None else (alibi_slope,) * heads,
        causal=causal,
        norm=norm,
        hidden=2 * d if hidden is None else hidden,
    )
    return EncoderDecoderConfig(encoder=encoder, prompts=task.most_regions, feed_forward=decoder)


def make_counter(config: EncoderDecoderConfig, generator: torch.Generator) -> EncoderDecoder:
    """The model at its start."""
    return EncoderDecoder(config, generator)

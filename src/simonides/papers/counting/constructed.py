"""A counter whose weights are written down, not trained: exact for any length where it counts against the beginning.

Golkar et al. (2024), propositions 1 and 2. The layer lets every token attend equally to the delimiters so far, which
makes f = r/(2r - 1) inside region r (P2). Its feed-forward marks the 1s whose f is that of region r. Prompt r attends
equally to these n ones and to the B tokens of comparison, so that a = n/(n + B) of it is of ones, and the read-out
takes the n whose n/(n + B_train) is nearest to a in relative entropy (P1).
"""

import torch
from torch import Tensor

from simonides.base import SimonidesError, check_name
from simonides.nn import EncoderDecoder, EncoderDecoderConfig, TransformerConfig
from simonides.papers.counting.laws import expected_tokens, region_share
from simonides.papers.counting.strings import BEGINNING, CLOSE, ONE, OPEN, ZERO, ContextualCounting

BIASES = {"beginning": BEGINNING, "[": OPEN, "]": CLOSE, "0": ZERO}
# e^-30 of what is attended to goes elsewhere
_SCORE = 30.0
# stands for the logarithm of zero
_LEAST_LOG = -50.0


def constructed_counter(task: ContextualCounting, bias: str = "beginning") -> EncoderDecoder:
    """The counter of a task that compares with the beginning, the [, the ] or the 0s.

    It is exact where there are as many tokens of comparison as a string of the task has on average: always for the
    beginning, for brackets at the trained number of regions, and for 0s nearly never, as their number varies.
    In float32 it counts without error up to about 500 ones and 60 regions (measured; see its tests).

    Arguments:
        task: its regions must not lie in one another; targets are counts.
        bias: what is compared with: "beginning", "[", "]" or "0".

    Raises:
        SimonidesError: when the task is none that it solves, or has no such token.
    """
    check_name("bias", bias, BIASES)
    if task.nested or task.target != "count":
        raise SimonidesError(
            "the construction counts in regions that do not lie in one another; give another task."
        )
    if bias == "beginning" and not task.beginning:
        raise SimonidesError("this task has no beginning to compare with; give beginning=True, or another bias.")
    if not isinstance(task.regions, int) and bias in ("[", "]"):
        raise SimonidesError(
            f"{bias} varies in number where regions = {task.regions}; compare with the beginning."
        )
    compared = expected_tokens(task)[bias]
    if not compared > 0:
        raise SimonidesError(
            f"strings of this task have no {bias} to compare with; give longer ones, or another bias."
        )
    size, regions = task.vocabulary, task.most_regions
    share, mark, constant = size, size + 1, size + 1 + regions
    d, hidden = constant + 1, 4 * regions
    encoder = TransformerConfig(
        vocabulary=size,
        length=task.longest,
        outputs=task.answers,
        d=d,
        layers=1,
        positions="none",
        hidden=hidden,
        hidden_bias=True,
    )
    model = EncoderDecoder(EncoderDecoderConfig(encoder=encoder, prompts=regions), torch.Generator())
    weights = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    strength = _SCORE * d**0.5  # scores are divided by sqrt(d)

    weights["encoder.W_E"][torch.arange(size), torch.arange(size)] = 1.0
    weights["encoder.layers.0.attention.W_Q"][0, 0, :size] = 1.0
    weights["encoder.layers.0.attention.W_K"][0, 0, [OPEN, CLOSE]] = strength
    weights["encoder.layers.0.attention.W_V"][0, share, OPEN] = 1.0
    weights["encoder.layers.0.attention.W_O"][0, share, share] = 1.0
    for number, centre in enumerate(region_share(regions).tolist()):
        _mark_region(weights, number, centre, share, mark + number, regions)

    prompts = torch.arange(regions)
    weights["prompts"][prompts, mark + prompts] = 1.0
    weights["prompts"][:, constant] = 1.0
    weights["layers.0.cross_attention.W_Q"][0] = torch.eye(d)
    weights["layers.0.cross_attention.W_K"][0, mark + prompts, mark + prompts] = strength
    weights["layers.0.cross_attention.W_K"][0, constant, BIASES[bias]] = strength
    weights["layers.0.cross_attention.W_V"][0, 0, ONE] = 1.0
    weights["layers.0.cross_attention.W_V"][0, 1, BIASES[bias]] = 1.0
    weights["layers.0.cross_attention.W_O"][0] = torch.eye(d)
    weights["encoder.W_U"][:, :2] = _values(task.answers, compared)
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(weights[name])
    return model


def _mark_region(
    weights: dict[str, Tensor], number: int, centre: float, share: int, mark: int, regions: int
) -> None:
    """Four hidden units that are together 1 at 1s whose share of [ lies near a region's, and 0 elsewhere.

    2 (s(u + 1) - s(u + 1/2) - s(u - 1/2) + s(u - 1)) with s the positive part is 1 for |u| < 1/2, and 0 for |u| > 1.
    """
    region = number + 1
    width = 0.9 / (4 * region**2 - 1)  # the next region's share is 1/(4 r^2 - 1) away
    gate = 2 * (1 - centre) / width + 4
    units = torch.arange(4 * number, 4 * number + 4)
    into, bias, out = (weights[f"encoder.layers.0.feed_forward.{name}"] for name in ("W_in", "b_in", "W_out"))
    into[units, share] = 1 / width
    into[units, ONE] = gate
    bias[units] = torch.tensor([1.0, 0.5, -0.5, -1.0]) - centre / width - gate
    out[mark, units] = torch.tensor([2.0, -2.0, -2.0, 2.0])


def _values(answers: int, compared: float) -> Tensor:
    """log x_n and log(1 - x_n), x_n = n/(n + B): a mixture of them is largest at the n whose x_n is its share."""
    n = torch.arange(answers, dtype=torch.float64)
    of_one = (n / (n + compared)).log().clamp_min(_LEAST_LOG)
    of_bias = (compared / (n + compared)).log()
    sharpness = float(answers) ** 3 / compared  # neighbours differ by B/(2 n^3)
    return (sharpness * torch.stack([of_one, of_bias], 1)).float()

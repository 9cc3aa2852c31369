"""The memories of an induction head, read in a transformer's weights, and its attention, read on sequences.

Bietti et al. (2023), section 4: of a memory sum_i v_i u_i^T the recall is mean_i 1{i = argmax_j v_j^T W u_i}.
The three of an induction head are W_KQ of the first layer (position t looks at t - 1), W_KQ of the second (a token
looks for its own remapped embedding, left by the first layer behind its occurrences) and W_OV of the second (what
is found is said).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.base import SimonidesError
from simonides.data import Bigrams
from simonides.nn import W_KQ, W_OV, Roles, Trace

# positions up to here are also read alone: the first are learned first
EARLY = 64


@dataclass(frozen=True, kw_only=True)
class InductionRecalls:
    """Recalls of the three memories, each with the recall by chance beside it.

    Arguments:
        output: R(W_OV of layer 2): tokens to themselves.
        key_query: R(W_KQ of layer 2): tokens to their remapped selves.
        previous: R(W_KQ of layer 1): positions to the one before, among all positions.
        previous_early: the same for the first 64.
        chance: of output, key_query and previous.
    """

    output: float
    key_query: float
    previous: float
    previous_early: float
    chance: tuple[float, float, float]


def table_recall(scores: Float[Tensor, "candidates queries"], targets: Int[Tensor, " queries"]) -> float:
    """The share of columns whose largest entry is the target."""
    return float((scores.argmax(0) == targets.to(scores.device)).float().mean())


def induction_recalls(
    model: Roles, triggers: Int[Tensor, " K"] | None = None, heads: tuple[int, int] = (0, 0)
) -> InductionRecalls:
    """The recalls of two heads, the first of layer 1 and the second of layer 2.

    Arguments:
        model: at least two layers, positions added to the embeddings.
        triggers: fixed triggers: the key-query memory is then asked for them alone, among them alone.
        heads: which head of each layer.

    Raises:
        SimonidesError: when the model has one layer, or no position embeddings.
    """
    if model.sizes.layers < 2 or "positions" not in model.roles():
        raise SimonidesError("these recalls need two layers, and positions='learned' or 'sinusoidal'.")
    tokens, places, outputs = model.weight("W_E"), model.weight("positions"), model.weight("W_U")
    identity = torch.arange(len(tokens), device=tokens.device)
    output = outputs @ W_OV(model, 1, heads[1]) @ tokens.mT
    asked = identity if triggers is None else triggers.to(tokens.device)
    remapped = tokens[asked] @ W_OV(model, 0, heads[0]).mT
    key_query = remapped @ W_KQ(model, 1, heads[1]) @ tokens[asked].mT
    previous = (places @ W_KQ(model, 0, heads[0]) @ places.mT)[:, 1:]
    before = torch.arange(len(places) - 1)
    early = min(EARLY, len(places)) - 1
    return InductionRecalls(
        output=table_recall(output, identity),
        key_query=table_recall(key_query, torch.arange(len(asked))),
        previous=table_recall(previous, before),
        previous_early=table_recall(previous[:, :early], before[:early]),
        chance=(1 / len(tokens), 1 / len(asked), 1 / len(places)),
    )


def bigram_divergence(model: Roles, bigrams: Bigrams, left_out: Int[Tensor, " K"] | None = None) -> float:
    """Mean over tokens, the triggers left out, of KL(pi_b(. | z) || softmax(W_U W_F w_E(z))) of the last layer.

    How well a linear feed-forward alone knows the global bigrams.

    Raises:
        SimonidesError: when the last layer has no linear feed-forward.
    """
    last = model.sizes.layers - 1
    if "W_F" not in model.roles(last):
        raise SimonidesError("the bigrams are read from a linear feed-forward; give feed_forward='linear'.")
    logits = model.weight("W_E") @ model.weight("W_F", last).mT @ model.weight("W_U").mT
    law = bigrams.bigram.to(logits.device)
    rows = (torch.special.xlogy(law, law) - law * torch.log_softmax(logits.double(), -1)).sum(1)
    keep = torch.ones(len(bigrams), dtype=torch.bool)
    if left_out is not None:
        keep[left_out] = False
    return float(rows[keep.to(rows.device)].mean())


@dataclass(frozen=True, kw_only=True)
class AttentionTargets:
    """Where the two layers look, on sequences.

    Arguments:
        previous: share of tokens after a trigger whose layer-1 maximum is the trigger.
        induction: share of c >= 2 queries whose layer-2 maximum comes right after the same trigger.
        induction_given_previous: that share where layer 1, at the place looked at, looks one back.
        copied: share of c >= 2 predictions that are the token layer 2 looks at; NaN where no logits are given.
    """

    previous: float
    induction: float
    induction_given_previous: float
    copied: float


def attention_targets(
    trace: Trace,
    inputs: Int[Tensor, "B T"],
    occurrence: Int[Tensor, "B T"],
    heads: tuple[int, int] = (0, 0),
    logits: Float[Tensor, "B T N"] | None = None,
) -> AttentionTargets:
    """Read the attention of layers 1 and 2, traced as "layers.*.attention.weights"; NaN for what is not there."""
    first, second = (
        trace[f"layers.{layer}.attention.weights"][:, head].argmax(-1) for layer, head in enumerate(heads)
    )
    places = torch.arange(inputs.shape[1], device=inputs.device)
    looks_back = first == places - 1
    after = torch.zeros_like(inputs, dtype=torch.bool)
    after[:, 1:] = occurrence[:, :-1] > 0
    asks = occurrence >= 2
    before = (second - 1).clamp_min(0)
    duplicate = (inputs.gather(1, before) == inputs) & (second > 0)
    behind = asks & looks_back.gather(1, second)
    return AttentionTargets(
        previous=float(looks_back[after].float().mean()),
        induction=float(duplicate[asks].float().mean()),
        induction_given_previous=float(duplicate[behind].float().mean()),
        copied=math.nan
        if logits is None
        else float(predicts_attended_token(logits, inputs, second)[asks].float().mean()),
    )


def predicts_attended_token(
    logits: Float[Tensor, "B T N"], inputs: Int[Tensor, "B T"], looked_at: Int[Tensor, "B T"]
) -> Bool[Tensor, "B T"]:
    """Whether the prediction is the token at the place looked at."""
    return logits.argmax(-1) == inputs.gather(1, looked_at)

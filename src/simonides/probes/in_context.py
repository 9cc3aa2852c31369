"""In-context learning seen from outside: losses and accuracies by occurrence, and the baselines beside them.

Bietti et al. (2023), section 3: what follows a trigger's second and later occurrences (c >= 2) is known from the
context, what follows its first (c = 1) is not, and the rest (c = 0) follows the global bigrams.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError

# sequences are read in so many groups, of like numbers of positions
_GROUPS = (0.0, 0.6, 0.9, 1.0)


@dataclass(frozen=True, kw_only=True)
class InContext:
    """What a model does on some sequences.

    Arguments:
        accuracy: share of predictions right where c >= 2.
        loss: cross-entropy where c >= 2, in nats.
        global_loss: cross-entropy where c = 0, of the bigrams.
    """

    accuracy: float
    loss: float
    global_loss: float


def in_context(
    model: Callable[[Tensor], Float[Tensor, "B T N"]],
    inputs: Int[Tensor, "B T"],
    targets: Int[Tensor, "B T"],
    occurrence: Int[Tensor, "B T"],
) -> InContext:
    """Accuracy and losses by occurrence; NaN for what the sequences do not hold."""
    with torch.no_grad():
        logits = model(inputs)
    nats = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    right = (logits.argmax(-1) == targets).flatten().float()
    known, free = (occurrence >= 2).flatten(), (occurrence == 0).flatten()
    return InContext(
        accuracy=float(right[known].mean()), loss=float(nats[known].mean()), global_loss=float(nats[free].mean())
    )


def masked_loss(
    model: Callable[..., Float[Tensor, "B Q N"]],
    inputs: Int[Tensor, "B T"],
    targets: Int[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
) -> Float[Tensor, ""]:
    """Mean cross-entropy where the mask is true; `model(tokens, at=positions)` is asked for these alone.

    Raises:
        SimonidesError: when the mask is true nowhere.
    """
    counts = mask.sum(1)
    if int(counts.sum()) == 0:
        raise SimonidesError("no position of this batch is in the loss; give longer or more sequences.")
    if bool(mask.all()):
        return nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    order = counts.argsort()
    total = torch.zeros((), device=inputs.device)
    for low, high in pairwise(_GROUPS):
        rows = order[int(low * len(order)) : int(high * len(order))]
        most = int(counts[rows].max()) if len(rows) else 0
        if most == 0:
            continue
        # places where the mask is true come first, and as many more as fill the row
        at = torch.argsort(mask[rows].logical_not().to(torch.uint8), dim=1, stable=True)[:, :most]
        inside = torch.arange(most, device=inputs.device) < counts[rows, None]
        logits = model(inputs[rows], at=at)
        chosen = targets[rows].gather(1, at).masked_fill(~inside, -100)
        total = total + nn.functional.cross_entropy(logits.flatten(0, 1), chosen.flatten(), reduction="sum")
    return total / counts.sum()


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """In-context accuracies of rules without an induction head.

    Arguments:
        commonest: predict the commonest token of what was read so far.
        repeat: predict the token itself again.
        last: predict the token read before.
    """

    commonest: float
    repeat: float
    last: float


def baselines(
    inputs: Int[Tensor, "B T"], targets: Int[Tensor, "B T"], occurrence: Int[Tensor, "B T"], tokens: int
) -> Baselines:
    """What can be had where c >= 2 without looking for the trigger: to be shown beside any accuracy."""
    known = occurrence >= 2
    seen = nn.functional.one_hot(inputs, tokens).to(torch.int32).cumsum(1)
    before = inputs.roll(1, 1)
    before[:, 0] = -1
    guesses = {"commonest": seen.argmax(-1), "repeat": inputs, "last": before}
    return Baselines(**{name: float((guess == targets)[known].float().mean()) for name, guess in guesses.items()})

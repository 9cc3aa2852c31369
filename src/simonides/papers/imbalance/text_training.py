"""A small causal transformer on a text, at every rate of a method at once, and its training loss by word frequency.

Letters: `R` rates, `B` windows, `T` tokens of a window, `C` words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_memory
from simonides.data import Text
from simonides.nn import Transformer, TransformerConfig, cross_entropies
from simonides.papers.imbalance.bins import frequency_bins
from simonides.papers.imbalance.methods import METHODS, HeadApart, Make
from simonides.papers.imbalance.rate_runs import RateRuns
from simonides.training import Chain, DivergedTraining, Records, StackedModel, fit

# windows of the training text on which every record measures the loss
_MEASURED = 256
HEAD_APART = "adam on the head"


@dataclass(frozen=True, kw_only=True)
class TextTraining:
    """What is trained, and how long.

    Arguments:
        steps: updates.
        batch: B.
        length: T.
        d, layers, heads: of the transformer: pre-norm, learned positions, an MLP of 4 d, untied.
        every: updates between records.
        bins: of the words, of about equal mass.
        trained: "all", or "head": everything before the last layer stays as it was drawn.
    """

    steps: int = 300
    batch: int = 64
    length: int = 32
    d: int = 64
    layers: int = 2
    heads: int = 4
    every: int = 50
    bins: int = 10
    trained: str = "all"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "d", "layers", "heads", "every", "bins"):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("length", self.length, 2)
        if self.trained not in ("all", "head"):
            raise SimonidesError(f"trained = {self.trained!r}; give 'all' or 'head'.")


def word_counts(text: Text) -> Int[Tensor, " C"]:
    """How often each word comes."""
    return torch.bincount(text.tokens, minlength=len(text.characters))


def train_on_text(
    text: Text,
    method: str,
    rates: Sequence[float],
    generator: torch.Generator,
    training: TextTraining | None = None,
    device: torch.device | None = None,
    progress: bool = False,
) -> RateRuns:
    """Train at every rate, all from one start and on the same windows.

    Arguments:
        text: as numbers of its words.
        method: a name of `METHODS`, or "adam on the head": Adam there, descent with momentum elsewhere.
        rates: the grid, rising.
        generator: draws weights, then windows; left as it was, so that methods can be compared.
        training: what, and how long.
        device: where; by default the CPU.
        progress: whether a bar shows the loss.

    Raises:
        SimonidesError: when a name is unknown, the text too short, or this machine has too little memory.
    """
    training = training or TextTraining()
    device = device or torch.device("cpu")
    if method != HEAD_APART and method not in METHODS:
        raise SimonidesError(f"method {method!r} is unknown; give {HEAD_APART!r} or one of {', '.join(METHODS)}.")
    if method == "armijo":
        raise SimonidesError("a line search on single batches searches along noise; give another method.")
    if not rates or any(not rate > 0 for rate in rates) or list(rates) != sorted(rates):
        raise SimonidesError(f"rates {list(rates)}: give positive ones that rise.")
    words = len(text.characters)
    check_memory(
        f"{len(rates)} rates, batches of {training.batch * training.length:,} tokens and {words:,} words need",
        16.0 * len(rates) * words * max(training.batch, _MEASURED // 4) * training.length,
        "give fewer words, or a smaller batch",
    )
    own = torch.Generator().set_state(generator.get_state())
    config = TransformerConfig(
        vocabulary=words,
        length=training.length,
        d=training.d,
        layers=training.layers,
        heads=training.heads,
        norm="pre",
        frozen=() if training.trained == "all" else ("W_E", "positions", "layers.*", "final_norm.*"),
    )
    model = Transformer(config, own)
    stack = StackedModel([model] * len(rates)).to(device)
    seen = text.windows(_MEASURED, training.length + 1, torch.Generator().manual_seed(0)).to(device)
    counts = word_counts(text)

    def losses(one: Callable[..., Tensor], windows: Int[Tensor, "B T_plus_1"]) -> Float[Tensor, "B T"]:
        return cross_entropies(one(windows[:, :-1]), windows[:, 1:])

    def look(stacked: StackedModel) -> dict[str, Tensor]:
        sums = torch.zeros(stacked.runs, words, dtype=torch.float64, device=device)
        for part in seen.split(_MEASURED // 4):  # of a quarter of the windows at once, to bound memory
            each = stacked.each(losses, part.expand(stacked.runs, -1, -1))
            sums.index_add_(1, part[:, 1:].flatten(), each.flatten(1).double())
        return {"by_class": sums / measured.to(device).clamp_min(1)}

    measured = torch.bincount(seen[:, 1:].flatten().cpu(), minlength=words).double()
    try:
        history = fit(
            stack,
            lambda stacked, windows: stacked.each(
                lambda one, batch: losses(one, batch).mean(), windows.expand(stacked.runs, -1, -1)
            ),
            lambda draws: text.windows(training.batch, training.length + 1, draws),
            lambda parameters: _maker(method, model)(parameters, torch.tensor(rates, device=device)),
            training.steps,
            own,
            records=Records(every=training.every, probes={"seen": look}, progress=progress),
        )
    except DivergedTraining as stopped:  # all of them: that is a result
        history = stopped.history
    steps, by_class = list(history.steps), list(history.column("by_class"))
    if steps[-1] != training.steps:
        steps.append(training.steps)
        by_class.append(torch.full_like(by_class[0], torch.nan))
    return RateRuns(
        method=method,
        rates=tuple(rates),
        steps=tuple(steps),
        losses=torch.stack([entry.double().cpu() for entry in by_class]),
        measured=measured,
        bins=frequency_bins(counts, training.bins),
    )


def _maker(method: str, model: Transformer) -> Make:
    """Makes the optimiser of a stack of such models."""
    if method != HEAD_APART:
        return METHODS[method]
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    return lambda parameters, rates: Chain(parameters, rates, [HeadApart(trained.index("W_U"))])

"""The global bigrams are learned before the context: the feed-forward's memory is there before the head.

Bietti et al. (2023), section 3 and figure 3: the loss on all tokens, a linear feed-forward W_F in layer 2.
"""

from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.papers.induction.claims._training import (
    Setting,
    alongside,
    memory_curves,
    stacked,
    task,
    train,
)
from simonides.training import History


def measure(runs: Runs, *, d: int, length: int, steps: int) -> dict[str, Tensor]:
    """Losses, accuracy and KL of W_F along training; how long after the bigrams the context is half learned."""
    setting = Setting(
        task=task(length, triggers="frequent"), d=d, steps=steps, every=10, whole=True, feed_forward="linear"
    )
    histories = [train(setting, runs, run)[1] for run in range(len(runs))]
    whole = {
        "context_after_global": [half_way(h, "accuracy") - half_way(h, "global_loss") for h in histories],
        "later_by": [half_way(h, "accuracy") / half_way(h, "global_loss") for h in histories],
        "divergence_fell": [float(h.column("divergence")[0] - h.column("divergence").min()) for h in histories],
    }
    columns = stacked(histories, ["accuracy", "global_loss", "divergence", "output", "key_query", "previous"])
    return {**columns, **alongside(whole, columns["step"].shape[1])}


def half_way(history: History, name: str) -> float:
    """The first recorded step at which a column has made half of the longest way from where it began."""
    way = (history.column(name) - history.column(name)[0]).abs()
    return float(history.steps[int((way >= way.max() / 2).nonzero()[0])])


def grid(d: int, length: int, steps: int) -> Grid:
    """One setting."""
    return product(d=[d], length=[length], steps=[steps]).with_seeds(5)


claim = Claim(
    question="Are the global bigrams learned before the context?",
    statement=r"t(\pi_b) < t(\text{induction head})",
    source="Bietti et al. (2023), figure 3",
    references=["bietti2023birth"],
    scales={"smoke": grid(64, 32, 240), "desk": grid(128, 64, 220), "paper": grid(256, 256, 1000)},
    measure=measure,
    rules=[
        Threshold(
            column="later_by",
            at_least=2.0,
            says="time until the context is half learned over that of the bigrams",
        ),
        Threshold(column="context_after_global", at_least=30.0, says="steps between the two"),
        Threshold(column="divergence_fell", at_least=0.5),
    ],
    sanity=[
        Threshold(column="context_after_global", at_least=30.0),
        Threshold(column="divergence_fell", at_least=0.5),
    ],
    figures=[
        Curves(
            ys={
                "in-context accuracy": "accuracy",
                "loss on other tokens (nats)": "global_loss",
                "KL of bigrams from W_F (nats)": "divergence",
            },
            x="step",
            log="",
            title="Loss on all tokens, linear feed-forward",
            x_label="steps of SGD",
            y_label="accuracy; nats",
        ),
        memory_curves("The induction head's memories meanwhile"),
    ],
)

"""Frequent triggers are learned sooner than rare ones.

Bietti et al. (2023), section 4: fixed triggers of rank 1 to 5, 6 to 10 and 16 to 20, the loss where c >= 2.
"""

from torch import Tensor

from simonides.lab import Claim, Grid, Ordered, Runs, product
from simonides.lab.figures import Curves
from simonides.papers.induction.claims._training import Setting, alongside, stacked, task, train


def measure(runs: Runs, *, passed_over: int, d: int, length: int, steps: int) -> dict[str, Tensor]:
    """Accuracy and the previous-token recall along training, and their means over it."""
    setting = Setting(
        task=task(length, triggers="frequent", offset=passed_over, repeats="no trigger"),
        d=d,
        steps=steps,
    )
    histories = [train(setting, runs, run)[1] for run in range(len(runs))]
    columns = stacked(histories, ["accuracy", "previous"])
    whole = {"mean_accuracy": columns["accuracy"].mean(1).tolist(), "final": columns["accuracy"][:, -1].tolist()}
    return {**columns, **alongside(whole, columns["step"].shape[1])}


def grid(ranks: list[int], d: int, length: int, steps: int) -> Grid:
    """How many of the most frequent tokens are passed over."""
    return product(passed_over=ranks, d=[d], length=[length], steps=[steps]).with_seeds(5)


claim = Claim(
    question="Are frequent triggers learned sooner?",
    statement=r"\text{accuracy after } t \text{ steps falls with the rank of the triggers}",
    source="Bietti et al. (2023), section 4",
    references=["bietti2023birth"],
    scales={
        "smoke": grid([0, 15], 64, 32, 300),
        "desk": grid([0, 5, 15], 128, 64, 320),
        "paper": grid([0, 5, 15], 256, 256, 1000),
    },
    measure=measure,
    rules=[
        Ordered(
            column="mean_accuracy",
            by="passed_over",
            order=(15, 5, 0),
            says="rise of the mean accuracy along training with the rank of the triggers",
        ),
        Ordered(
            column="mean_accuracy",
            by="passed_over",
            order=(15, 0),
            least=0.05,
            says="mean accuracy with triggers of rank 1 to 5 less that of rank 16 to 20",
        ),
    ],
    sanity=[Ordered(column="mean_accuracy", by="passed_over", order=(15, 0))],
    figures=[
        Curves(
            ys={"in-context accuracy": "accuracy", "recall of W_KQ, layer 1": "previous"},
            x="step",
            where={"passed_over": rank},
            log="",
            title=f"Triggers of rank {rank + 1} to {rank + 5}",
            x_label="steps of SGD",
            y_label="recall, accuracy",
        )
        for rank in (0, 15)
    ],
    finding="Outputs are kept from being triggers, so that no sequence loops.",
)

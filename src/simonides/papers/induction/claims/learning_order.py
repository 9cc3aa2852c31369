"""In which order are the three memories of an induction head learned?

Bietti et al. (2023), figure 4: W_OV of the second layer first, then its W_KQ, and the first layer's last. Each
memory is said to be learned when its recall, corrected for chance, has reached one half.
"""

from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.papers.induction.claims._training import (
    Setting,
    alongside,
    first_step,
    memory_curves,
    stacked,
    task,
    train,
)

NAMES = ["accuracy", "output", "key_query", "previous"]


def measure(runs: Runs, *, triggers: str, d: int, length: int, steps: int) -> dict[str, Tensor]:
    """Accuracy and recalls along training, and by how many steps each memory is learned after the one before."""
    problem = task(length, triggers=triggers)
    setting = Setting(task=problem, d=d, steps=steps, every=10)
    histories = [train(setting, runs, run)[1] for run in range(len(runs))]
    among = len(problem.bigrams) if triggers == "random" else problem.count
    levels = {"output": half(len(problem.bigrams)), "key_query": half(among), "previous": half(length)}
    learned = [{name: first_step(history, name, level) for name, level in levels.items()} for history in histories]
    whole = {
        "key_query_after_output": [at["key_query"] - at["output"] for at in learned],
        "previous_after_key_query": [at["previous"] - at["key_query"] for at in learned],
        "previous_after_output": [at["previous"] - at["output"] for at in learned],
        "best_accuracy": [float(history.column("accuracy").max()) for history in histories],
        "reached_98": [float(history.column("accuracy").max() >= 0.98) for history in histories],
    }
    columns = stacked(histories, NAMES)
    return {**columns, **alongside(whole, columns["step"].shape[1])}


def half(chances: int) -> float:
    """The recall that is one half when corrected for a chance of one in so many."""
    return 0.5 + 0.5 / chances


def grid(d: int, length: int, steps: int, seeds: int) -> Grid:
    """Fixed and random triggers."""
    return product(triggers=["frequent", "random"], d=[d], length=[length], steps=[steps]).with_seeds(seeds)


claim = Claim(
    question="In which order does training write the memories of an induction head?",
    statement=r"t(W_{OV}^2) \leq t(W_{KQ}^2) \leq t(W_{KQ}^1)",
    source="Bietti et al. (2023), figure 4",
    references=["bietti2023birth"],
    scales={"smoke": grid(64, 32, 200, 5), "desk": grid(128, 64, 280, 5), "paper": grid(256, 256, 1000, 5)},
    measure=measure,
    rules=[
        Threshold(column="key_query_after_output", at_least=0.0),
        Threshold(column="previous_after_key_query", at_least=0.0),
        Threshold(column="previous_after_output", at_least=0.0),
    ],
    figures=[
        memory_curves(f"Recall of the memories along training, {triggers} triggers", triggers=triggers)
        for triggers in ("frequent", "random")
    ],
    finding="The order is not that of the figure. With five fixed triggers the key-query memory of layer 2, asked "
    "for five tokens, is there before the output memory, asked for 65; with random triggers, where it is asked "
    "for all 65, it comes last, after the previous-token memory. In both the output memory comes before the "
    "previous-token memory. Our width, length and batch are smaller than the paper's.",
    differs="Half the width, length and batch of the paper's.",
)

"""Embeddings that are trained as well change little: the same memories are found in the same weights.

Bietti et al. (2023), section 4 and appendix: theory freezes the embeddings, practice does not.
"""

from torch import Tensor

from simonides.lab import (
    Claim,
    Grid,
    Ordered,
    Runs,
    Threshold,
    product,
)
from simonides.papers.induction.claims._training import (
    FROZEN,
    Setting,
    alongside,
    memory_curves,
    stacked,
    task,
    train,
)


def measure(runs: Runs, *, embeddings: str, d: int, length: int, steps: int) -> dict[str, Tensor]:
    """Accuracy and recalls along training, and at its end."""
    frozen = FROZEN if embeddings == "frozen" else tuple(name for name in FROZEN if name not in ("W_E", "W_U"))
    setting = Setting(task=task(length, triggers="frequent"), d=d, steps=steps, frozen=frozen)
    histories = [train(setting, runs, run)[1] for run in range(len(runs))]
    columns = stacked(histories, ["accuracy", "output", "key_query", "previous"])
    whole = {
        f"final_{name}": columns[name][:, -1].tolist() for name in ("accuracy", "output", "key_query", "previous")
    }
    return {**columns, **alongside(whole, columns["step"].shape[1])}


def grid(d: int, length: int, steps: int) -> Grid:
    """Frozen and trained."""
    return product(embeddings=["frozen", "trained"], d=[d], length=[length], steps=[steps]).with_seeds(14)


claim = Claim(
    question="Are the same memories found when the embeddings are trained as well?",
    statement=r"R(W_{OV}^2), \, R(W_{KQ}^2) \to 1 \quad \text{with } W_E, W_U \text{ trained}",
    source="Bietti et al. (2023), section 4",
    references=["bietti2023birth"],
    scales={"smoke": grid(64, 32, 240), "desk": grid(128, 64, 280), "paper": grid(256, 256, 1000)},
    measure=measure,
    rules=[
        *(
            Ordered(
                column=f"final_{name}",
                by="embeddings",
                order=order,
                least=-0.05,
                says=f"{what}, {order[1]} embeddings less {order[0]}",
            )
            for name, what in (
                ("accuracy", "accuracy"),
                ("output", "recall of W_OV2"),
                ("key_query", "recall of W_KQ2"),
                ("previous", "recall of W_KQ1"),
            )
            for order in (("frozen", "trained"), ("trained", "frozen"))
        ),
        Threshold(column="final_output", at_least=0.9),
        Threshold(column="final_key_query", at_least=0.9),
    ],
    sanity=[
        Threshold(column="final_accuracy", at_least=0.75),
        Threshold(column="final_output", at_least=0.9),
        Threshold(column="final_key_query", at_least=0.9),
    ],
    figures=[memory_curves(f"Embeddings {kind}", embeddings=kind) for kind in ("frozen", "trained")],
)

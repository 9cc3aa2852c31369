"""Some memories of an induction head can be learned alone, and then the others follow.

Bietti et al. (2023), figure 4: parts are left at their start for the first steps and trained from then on. The
output memory alone is learned, without helping much; the others wait for it.
"""

from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.papers.induction.claims._training import Setting, alongside, memory_curves, stacked, task, train

KEY_QUERY_1, KEY_QUERY_2, OUTPUT = "layers.0.attention.W_K", "layers.1.attention.W_K", "layers.1.attention.W_O"
HELD = {
    "nothing": (),
    "both key-query memories": (KEY_QUERY_1, KEY_QUERY_2),
    "the output memory": (OUTPUT,),
    "layer 1": (KEY_QUERY_1,),
}

SHOWN = ["both key-query memories", "the output memory"]


def measure(runs: Runs, *, held: str, until: int, d: int, length: int, steps: int) -> dict[str, Tensor]:
    """Accuracy and recalls along training; what they were when the parts were released, and at the end."""
    setting = Setting(
        task=task(length, triggers="frequent"),
        d=d,
        steps=steps,
        every=20,
        frozen_until=dict.fromkeys(HELD[held], until),
    )
    histories = [train(setting, runs, run)[1] for run in range(len(runs))]
    release = histories[0].steps.index(until)
    columns = stacked(histories, ["accuracy", "output", "key_query", "previous"])
    whole = {
        "accuracy_at_release": columns["accuracy"][:, release].tolist(),
        "output_at_release": columns["output"][:, release].tolist(),
        "final": columns["accuracy"][:, -1].tolist(),
    }
    return {**columns, **alongside(whole, columns["step"].shape[1])}


def grid(held: list[str], d: int, length: int, until: int, steps: int) -> Grid:
    """Which parts are held back."""
    return product(held=held, until=[until], d=[d], length=[length], steps=[steps]).with_seeds(5)


claim = Claim(
    question="Which memory of an induction head can be learned without the others?",
    statement=r"W_{OV}^2 \text{ alone: } R(W_{OV}^2) \gg \tfrac{1}{N}, \quad \text{accuracy far below } 1",
    source="Bietti et al. (2023), figure 4",
    references=["bietti2023birth"],
    scales={
        "smoke": grid(SHOWN, 64, 32, 120, 400),
        "desk": grid(list(HELD)[1:], 128, 64, 160, 400),
        "paper": grid(list(HELD), 256, 256, 300, 1000),
    },
    measure=measure,
    rules=[
        Threshold(
            column="output_at_release",
            at_least=0.6,
            where={"held": "both key-query memories"},
            says="recall of the output memory trained alone",
        ),
        Threshold(column="accuracy_at_release", at_most=0.45, where={"held": "both key-query memories"}),
        Threshold(column="accuracy_at_release", at_most=0.45, where={"held": "the output memory"}),
        Threshold(column="final", at_least=0.6),
    ],
    sanity=[
        Threshold(column="output_at_release", at_least=0.3, where={"held": "both key-query memories"}),
        Threshold(column="accuracy_at_release", at_most=0.45, where={"held": "both key-query memories"}),
        Threshold(column="accuracy_at_release", at_most=0.45, where={"held": "the output memory"}),
        Threshold(column="final", at_least=0.6),
    ],
    figures=[memory_curves(f"Held back at first: {held}", held=held) for held in SHOWN],
    finding="Alone the output memory reaches a recall of 0.87 and an accuracy of 0.26; while it is held back "
    "nothing is learned. Released after 160 steps, all reach 0.93 or more by 400.",
    untested="that joint training is faster than any order of stages",
)

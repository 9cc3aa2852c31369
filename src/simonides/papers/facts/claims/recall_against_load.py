"""Recall of a trained model of 1,536 weights, from few facts to more than it can hold.

Nichani, Lee & Bietti (2025), figure 4, at one size: facts up to a tenth of the parameters are stored, of a quarter
of the parameters and more some are lost.
"""

from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.papers.facts.claims._draws import Size, task, train

ANSWERS, SIZE = 8, Size(d=16, hidden=16)


def measure(runs: Runs, *, subjects: int, steps: int) -> dict[str, Tensor]:
    """The best recall of S x S facts along training."""
    generators = list(runs.generators)
    prompts = [task(subjects, subjects, ANSWERS, generator) for generator in generators]
    best = train(SIZE, prompts, generators, steps, device=runs.device).best.double()
    return {"recall": best, "load": best.new_full(best.shape, subjects**2 / SIZE.parameters)}


def grid(subjects: list[int], steps: int, seeds: int) -> Grid:
    """Numbers of subjects, which are also those of relations."""
    return product(subjects=subjects, steps=[steps]).with_seeds(seeds)


claim = Claim(
    question="How many facts can a small trained transformer hold before it loses some?",
    statement=r"S R \leq 0.1 \, P \Rightarrow \text{recall} \geq 0.98, \qquad "
    r"S R \geq 0.25 \, P \Rightarrow \text{recall} \leq 0.9",
    source="Nichani, Lee & Bietti (2025), figure 4",
    references=["nichani2025factual"],
    scales={
        "smoke": grid([10, 20], 700, 5),
        "desk": grid([8, 10, 12, 14, 16, 18, 20, 23], 2000, 5),
        "paper": grid([8, 10, 12, 14, 16, 18, 20, 23, 26], 16_384, 5),
    },
    measure=measure,
    version=2,  # since a run ends by itself, whatever its stack does
    rules=[
        Threshold(column="recall", at_least=0.98, where={"subjects": 10}, says="recall of 100 facts, 0.065 P"),
        Threshold(column="recall", at_least=0.98, where={"subjects": 12}, says="recall of 144 facts, 0.094 P"),
        Threshold(column="recall", at_most=0.9, where={"subjects": 20}, says="recall of 400 facts, 0.26 P"),
    ],
    sanity=[
        Threshold(column="recall", at_least=0.98, where={"subjects": 10}),
        Threshold(column="recall", at_most=0.9, where={"subjects": 20}),
    ],
    figures=[
        Overlay(
            y="recall",
            x="subjects",
            log="",
            title="S × S facts in 1,536 trained weights",
            x_label="subjects S, as many relations",
            y_label="best recall (share of facts)",
            level=0.99,
        ),
    ],
    differs="1,536 parameters and 2,000 steps of 16,384.",
)

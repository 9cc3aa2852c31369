"""Parameters of attention and of the MLP make up for one another, once attention can tell all tokens apart.

Nichani, Lee & Bietti (2025), figure 4, right: with few heads no MLP helps, H h of about 0.6 (S + R) is needed;
with many heads no MLP is needed.
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
from simonides.lab.figures import HeatMap
from simonides.papers.facts.claims._draws import Size, task, train

ANSWERS, HEAD_DIMENSION = 8, 4


def measure(runs: Runs, *, subjects: int, d: int, heads: int, hidden: int, steps: int) -> dict[str, Tensor]:
    """The best recall of S x S facts along training."""
    generators = list(runs.generators)
    prompts = [task(subjects, subjects, ANSWERS, generator) for generator in generators]
    size = Size(d=d, heads=heads, head_dimension=HEAD_DIMENSION, hidden=hidden)
    best = train(size, prompts, generators, steps, device=runs.device).best
    return {"recall": best.double()}


def grid(subjects: int, d: int, heads: list[int], hidden: list[int], steps: int) -> Grid:
    """Every pair of heads and hidden units."""
    return product(subjects=[subjects], d=[d], heads=heads, hidden=hidden, steps=[steps]).with_seeds(12)


claim = Claim(
    question="Can an MLP make up for missing heads, and heads for a missing MLP?",
    statement=r"H d_h \gtrsim 0.6 \, (S + R) \text{ whatever the MLP; many heads need none}",
    source="Nichani, Lee & Bietti (2025), figure 4",
    references=["nichani2025factual"],
    scales={
        "smoke": grid(8, 16, [1, 8], [1, 32], 600),
        "desk": grid(12, 16, [1, 2, 4, 8, 12], [1, 8, 16, 32, 64], 1200),
        "paper": grid(32, 32, [1, 2, 4, 6, 8, 10, 12, 16, 20, 24], [1, 8, 16, 32, 64, 96, 128], 16_384),
    },
    measure=measure,
    version=2,  # since a run ends by itself, whatever its stack does
    rules=[
        *(
            Threshold(
                column="recall",
                at_most=0.9,
                where={"heads": heads, "hidden": hidden},
                says=f"recall, H h = {HEAD_DIMENSION * heads} for S + R = 24, m = {hidden}",
            )
            for heads in (1, 2)
            for hidden in (1, 64)
        ),
        Threshold(
            column="recall",
            at_least=0.95,
            where={"heads": 8, "hidden": 64},
            says="recall with H h = 32, 1.3 (S + R), m = 64",
        ),
        Threshold(
            column="recall",
            at_least=0.95,
            where={"heads": 12, "hidden": 1},
            says="recall with H h = 48 and one hidden unit",
        ),
    ],
    sanity=[
        Threshold(column="recall", at_most=0.9, where={"heads": 1}),
        Threshold(column="recall", at_least=0.95, where={"heads": 8, "hidden": 32}),
        Ordered(column="recall", by="heads", order=(1, 8), least=0.1),
    ],
    figures=[
        HeatMap(
            z="recall",
            x="heads",
            y="hidden",
            levels=[0.9, 0.99],
            title="Recall of trained models, 12 × 12 facts",
            x_label="heads H (of dimension 4)",
            y_label="hidden units m",
            z_label="recall",
            where={"d": 16},
        ),
    ],
    differs="S = R = 12 and head dimension 4, in place of 32 and 8; 1,200 steps of 16,384.",
    untested="the curve along which an MLP makes up for heads",
)

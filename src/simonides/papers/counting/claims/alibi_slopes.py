"""A bias by distance that reaches over the whole string leaves contextual position to be learned; a steep one does not.

Golkar et al. (2024): at T = 512 slopes 1 and 0.1 stay at or below 12 % (one run at 45), 0.01 reaches 5 to 88 %. Slopes
here are scaled so that slope x T is the paper's.
"""

from torch import Tensor

from simonides.lab import Claim, Grid, Ordered, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.papers.counting.claims._training import SOLVED, columns, counters
from simonides.papers.counting.laws import best_constant
from simonides.papers.counting.strings import ContextualCounting


def measure(runs: Runs, *, reach: float, length: int, regions: int, d: int, steps: int) -> dict[str, Tensor]:
    """Accuracy of each run's best region, and the best constant answer's."""
    task = ContextualCounting(length=length, regions=regions)
    trained = counters(runs, task, steps, positions="alibi", alibi_slope=reach / length, d=d)
    constant = best_constant(task)
    return columns(
        [
            {"best": float(own.max()), "constant": constant, "solved": float(own.max() >= SOLVED), "trials": 1.0}
            for own in trained.accuracies[-1]
        ]
    )


def grid(length: int, regions: int, d: int, steps: int, seeds: int) -> Grid:
    """slope x T of the paper's three slopes."""
    return product(reach=[512.0, 51.2, 5.12], length=[length], regions=[regions], d=[d], steps=[steps]).with_seeds(
        seeds
    )


claim = Claim(
    question="How slowly must attention fall with the distance for a model to count?",
    statement=r"q_i \cdot k_j - m \, |i - j|",
    source="Golkar et al. (2024), ALiBi with slopes 1, 0.1 and 0.01 at T = 512",
    references=["golkar2024contextual"],
    scales={
        "smoke": grid(12, 1, 16, 60, 5),
        "desk": grid(64, 2, 32, 2000, 5),
        "paper": grid(512, 4, 64, 60_000, 6),
    },
    measure=measure,
    rules=[
        Ordered(
            column="best",
            by="reach",
            order=(512.0, 5.12),
            least=0.05,
            says="accuracy of the best region, slope 5.12/T less slope 512/T",
        ),
        Ordered(
            column="best",
            by="reach",
            order=(51.2, 5.12),
            least=0.05,
            says="the same, less slope 51.2/T",
        ),
        *(
            Threshold(
                column="solved",
                trials="trials",
                at_most=0.5,
                where={"reach": reach},
                says=f"share of runs that solve a region, slope {reach}/T",
            )
            for reach in (512.0, 51.2)
        ),
    ],
    sanity=[Threshold(column="best", at_least=0.3)],
    figures=[
        Overlay(
            y="best",
            x="reach",
            title="Best region of each run, ALiBi",
            x_label="slope × T",
            y_label="share answered right",
            smooth=False,
        )
    ],
    finding="Slope x T decides: 0.18, 0.32 and 0.67 of the best region at 512, 51.2 and 5.12. None of five runs of the "
    "slowest slope solves a region in 2,000 steps.",
    differs="T = 64, R = 2, d = 32 and 2,000 steps, in place of T = 512, R = 4, at the same slope x T.",
)

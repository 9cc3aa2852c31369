"""With a fixed number of answers a d x d sum of outer products recalls only about d facts.

Nichani, Lee & Bietti (2025), theorem 1; inputs that share an answer interfere d times as strongly.
"""

from torch import Tensor

from simonides.lab import (
    Claim,
    Crossing,
    Exponent,
    Grid,
    Reported,
    Runs,
    Within,
    cells,
)
from simonides.lab.figures import CapacityPlot, Overlay
from simonides.memories import LowRankMemory, class_sums, draw_embeddings, memories_for
from simonides.memories.laws.recall import linear_recall
from simonides.probes import accuracy
from simonides.tasks import many_to_one


def measure(runs: Runs, *, d: int, facts: int, answers: int) -> dict[str, Tensor]:
    """Share of facts recalled when the answer of x is x mod the number of answers."""
    memories = memories_for(facts, wanted=8192)
    inputs = draw_embeddings(runs.generators, runs.device, memories, facts, d)
    outputs = draw_embeddings(runs.generators, runs.device, memories, answers, d)
    targets = many_to_one(facts, answers).to(runs.device).expand(inputs.shape[:-1])
    # the sum of outer products has one direction an answer: keeping it as factors is the same matrix
    memory = LowRankMemory(outputs.mT, class_sums(inputs, targets, answers))
    return {"recall": accuracy(memory, inputs, outputs, targets).mean(-1)}


def grid(widths: list[int], seeds: int) -> Grid:
    """Numbers of facts as shares of d, in whole rounds of the answers."""
    shares = {2: [0.08, 0.12, 0.16, 0.2, 0.26, 0.4, 0.8], 4: [0.14, 0.2, 0.26, 0.32, 0.4, 0.6, 1.2]}
    return cells(
        {"d": d, "facts": answers * max(1, round(share * d / answers)), "answers": answers}
        for answers in (2, 4)
        for d in widths
        for share in shares[answers]
    ).with_seeds(seeds)


CAPACITY = Crossing(column="recall", axis="facts", level=0.99)
claim = Claim(
    question="How many random facts can a d × d sum of outer products recall when they share 2 or 4 answers?",
    statement=r"N \approx d: \quad \mathrm{Var}(u_y^\top W e_x) \lesssim \frac{\#\{x' \neq x : f^*(x') = y\}}{d}"
    r"+ \frac{\#\{x' \neq x : f^*(x') \neq y\}}{d^2}",
    source="Nichani, Lee & Bietti (2025), theorem 1, many-to-one case",
    references=["nichani2025factual"],
    scales={
        "smoke": grid([64, 128], seeds=5),
        "desk": grid([64, 128, 256, 512], seeds=8),
        "paper": grid([64, 128, 256, 512, 1024, 2048], seeds=16),
    },
    measure=measure,
    predictions={"recall": linear_recall},
    rules=[
        *(
            Exponent(
                of=CAPACITY,
                against="d",
                low=0.88,
                high=1.12,
                where={"answers": answers},
                says=f"exponent in d of the facts recalled to 99 %, {answers} answers",
                paper=Reported(value=1.0, where="theorem 1"),
            )
            for answers in (2, 4)
        ),
        Within(column="recall", band=0.02),
    ],
    sanity=[
        Within(column="recall", band=0.02),
        Exponent(of=CAPACITY, against="d", low=0.85, high=1.15, where={"answers": 2}),
        Exponent(of=CAPACITY, against="d", low=0.85, high=1.15, where={"answers": 4}),
    ],
    figures=[
        Overlay(
            y="recall",
            x="facts",
            by="d",
            where={"answers": 2},
            title="Recall of facts that share two answers",
            x_label="facts N (associations stored)",
            y_label="recall (share of facts)",
            level=0.99,
        ),
        CapacityPlot(
            crossing=CAPACITY,
            against="d",
            by="answers",
            title="Facts recalled at 99 %, by number of answers",
            x_label="width d",
            y_label="capacity (facts)",
        ),
    ],
    untested="the variance of the scores by itself",
)

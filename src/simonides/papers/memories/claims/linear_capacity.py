"""A d x d sum of outer products recalls about d^2 facts, up to logarithms.

Nichani, Lee & Bietti (2025), theorem 1; the curve at finite d is `simonides.memories.laws.recall.linear_recall`.
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
from simonides.memories import LinearMemory, draw_embeddings, memories_for
from simonides.memories.laws.recall import linear_recall
from simonides.probes import accuracy
from simonides.tasks import identity


def measure(runs: Runs, *, d: int, facts: int) -> dict[str, Tensor]:
    """Share of facts recalled, and of memories that recall all, every input with an answer of its own."""
    memories = memories_for(facts)
    inputs, outputs = (draw_embeddings(runs.generators, runs.device, memories, facts, d) for _ in range(2))
    targets = identity(facts).to(runs.device).expand(inputs.shape[:-1])
    memory = LinearMemory.store(inputs, outputs, targets)
    recall = accuracy(memory, inputs, outputs, targets)
    return {"recall": recall.mean(-1), "all_recalled": (recall == 1).double().mean(-1)}


def grid(widths: list[int], shares: list[float], seeds: int) -> Grid:
    """Numbers of facts as shares of d^2."""
    return cells({"d": d, "facts": round(share * d * d)} for d in widths for share in shares).with_seeds(seeds)


SHARES = [0.008, 0.01, 0.0125, 0.015, 0.0175, 0.02, 0.025, 0.03, 0.036, 0.05, 0.09]
CAPACITY = Crossing(column="recall", axis="facts", level=0.99)
ALL = Crossing(column="all_recalled", axis="facts", level=0.5, times_log=True)
claim = Claim(
    question="How many random facts can a d × d sum of outer products recall?",
    statement=r"d^2 \gtrsim N \, \mathrm{polylog}\, N \quad \Rightarrow \quad "
    r"\mathrm{argmax}_y \, u_y^\top W e_x = f^*(x) \text{ for all } x \text{ w.h.p.}, \quad "
    r"W = \sum_x u_{f^*(x)} e_x^\top",
    source="Nichani, Lee & Bietti (2025), theorem 1, injective case",
    references=["nichani2025factual", "kohonen1972correlation"],
    scales={
        "smoke": grid([16, 32, 64], [0.016, 0.02, 0.025, 0.03, 0.036, 0.06], seeds=5),
        "desk": grid([32, 64, 128, 256], SHARES, seeds=8),
        "paper": grid([32, 64, 128, 256, 512, 1024], SHARES, seeds=16),
    },
    measure=measure,
    predictions={"recall": linear_recall},
    rules=[
        Exponent(
            of=ALL,
            against="d",
            low=1.9,
            high=2.1,
            says="exponent in d of N log N, N facts that are all recalled in half of the draws",
            paper=Reported(value=2.0, where="theorem 1"),
        ),
        Exponent(
            of=CAPACITY,
            against="d",
            low=1.88,
            high=2.12,
            says="exponent in d of the facts recalled to 99 %",
        ),
        Within(column="recall", band=0.02),
    ],
    sanity=[
        Within(column="recall", band=0.02),
        Exponent(of=Crossing(column="recall", axis="facts", level=0.99), against="d", low=1.85, high=2.3),
    ],
    figures=[
        Overlay(
            y="recall",
            x="facts",
            by="d",
            title="Recall from one d × d sum of outer products",
            x_label="facts N (associations stored)",
            y_label="recall (share of facts)",
            level=0.99,
        ),
        CapacityPlot(
            crossing=CAPACITY,
            against="d",
            title="Facts recalled at 99 %",
            x_label="width d",
            y_label="capacity (facts)",
        ),
    ],
    finding="The theorem is about facts that are all recalled. Where 99 % are, N log N grows faster than d^2 at "
    "these sizes (exponent 2.35 over d = 32 .. 256), as the finite-size theory says as well: what is left "
    "out, 1 % of more and more facts, is more and more of them.",
)

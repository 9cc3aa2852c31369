"""Memories that answer by similarity keep a number of facts that grows exponentially with d.

Krotov & Hopfield (2016), Demircigil et al. (2017), Ramsauer et al. (2021): softmax attention over stored pairs,
a hidden unit for each fact behind a threshold, and their limit, the nearest neighbour, whose recall from noisy
queries is known exactly.
"""

import math

import torch
from torch import Tensor

from simonides.lab import Claim, Exponent, Ordered, Runs, Within, product
from simonides.lab.figures import Overlay
from simonides.memories import LinearMemory, Memory, MLPMemory, NearestMemory, SoftmaxMemory
from simonides.memories.laws.recall import linear_capacity
from simonides.memories.laws.similarity import nearest_capacity
from simonides.probes import capacity, on_spheres

COSINE = 0.8
SIMILARITY = ("nearest", "softmax", "threshold")
KINDS = [*SIMILARITY, "linear"]


def measure(runs: Runs, *, kind: str, d: int) -> dict[str, Tensor]:
    """Facts recalled to 99 % from queries at cosine 0.8 with their key."""
    guess = linear_capacity(d) / 2 if kind == "linear" else nearest_capacity(d, COSINE)
    bracket = capacity(
        lambda i, o, t, g: _store(kind, i, o, t),
        on_spheres(d, runs.device),
        runs.generators,
        start=max(3, round(guess)),
        repeats=max(4, 2000 // round(guess)),
        cosine=COSINE,
        asked=1024,
        ratio=1.03,
    )
    facts = torch.tensor(bracket.stored, dtype=torch.float64)
    return {"capacity": facts, "log_capacity": facts.log()}


def _store(kind: str, inputs: Tensor, outputs: Tensor, targets: Tensor) -> Memory:
    match kind:
        case "nearest":
            return NearestMemory.store(inputs, outputs, targets)
        case "softmax":
            return SoftmaxMemory.store(inputs, outputs, targets, beta=50.0)
        case "threshold":
            return MLPMemory.threshold(inputs, outputs, targets, 0.7)
    return LinearMemory.store(inputs, outputs, targets)


def log_capacity(kind: str, d: int) -> float:
    """Exact for the nearest neighbour; the others have no prediction."""
    return math.log(nearest_capacity(d, COSINE)) if kind == "nearest" else float("nan")


claim = Claim(
    question="How does the number of facts grow with d when a memory compares the query with every key?",
    statement=r"\log N \approx -\tfrac{d}{2} \log(1 - \cos^2) \quad \text{against} \quad N \sim d^2",
    source="Krotov & Hopfield (2016); Demircigil et al. (2017); Ramsauer et al. (2021), theorem 3",
    references=["krotov2016dense", "demircigil2017model", "ramsauer2021hopfield"],
    scales={
        "smoke": product(kind=KINDS, d=[12, 14]).with_seeds(5),
        "desk": product(kind=KINDS, d=[12, 16, 20, 24]).with_seeds(12),
        "paper": product(kind=KINDS, d=[12, 16, 20, 24, 28, 32]).with_seeds(10),
    },
    measure=measure,
    predictions={"log_capacity": log_capacity},
    rules=[
        Within(column="log_capacity", band=0.15, where={"kind": "nearest"}),
        *(
            Exponent(
                of="log_capacity",
                against="d",
                low=1.53,
                high=1.77,
                where={"kind": kind},
                says=f"exponent of log N in d, {kind} (a power law N ~ d^9 has 0.4 here)",
            )
            for kind in SIMILARITY
        ),
        Ordered(column="log_capacity", by="kind", order=("linear", "nearest"), least=1.0),
    ],
    sanity=[
        Within(column="log_capacity", band=0.35, where={"kind": "nearest"}),
        *(
            Exponent(of="log_capacity", against="d", low=1.0, high=2.4, where={"kind": kind})
            for kind in SIMILARITY
        ),
        Ordered(column="log_capacity", by="kind", order=("linear", "nearest"), least=1.0),
    ],
    figures=[
        Overlay(
            y="capacity",
            x="d",
            by="kind",
            log="y",
            title="Facts recalled at 99 % from queries at cosine 0.8",
            x_label="width d",
            y_label="capacity (facts)",
        ),
        Overlay(
            y="log_capacity",
            x="d",
            by="kind",
            log="",
            title="The same, against the exact law of the nearest neighbour",
            x_label="width d",
            y_label="log capacity (nats)",
        ),
    ],
)

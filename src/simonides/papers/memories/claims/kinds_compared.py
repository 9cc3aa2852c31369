"""Recall against the number of facts for all kinds of memory, at equal parameters and at equal compute.

Every kind is given the same budget: 4,096 numbers kept, or 4,096 multiply-adds a recall. All but Hopfield's
use each number once in a recall, so for them both are the same; his sweeps over all units several times. Each kind
takes the width that suits its budget. Sources of the kinds: see the claims on each.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Ordered, Runs, Value, product
from simonides.lab.figures import Overlay
from simonides.memories import (
    HopfieldMemory,
    LinearMemory,
    LowRankMemory,
    MLPMemory,
    NearestMemory,
    SoftmaxMemory,
    StackedFacts,
    TrainableLinear,
    TrainableMLP,
    WillshawMemory,
    embeddings,
)
from simonides.probes import accuracy, best_accuracies
from simonides.tasks import identity

BUDGET = 4096
KINDS = [
    "sum of outer products, d = 64",
    "trained matrix, d = 64",
    "low rank 16, d = 128",
    "MLP, constructed, d = 16",
    "MLP, trained, d = 16",
    "softmax, d = 16",
    "nearest, d = 16",
    "Hopfield",
    "Willshaw, 64 units",
]
# sweeps that a Hopfield memory takes to rest, as measured below its capacity
_SWEEPS = 4


def measure(runs: Runs, *, kind: str, budget: str, facts: int) -> dict[str, Tensor]:
    """Share of N facts recalled; what does not fit in the budget is not stored, and so not recalled."""
    return {"recall": torch.tensor([_recall(kind, budget, facts, g, runs.device) for g in runs.generators])}


def _recall(kind: str, budget: str, facts: int, generator: torch.Generator, device: torch.device) -> float:
    targets = identity(facts).to(device)
    if kind == "Hopfield":
        d = 91 if budget == "parameters" else round((BUDGET / _SWEEPS) ** 0.5)
        patterns = embeddings.signs(facts, d, generator).to(device)
        return float(accuracy(HopfieldMemory.store(patterns, patterns, targets), patterns, patterns, targets))
    if kind == "Willshaw, 64 units":
        inputs, outputs = (embeddings.sparse_binary(facts, 64, 6, generator).to(device) for _ in range(2))
        memory = WillshawMemory.store(inputs, outputs, targets)
        # an answer with more ones than the pattern has would fit several
        return float((memory(inputs) == outputs).all(-1).double().mean())
    d = int(kind.rsplit("= ", 1)[1])
    inputs, outputs = (embeddings.sphere(facts, d, generator).to(device) for _ in range(2))
    if kind.startswith(("softmax", "nearest")):
        kept = min(facts, BUDGET // (2 * d))
        stored = (inputs[:kept], outputs[:kept], targets[:kept])
        near = (
            NearestMemory.store(*stored) if kind.startswith("nearest") else SoftmaxMemory.store(*stored, beta=30.0)
        )
        return float(accuracy(near, inputs[:kept], outputs, targets[:kept])) * kept / facts
    if "trained" in kind:
        return _trained(kind, StackedFacts.stack([(inputs, outputs, targets)]), generator)
    if kind.startswith("MLP"):
        mlp = MLPMemory.store(inputs, outputs, targets, BUDGET // (2 * d), generator)
        return float(accuracy(mlp, inputs, outputs, targets))
    linear = LinearMemory.store(inputs, outputs, targets)
    if kind.startswith("low rank"):
        low = LowRankMemory.project(linear.weight.detach(), 16, generator, factor="orthonormal")
        return float(accuracy(low, inputs, outputs, targets))
    return float(accuracy(linear, inputs, outputs, targets))


def _trained(kind: str, facts: StackedFacts, generator: torch.Generator) -> float:
    """The best of 32 checkpoints of 2,048 steps of Adam."""
    matrix = kind.startswith("trained matrix")
    width = BUDGET // (2 * facts.inputs.shape[-1] + 1)
    model = TrainableLinear(facts) if matrix else TrainableMLP(facts, width, [generator])
    rate = 1000.0 if matrix else 0.03
    best = best_accuracies(model, lambda p: torch.optim.Adam(p, lr=rate, fused=True), 2048, 32, goal=1.0)
    return float(best[0])


def grid(budgets: list[str], sizes: list[int], seeds: int) -> Grid:
    """All kinds at these numbers of facts."""
    return product(kind=KINDS, budget=budgets, facts=sizes).with_seeds(seeds)


AT_64: dict[str, Value] = {"budget": "parameters", "facts": 64}
AT_512: dict[str, Value] = {"budget": "parameters", "facts": 512}
NAMES = ["parameters", "multiply-adds"]
claim = Claim(
    question="With 4,096 numbers to keep, or as many multiply-adds a recall, which memory recalls most facts?",
    statement=r"\text{recall}(N) \text{ with } d^2 = 2 m d = 2 N_{\max} d = 4096",
    source="Own comparison; the kinds after Nichani, Lee & Bietti (2025), Ramsauer et al. (2021) and the classics",
    references=["nichani2025factual", "ramsauer2021hopfield", "hopfield1982neural", "willshaw1969non"],
    scales={
        "smoke": grid(NAMES, [16, 64], seeds=5),
        "desk": grid(NAMES, [8, 16, 32, 64, 128, 256, 512], seeds=5),
        "paper": grid(NAMES, [8, 16, 32, 64, 128, 256, 512, 1024], seeds=16),
    },
    measure=measure,
    rules=[
        Ordered(column="recall", by="kind", order=(KINDS[3], KINDS[0]), least=0.1, where=AT_64),
        Ordered(column="recall", by="kind", order=(KINDS[3], KINDS[4]), least=0.1, where=AT_64),
        Ordered(column="recall", by="kind", order=(KINDS[0], KINDS[1]), least=0.3, where=AT_512),
        Ordered(column="recall", by="kind", order=(KINDS[0], KINDS[4]), least=0.3, where=AT_512),
    ],
    sanity=[
        Ordered(
            column="recall",
            by="kind",
            order=(KINDS[3], KINDS[0]),
            least=0.1,
            where=AT_64,
        ),
        Ordered(
            column="recall",
            by="kind",
            order=(KINDS[3], KINDS[4]),
            least=0.1,
            where=AT_64,
        ),
    ],
    figures=[
        Overlay(
            y="recall",
            x="facts",
            by="kind",
            where={"budget": budget},
            title=f"All kinds with 4,096 {budget}" + (" a recall" if budget == NAMES[1] else ""),
            x_label="facts N",
            y_label="recall (share of facts)",
        )
        for budget in NAMES
    ],
    untested="numbers of equal bits: a sign or a one of the classics counts as a number here, as a float does",
)

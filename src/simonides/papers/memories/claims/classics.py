"""The classics keep what is known of them: Hopfield 0.138 d patterns, Willshaw up to ln 2 bits a synapse.

Hopfield (1982), Amit, Gutfreund & Sompolinsky (1985); Willshaw, Buneman & Longuet-Higgins (1969); and the
correlation matrix memory of Kohonen (1972), which is the linear memory.
"""

import math

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Crossing,
    Grid,
    Located,
    Ordered,
    Reported,
    Runs,
    Threshold,
    Within,
    cells,
)
from simonides.lab.figures import Overlay
from simonides.memories import HopfieldMemory, LinearMemory, WillshawMemory, embeddings
from simonides.memories.laws import classics
from simonides.memories.laws.recall import linear_recall
from simonides.probes import accuracy
from simonides.tasks import identity

# ones in a pattern of a Willshaw memory of d units: log2 d
ONES = {256: 8, 512: 9, 1024: 10, 2048: 11}


def measure(runs: Runs, *, kind: str, d: int, load: float) -> dict[str, Tensor]:
    """What is retrieved: overlap (Hopfield), bits a synapse (Willshaw) or recall (Kohonen).

    `load` is facts per unit, N/d, and for Willshaw the share of the N at which one wrong unit is expected.
    """
    facts = _facts(kind, d, load)
    return {"retrieved": torch.tensor([_RETRIEVED[kind](d, facts, g, runs.device) for g in runs.generators])}


def _facts(kind: str, d: int, load: float) -> int:
    if kind != "willshaw":
        return max(1, round(load * d))
    ones = ONES[d]
    density = (1 / (d - ones)) ** (1 / ones)
    return max(1, round(load * math.log1p(-density) / math.log1p(-((ones / d) ** 2))))


def _hopfield(d: int, facts: int, generator: torch.Generator, device: torch.device) -> float:
    patterns = embeddings.signs(facts, d, generator).to(device)
    memory = HopfieldMemory.store(patterns, patterns, identity(facts).to(device))
    return float((memory(patterns) * patterns).mean())


def _willshaw(d: int, facts: int, generator: torch.Generator, device: torch.device) -> float:
    ones = ONES[d]
    inputs, outputs = (embeddings.sparse_binary(facts, d, ones, generator).to(device) for _ in range(2))
    memory = WillshawMemory.store(inputs, outputs, identity(facts).to(device))
    wrong = (memory(inputs[:2000]) - outputs[:2000]).sum(-1).mean() / (d - ones)
    return classics.willshaw_bits(d, d, ones, facts, float(wrong))


def _kohonen(d: int, facts: int, generator: torch.Generator, device: torch.device) -> float:
    inputs, outputs = (embeddings.sphere(facts, d, generator).to(device) for _ in range(2))
    targets = identity(facts).to(device)
    return float(accuracy(LinearMemory.store(inputs, outputs, targets), inputs, outputs, targets))


_RETRIEVED = {"hopfield": _hopfield, "willshaw": _willshaw, "kohonen": _kohonen}


def predicted(kind: str, d: int, load: float) -> float:
    """The limit of large d for Hopfield's memory, the law at this d for the others."""
    facts = _facts(kind, d, load)
    if kind == "hopfield":
        return classics.hopfield_overlap(load)
    if kind == "kohonen":
        return linear_recall(d, facts)
    ones = ONES[d]
    wrong = classics.willshaw_false_share(d, d, ones, ones, facts)
    return classics.willshaw_bits(d, d, ones, facts, wrong)


def grid(hopfield: dict[int, list[float]], willshaw: list[int], seeds: int) -> Grid:
    """Loads of each kind."""
    settings = [("hopfield", d, load) for d, loads in hopfield.items() for load in loads]
    settings += [("willshaw", d, load) for d in willshaw for load in (0.5, 1.0, 1.3)]
    settings += [("kohonen", 64, load) for load in (0.5, 1.0, 2.0, 4.0, 8.0)]
    return cells({"kind": kind, "d": d, "load": load} for kind, d, load in settings).with_seeds(seeds)


LOADS = [0.05, 0.08, 0.1, 0.12, 0.13, 0.14, 0.15, 0.16, 0.18, 0.2]
claim = Claim(
    question="Do the classical associative memories hold as much as is known of them?",
    statement=r"N_{\mathrm{Hopfield}} \approx 0.138 \, d, \qquad \text{Willshaw} \to \ln 2 \text{ bits a synapse}",
    source="Amit, Gutfreund & Sompolinsky (1985); Willshaw, Buneman & Longuet-Higgins (1969); Kohonen (1972)",
    references=["hopfield1982neural", "amit1985storing", "willshaw1969non", "kohonen1972correlation"],
    scales={
        "smoke": grid({300: [0.05, 0.1, 0.13, 0.15, 0.2]}, [256, 512], seeds=5),
        "desk": grid({500: LOADS, 1000: LOADS}, [256, 512, 1024], seeds=8),
        "paper": grid({1000: LOADS, 2000: LOADS, 5000: LOADS}, [256, 512, 1024, 2048], seeds=16),
    },
    measure=measure,
    predictions={"retrieved": predicted},
    rules=[
        Located(
            of=Crossing(column="retrieved", axis="load", level=0.7),
            low=0.128,
            high=0.153,
            where={"kind": "hopfield", "d": 1000},
            says="Hopfield: the load N/d at which the overlap falls to 0.7, d = 1,000",
            paper=Reported(value=0.138, where="Amit, Gutfreund & Sompolinsky (1985)"),
        ),
        Ordered(
            column="retrieved",
            by="d",
            order=(256, 512, 1024),
            where={"kind": "willshaw", "load": 1.0},
            says="Willshaw: rise of the bits a synapse with d",
        ),
        Within(
            column="retrieved",
            ratio=0.05,
            where={"kind": "willshaw"},
            says="Willshaw: bits a synapse, measured over predicted",
        ),
        Within(column="retrieved", band=0.03, where={"kind": "kohonen"}),
    ],
    sanity=[
        Within(column="retrieved", band=0.02, where={"kind": "willshaw"}),
        Within(column="retrieved", band=0.03, where={"kind": "kohonen"}),
        Within(column="retrieved", band=0.02, where={"kind": "hopfield", "load": 0.1}),
        Threshold(column="retrieved", at_most=0.8, where={"kind": "hopfield", "load": 0.2}),
    ],
    figures=[
        Overlay(
            y="retrieved",
            x="load",
            by="d",
            where={"kind": "hopfield"},
            log="",
            title="Hopfield: overlap of the resting state with the stored pattern",
            x_label="load N/d (patterns per unit)",
            y_label="overlap",
        ),
        Overlay(
            y="retrieved",
            x="d",
            by="load",
            where={"kind": "willshaw"},
            title="Willshaw: bits a synapse; ln 2 = 0.693 in the limit",
            x_label="units d",
            y_label="bits per synapse",
            level=math.log(2),
        ),
        Overlay(
            y="retrieved",
            x="load",
            where={"kind": "kohonen"},
            title="Kohonen: recall of the correlation matrix memory, d = 64",
            x_label="load N/d (facts per unit)",
            y_label="recall (share of facts)",
        ),
    ],
    untested="the limit of ln 2 bits a synapse itself, which is approached as 1/log d: about 0.58 at d = 1,024",
    finding="The overlap falls through 0.7 at a load of 0.164 at d = 1,000, above the limit of 0.138: so few "
    "units blur the transition, and patterns beyond it still rest near where they were stored.",
)

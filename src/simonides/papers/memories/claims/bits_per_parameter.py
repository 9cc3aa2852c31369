"""A memory never holds more bits than its numbers have, however few bits each of them keeps.

Lower bounds in the manner of Nichani, Lee & Bietti (2025), in the finite-error form of Fano's inequality:
`simonides.memories.laws.bounds`. Recall of a random permutation is turned into bits, and these are counted against
the bits of a matrix whose entries are rounded to 1, 2, 4 or 8 bits.
"""

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Grid,
    Ordered,
    Runs,
    Threshold,
    Within,
    cells,
)
from simonides.lab.figures import Overlay
from simonides.memories import LinearMemory, draw_embeddings, memories_for, outer_products
from simonides.memories.laws.bounds import bits_per_parameter, permutation_fano_bits
from simonides.memories.laws.recall import linear_recall
from simonides.memories.quantised import quantised
from simonides.probes import accuracy
from simonides.tasks import permutation

FULL = 32


def measure(runs: Runs, *, d: int, facts: int, bits: int) -> dict[str, Tensor]:
    """Recall of random permutations from rounded matrices, as bits a parameter and as a share of its bits."""
    memories = memories_for(facts, wanted=2048)
    inputs, outputs = (draw_embeddings(runs.generators, runs.device, memories, facts, d) for _ in range(2))
    targets = torch.stack(
        [torch.stack([permutation(facts, generator) for _ in range(memories)]) for generator in runs.generators]
    ).to(runs.device)
    weight = outer_products(inputs, outputs, targets)
    memory = LinearMemory(weight if bits == FULL else quantised(weight, bits))
    recall = accuracy(memory, inputs, outputs, targets).mean(-1)
    stored = torch.tensor(
        [
            bits_per_parameter(permutation_fano_bits(facts, 1 - share), memory.parameter_count)
            for share in recall.tolist()
        ]
    )
    return {"recall": recall, "stored": stored, "share": stored / bits}


def predicted(d: int, facts: int, bits: int) -> float:
    """Bits a parameter at the predicted recall of the matrix that is not rounded."""
    if bits != FULL:
        return float("nan")
    return bits_per_parameter(permutation_fano_bits(facts, 1 - linear_recall(d, facts)), d * d)


def grid(widths: list[int], shares: list[float], precisions: list[int], seeds: int) -> Grid:
    """Numbers of facts as shares of d^2."""
    return cells(
        {"d": d, "facts": round(share * d * d), "bits": bits}
        for bits in precisions
        for d in widths
        for share in shares
    ).with_seeds(seeds)


claim = Claim(
    question="How many bits does a linear memory hold for every bit of its matrix?",
    statement=r"B \geq \log_2 N! - N \, h_2(\varepsilon) - \varepsilon N \log_2 N",
    source="Nichani, Lee & Bietti (2025), lower bounds; Fano's inequality, Cover & Thomas (2006), theorem 2.10.1",
    references=["nichani2025factual", "cover2006elements", "max1960quantizing"],
    scales={
        "smoke": grid([32], [0.03, 0.08, 0.2], [1, 4, FULL], seeds=5),
        "desk": grid([32, 64, 128], [0.015, 0.03, 0.05, 0.08, 0.12, 0.2], [1, 2, 4, 8, FULL], seeds=24),
        "paper": grid([64, 128, 256, 512], [0.015, 0.03, 0.06, 0.12, 0.25, 0.5], [1, 2, 4, 8, FULL], seeds=16),
    },
    measure=measure,
    predictions={"stored": predicted},
    rules=[
        Within(column="stored", band=0.01, where={"bits": FULL}, says="bits a parameter, measured less predicted"),
        Ordered(column="recall", by="bits", order=(1, 2, 4), where={"d": 64, "facts": 123}),
    ],
    sanity=[
        Threshold(column="share", at_most=1.0),
        Within(column="stored", band=0.03, where={"bits": FULL}),
    ],
    figures=[
        Overlay(
            y="stored",
            x="facts",
            by="bits",
            where={"d": 128},
            title="Bits that recall proves to be stored, by the bits each number keeps (d = 128)",
            x_label="facts N (a random permutation)",
            y_label="bits stored / parameter",
        ),
        Overlay(
            y="share",
            x="facts",
            by="d",
            where={"bits": 1},
            title="Share of the matrix's bits that is used when only signs are kept",
            x_label="facts N (a random permutation)",
            y_label="bits stored / bits of the matrix",
            level=1.0,
        ),
    ],
    untested="how near a memory comes to the bound, which is an inequality that no measurement can break: the best "
    "is about 0.2 bits a parameter of the 32 that a number has",
)

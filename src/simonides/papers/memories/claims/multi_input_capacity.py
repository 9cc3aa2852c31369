"""A memory of two tokens, subject and relation, recalls about m d facts: if its activation has the right degree.

Nichani, Lee & Bietti (2025), section 3, for F(e_s + e_r). A derivative that is the second Hermite polynomial
makes the product of both tokens' features; a biased ReLU leaks lower degrees into it, and a plain ReLU has no
coefficient of degree 2 at all, so it can only be given the sum of the tokens as one key.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, Within, product
from simonides.lab.figures import Overlay
from simonides.memories import MLPMemory, embeddings, token_query
from simonides.memories.laws import mlp
from simonides.probes import accuracy
from simonides.tasks import random_function

PRODUCT, BIASED, SUM = "product of tokens, z³/3 - z", "product of tokens, ReLU(z - 1)", "sum of tokens, ReLU(z)"


def measure(runs: Runs, *, construction: str, d: int, subjects: int, width: int) -> dict[str, Tensor]:
    """Share of the S x S facts recalled, answers drawn from 8 S; four memories a run."""
    recalls = []
    for generator in runs.generators:
        shares = []
        for _ in range(4):
            left, right = (embeddings.sphere(subjects, d, generator).to(runs.device) for _ in range(2))
            tokens = [left.repeat_interleave(subjects, 0), right.repeat(subjects, 1)]
            outputs = embeddings.sphere(8 * subjects, d, generator).to(runs.device)
            targets = random_function(subjects**2, 8 * subjects, generator).to(runs.device)
            query = token_query(tokens)
            if construction == SUM:
                memory = MLPMemory.store(query, outputs, targets, width, generator, degree=1)
            else:
                activation = "quadratic_derivative" if construction == PRODUCT else _biased
                memory = MLPMemory.store_tokens(tokens, outputs, targets, width, generator, activation)
            shares.append(accuracy(memory, query, outputs, targets))
        recalls.append(torch.stack(shares).mean())
    return {"recall": torch.stack(recalls)}


def _biased(z: Tensor) -> Tensor:
    return torch.relu(z - 1)


def predicted(construction: str, d: int, subjects: int, width: int) -> float:
    """Of the construction that works; the others have no prediction."""
    if construction != PRODUCT:
        return float("nan")
    return mlp.token_recall(d, subjects, subjects, 8 * subjects, width)


def grid(sizes: list[int], widths: list[int], seeds: int) -> Grid:
    """The working construction at several sizes, the others where width does not help them."""
    working = product(construction=[PRODUCT], d=[64], subjects=sizes, width=widths)
    failing = product(construction=[BIASED, SUM], d=[64], subjects=sizes[:1], width=widths)
    return (working + failing).with_seeds(seeds)


claim = Claim(
    question="Can one two-layer memory store what depends on two tokens, and with which activation?",
    statement=r"m d \gtrsim S R \, \mathrm{polylog} \quad \Rightarrow \quad "
    r"\mathrm{argmax}_a \, u_a^\top F(e_s + \tilde e_r) = a^*(s, r) \text{ for all } s, r",
    source="Nichani, Lee & Bietti (2025), section 3",
    references=["nichani2025factual"],
    scales={
        "smoke": grid([11, 16], [1024, 4096], seeds=5),
        "desk": grid([11, 16, 22], [1024, 2048, 4096, 8192], seeds=5),
        "paper": grid([11, 16, 22, 32], [1024, 2048, 4096, 8192, 16384, 32768], seeds=10),
    },
    measure=measure,
    predictions={"recall": predicted},
    rules=[
        Within(column="recall", band=0.06, where={"construction": PRODUCT}),
        Threshold(column="recall", at_most=0.9, where={"construction": BIASED}),
        Threshold(column="recall", at_most=0.9, where={"construction": SUM}),
    ],
    sanity=[
        Within(column="recall", band=0.06, where={"construction": PRODUCT}),
        Threshold(column="recall", at_most=0.97, where={"construction": BIASED}),
        Threshold(column="recall", at_most=0.97, where={"construction": SUM}),
    ],
    figures=[
        Overlay(
            y="recall",
            x="width",
            smooth=False,
            by="subjects",
            where={"construction": PRODUCT},
            title="Facts of two tokens, S × S of them, d = 64",
            x_label="hidden units m",
            y_label="recall (share of facts)",
            level=0.99,
        ),
        Overlay(
            y="recall",
            x="width",
            smooth=False,
            by="construction",
            where={"subjects": 11},
            title="121 facts: what width buys each construction",
            x_label="hidden units m",
            y_label="recall (share of facts)",
            level=0.99,
        ),
    ],
    untested="the exponents of m d in S R, at widths other than d = 64",
)

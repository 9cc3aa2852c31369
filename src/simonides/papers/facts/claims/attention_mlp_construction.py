"""Attention finds subject and relation, and an MLP of about S R numbers knows the answer.

Nichani, Lee & Bietti (2025), theorem 3. The MLP is the memory of two tokens of `memories/multi-input-capacity`,
so its finite-size recall is the prediction, as long as attention finds what it should.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, Within, cells
from simonides.lab.figures import Overlay
from simonides.memories.laws.mlp import token_recall
from simonides.papers.facts.claims._draws import right, task
from simonides.papers.facts.construction import construct_recall

ANSWERS, NOISE, TABLES = 4, 16, 4


def measure(runs: Runs, *, subjects: int, d: int, hidden: int) -> dict[str, Tensor]:
    """Share of the S x S facts recalled, S relations with four answers each."""
    recalls = []
    for generator in runs.generators:
        shares = []
        for _ in range(TABLES):
            prompts = task(subjects, subjects, ANSWERS, generator, NOISE)
            model = construct_recall(prompts, d, min(subjects, d // 4), generator, hidden)
            shares.append(right(model.to(runs.device), prompts, generator, asked=1).mean())
        recalls.append(torch.stack(shares).mean())
    return {"recall": torch.stack(recalls)}


def predicted(subjects: int, d: int, hidden: int) -> float:
    """Of the MLP given both tokens."""
    return token_recall(d, subjects, subjects, subjects * ANSWERS, hidden)


def grid(subjects: list[int], hidden: list[int], seeds: int) -> Grid:
    """Numbers of subjects, which are also those of relations, and of hidden units."""
    return cells({"subjects": s, "d": 64, "hidden": m} for s in subjects for m in hidden).with_seeds(seeds)


claim = Claim(
    question="Do heads that find the tokens, and an MLP that knows the answers, recall every fact?",
    statement=r"H d_h \gtrsim S + R, \quad m d \gtrsim S R \quad \Rightarrow \quad "
    r"\mathrm{argmax}_a \, u_a^\top F(X) = a^*(s, r) \text{ for all } s, r",
    source="Nichani, Lee & Bietti (2025), theorem 3",
    references=["nichani2025factual"],
    scales={
        "smoke": grid([8], [1024, 4096], seeds=5),
        "desk": grid([8, 12, 16], [1024, 2048, 4096, 8192], seeds=5),
        "paper": grid([8, 12, 16, 20], [1024, 2048, 4096, 8192, 16384], seeds=10),
    },
    measure=measure,
    predictions={"recall": predicted},
    rules=[
        Within(column="recall", band=0.07),
        Threshold(column="recall", at_least=0.98, where={"subjects": 8, "hidden": 4096}),
    ],
    sanity=[
        Within(column="recall", band=0.07),
        Threshold(column="recall", at_least=0.98, where={"subjects": 8, "hidden": 4096}),
    ],
    figures=[
        Overlay(
            y="recall",
            x="hidden",
            by="subjects",
            smooth=False,
            title="Attention and a constructed MLP, S × S facts, d = 64",
            x_label="hidden units m",
            y_label="recall (share of facts)",
            level=0.99,
        ),
    ],
    finding="Theory is 0.03 too high at 256 facts and 4,096 hidden units. Below 1,024, where recall is near 0.6, "
    "it was 0.09 too low (512 hidden units, 64 facts).",
    untested="the exponents: one width, d = 64, and facts against hidden units at one recall",
)

"""Attention alone recalls every fact, once d is about R + D and its heads hold all subjects and relations.

Nichani, Lee & Bietti (2025), theorem 2: one head for each block of tokens; a subject's values are all its answers,
a relation's all that it can have. How many subjects there are plays no part.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, Within, cells
from simonides.lab.figures import Overlay
from simonides.papers.facts.claims._draws import right, task
from simonides.papers.facts.construction import construct_recall
from simonides.papers.facts.theory import heads_recall, width_for_heads

NOISE, TABLES = 16, 8


def measure(
    runs: Runs, *, subjects: int, relations: int, answers: int, d: int, load: float, fits: bool
) -> dict[str, Tensor]:
    """Share of the facts recalled, on several tables a run.

    `load` is d over the width that theory asks for, `fits` whether all tokens fit in d dimensions.
    """
    recalls = []
    for generator in runs.generators:
        shares = []
        for _ in range(TABLES):
            prompts = task(subjects, relations, answers, generator, NOISE)
            model = construct_recall(prompts, d, min(subjects, d // 4), generator)
            shares.append(right(model.to(runs.device), prompts, generator, asked=1).mean())
        recalls.append(torch.stack(shares).mean())
    return {"recall": torch.stack(recalls)}


def grid(sizes: list[tuple[int, int, int]], loads: list[float], seeds: int) -> Grid:
    """Widths as shares of the one that theory asks for 99 %."""
    return cells(
        {
            "subjects": s,
            "relations": r,
            "answers": a,
            "d": (d := round(load * width_for_heads(r, a))),
            "load": load,
            "fits": s + r + NOISE + 1 <= d,
        }
        for s, r, a in sizes
        for load in loads
    ).with_seeds(seeds)


claim = Claim(
    question="Does attention alone recall every fact, at which width?",
    statement=r"d \gtrsim R + D, \quad H d_h \gtrsim S + R \quad \Rightarrow \quad "
    r"\mathrm{argmax}_a \, u_a^\top F(X) = a^*(s, r) \text{ for all } s, r",
    source="Nichani, Lee & Bietti (2025), theorem 2",
    references=["nichani2025factual"],
    scales={
        "smoke": grid([(16, 8, 4), (32, 8, 4)], [0.5, 1.2], seeds=5),
        "desk": grid([(16, 8, 4), (64, 8, 4), (128, 8, 4), (16, 16, 4), (32, 16, 8)], [0.25, 0.5, 0.75, 1.2], 5),
        "paper": grid([(64, 8, 4), (256, 8, 4), (64, 16, 8), (64, 32, 8)], [0.25, 0.5, 0.75, 1.0, 1.2, 1.5], 10),
    },
    measure=measure,
    predictions={"recall": heads_recall},
    rules=[
        Within(column="recall", band=0.08, where={"fits": True}),
        Threshold(column="recall", at_least=0.99, where={"load": 1.2, "fits": True}),
    ],
    figures=[
        Overlay(
            y="recall",
            x="d",
            by="subjects",
            where={"relations": 8},
            smooth=False,
            title="Attention alone, 8 relations of 4 answers: subjects play no part",
            x_label="width d",
            y_label="recall (share of facts)",
            level=0.99,
        ),
    ],
    finding="The key directions are solved for, so that every token scores what it should; that works while there "
    "are no more tokens than d: with 153 tokens in d = 42 recall is 0.09 where theory, of heads that find their "
    "tokens, says 0.63. Theory is 0.05 too low where recall is near 0.6, and within 0.01 above 0.85. "
    "The plain sum over a block has noise of sqrt(block/d) and needs far wider models.",
    untested="more tokens than d: the construction solves for its keys, so it fails there, while the theorem asks "
    "nothing of the number of subjects",
)

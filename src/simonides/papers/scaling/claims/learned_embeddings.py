"""Embeddings that are learned have no such limit: in the plane they tell twenty answers apart.

Cabannes, Dohmatob & Bietti (2024), figure 8: E, U and W trained by Adam at rate 0.1, with 1,000 batches of
1,000 tokens, d = 2; with fixed random embeddings no more than a few answers have a direction of their own.
"""

import torch
from torch import Tensor

from simonides.base import zipf
from simonides.lab import (
    Claim,
    Grid,
    Reported,
    Runs,
    Threshold,
    product,
)
from simonides.lab.figures import Curves
from simonides.memories import Population, PopulationMemory, embeddings
from simonides.papers.scaling.claims._training import in_order
from simonides.tasks import many_to_one
from simonides.training import Adam, batch_counts, fit

INPUTS, ALPHA, D, STEPS, BATCH, RATE = 100, 2.0, 2, 1000, 1000, 0.1


def measure(runs: Runs, *, answers: int) -> dict[str, Tensor]:
    """Population error with embeddings trained, and with only W trained, from the same start."""
    p = zipf(INPUTS, ALPHA)
    starts = [
        embeddings.gaussian(rows, D, runs.generators).to(runs.device) * D**0.5 for rows in (INPUTS, answers, D)
    ]
    weights = batch_counts(p, STEPS, BATCH, runs.generators).float().to(runs.device)
    e, u, w = starts
    population = Population(
        inputs=e, outputs=u, targets=many_to_one(INPUTS, answers).to(runs.device), probabilities=p.to(runs.device)
    )
    errors = {}
    for name, trained in (("learned", ("inputs", "outputs", "weight")), ("fixed", ("weight",))):
        memory = PopulationMemory(population, w, trained)
        fit(
            memory,
            lambda m, counts: m.loss(counts),
            in_order(weights),
            lambda parameters: Adam(parameters, RATE),
            STEPS,
            torch.Generator(),
        )
        with torch.no_grad():
            errors[name] = memory.error()
    return errors


def grid(answers: list[int], seeds: int) -> Grid:
    """Numbers of answers."""
    return product(answers=answers).with_seeds(seeds)


claim = Claim(
    question="What if the embeddings are learned as well, in only two dimensions?",
    statement=r"e_x \to u_{f(x)}: \quad \mathcal{E} = 0 \text{ for } M \leq 20 \text{ with } d = 2",
    source="Cabannes, Dohmatob & Bietti (2024), figure 8",
    references=["cabannes2024scaling"],
    scales={
        "smoke": grid([5, 10, 20], seeds=5),
        "desk": grid([2, 5, 10, 15, 20, 25, 40, 60, 80], seeds=10),
        "paper": grid([2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100], seeds=40),
    },
    measure=measure,
    rules=[
        *(
            Threshold(
                column="learned",
                at_most=1e-3,
                where={"answers": answers},
                says=f"error with learned embeddings in the plane, M = {answers}",
                paper=Reported(value=0.0, where="figure 8"),
            )
            for answers in (5, 10, 15, 20)
        ),
        Threshold(column="fixed", at_least=0.1, where={"answers": 20}),
    ],
    sanity=[
        Threshold(column="learned", at_most=0.02, where={"answers": 10}),
        Threshold(column="learned", at_most=0.03, where={"answers": 20}),
        Threshold(column="fixed", at_least=0.1, where={"answers": 20}),
    ],
    figures=[
        Curves(
            ys={"embeddings learned": "learned", "embeddings fixed": "fixed"},
            x="answers",
            log="",
            title="d = 2, N = 100 tokens, alpha = 2",
            x_label="answers M",
            y_label="population error",
        ),
    ],
    stack=10,
    untested="that there is no limit: errors come back from M = 25 on at these settings",
)

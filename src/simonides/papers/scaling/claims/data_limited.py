"""With ample memory the error is the mass of what was never seen: T^(-1 + 1/alpha).

Cabannes, Dohmatob & Bietti (2024), proposition 1, after Hutter (2021).
"""

import numpy as np
import torch
from torch import Tensor

from simonides.base import zipf
from simonides.lab import (
    Claim,
    Exponent,
    Grid,
    Reported,
    Runs,
    Within,
    cells,
)
from simonides.lab.figures import Overlay
from simonides.memories import storage_weights
from simonides.memories.laws.scaling import sampled_error, unseen_mass
from simonides.papers.scaling.claims._setting import ANSWERS, mean_errors

TABLE, MATRIX, WIDTH, DRAWS = 100_000, 2000, 1024, 16


def measure(runs: Runs, *, memory: str, alpha: float, samples: int) -> dict[str, Tensor]:
    """Population error after T samples: of a table without interference (mean of 16), or of a matrix."""
    p = zipf(TABLE if memory == "table" else MATRIX, alpha)
    errors = []
    for generator in runs.generators:
        tokens = torch.multinomial(p, samples * DRAWS, replacement=True, generator=generator).reshape(DRAWS, -1)
        if memory == "table":
            seen = torch.stack([part.bincount(minlength=len(p)) > 0 for part in tokens])
            errors.append((p.to(runs.device) * ~seen.to(runs.device)).sum(-1).mean().cpu())
        else:
            counts = tokens[0].bincount(minlength=len(p))
            errors.append(
                mean_errors(generator, runs.device, WIDTH, p, storage_weights(counts)[None], draws=1)[0]
                .cpu()
                .double()
            )
    return {"error": torch.stack(errors)}


def expected(memory: str, alpha: float, samples: int) -> float:
    """sum p (1 - p)^T, and for a matrix the finite-size theory, which guesses 1/M of the unseen right."""
    if memory == "table":
        return unseen_mass(zipf(TABLE, alpha).numpy(), samples)
    return sampled_error(zipf(MATRIX, alpha).numpy(), np.arange(MATRIX) % ANSWERS, WIDTH, samples)


def grid(samples: list[int], seeds: int) -> Grid:
    """A table for three tails; a matrix where its 1,024 dimensions are ample."""
    kinds = [("table", 1.5), ("table", 2.0), ("table", 3.0), ("matrix of width 1024", 2.0)]
    return cells({"memory": m, "alpha": a, "samples": t} for m, a in kinds for t in samples).with_seeds(seeds)


claim = Claim(
    question="How does the error fall with the data when memory is ample?",
    statement=r"\mathcal{E} = \sum_x p(x) (1 - p(x))^T \asymp T^{-1 + 1/\alpha}",
    source="Cabannes, Dohmatob & Bietti (2024), proposition 1",
    references=["cabannes2024scaling"],
    scales={
        "smoke": grid([100, 1000, 10_000], seeds=8),
        "desk": grid([100, 316, 1000, 3162, 10_000], seeds=32),
        "paper": grid([100, 316, 1000, 3162, 10_000, 31_623, 100_000], seeds=100),
    },
    measure=measure,
    predictions={"error": expected},
    rules=[
        *(
            Exponent(
                of="error",
                against="samples",
                low=power - reach,
                high=power + reach,
                where={"memory": "table", "alpha": alpha},
                says=f"exponent in T of the error, alpha = {alpha:g}",
                paper=Reported(value=round(power, 3), where="proposition 1"),
            )
            for alpha, reach in ((1.5, 0.035), (2.0, 0.04), (3.0, 0.075))
            for power in (-1 + 1 / alpha,)
        ),
        Within(column="error", ratio=0.1),
    ],
    sanity=[
        Exponent(of="error", against="samples", low=-0.37, high=-0.30, where={"memory": "table", "alpha": 1.5}),
        Exponent(of="error", against="samples", low=-0.54, high=-0.46, where={"memory": "table", "alpha": 2.0}),
        Exponent(of="error", against="samples", low=-0.74, high=-0.59, where={"memory": "table", "alpha": 3.0}),
        Within(column="error", band=0.02),
    ],
    figures=[
        Overlay(
            y="error",
            x="samples",
            by="alpha",
            where={"memory": "table"},
            log="xy",
            title="Error of a table of 100,000 tokens",
            x_label="samples T",
            y_label="population error",
        ),
        Overlay(
            y="error",
            x="samples",
            by="memory",
            where={"alpha": 2.0},
            log="xy",
            smooth=False,
            title="A matrix filled evenly follows the table while its width is ample",
            x_label="samples T",
            y_label="population error",
        ),
    ],
    stack=16,
)

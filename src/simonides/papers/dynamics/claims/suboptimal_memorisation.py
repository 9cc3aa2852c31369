"""Where memory is short the least cross-entropy does not recall most: its 0/1 error exceeds the best possible.

Cabannes, Simsek & Bietti (2024), section 4 and figure 5: d = 2, answers x mod 2, p ~ 1/x, random unit inputs.
"""

import numpy as np
import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.memories import embeddings
from simonides.memories.laws import margins

DRAWS = 40


def measure(runs: Runs, *, inputs: int) -> dict[str, Tensor]:
    """Error of the minimiser of the cross-entropy and of the best rule, their gap, how often there is one."""
    p = np.arange(1, inputs + 1) ** -1.0
    p /= p.sum()
    signs = 1.0 - 2.0 * (np.arange(inputs) % 2)
    rows = []
    for generator in runs.generators:
        errors = []
        for points in embeddings.sphere(DRAWS * inputs, 2, generator).double().reshape(DRAWS, inputs, 2).numpy():
            best = margins.best_error(points, signs, p)
            # where all can be told apart the minimiser lies at infinity, in a direction that tells them apart
            reached = 0.0
            if best > 0:
                gamma = margins.cross_entropy_minimiser(points, signs, p)
                reached = margins.linear_error(gamma, points, signs, p)
            errors.append((reached, best, reached - best, float(reached > best + 1e-12)))
        rows.append(np.mean(errors, 0))
    columns = torch.tensor(np.array(rows)).unbind(1)
    return dict(zip(("reached", "best", "excess", "share"), columns, strict=True))


def grid(sizes: list[int], seeds: int) -> Grid:
    """Numbers of tokens."""
    return product(inputs=sizes).with_seeds(seeds)


claim = Claim(
    question="Does training for least cross-entropy recall as much as the memory could?",
    statement=r"L_{01}(W^*) > \min_W L_{01}(W), \quad W^* = \mathrm{argmin} \, L_{\mathrm{CE}}",
    source="Cabannes, Simsek & Bietti (2024), section 4",
    references=["cabannes2024learning"],
    scales={
        "smoke": grid([3, 10], 5),
        "desk": grid([3, 5, 10, 30, 100], 10),
        "paper": grid([3, 5, 10, 30, 100], 50),
    },
    measure=measure,
    rules=[
        Threshold(column="excess", at_least=0.03, where={"inputs": 10}),
        Threshold(column="share", at_least=0.5, where={"inputs": 10}),
        Threshold(column="share", at_most=0.3, where={"inputs": 3}),
    ],
    figures=[
        Curves(
            ys={"least cross-entropy": "reached", "best linear rule": "best"},
            x="inputs",
            title="0/1 error in two dimensions, answers x mod 2, p ~ 1/x",
            x_label="tokens N",
            y_label="population error",
        ),
        Curves(
            ys={"share of draws with a gap": "share"},
            x="inputs",
            title="How often the minimiser of the cross-entropy is not the best rule",
            x_label="tokens N",
            y_label="share of draws",
        ),
    ],
)

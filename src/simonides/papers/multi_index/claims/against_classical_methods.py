"""Beyond the paper: the estimator finds directions where the classical methods are blind.

Sliced inverse regression sees no even link, principal Hessian directions no odd one; two time scales see every exponent
up to the link's degree. Largest principal angle to the true span, in degrees.
"""

import numpy as np
import torch
from scipy.linalg import subspace_angles
from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.papers.multi_index.classical import (
    principal_hessian_directions,
    sliced_average_variance,
    sliced_inverse_regression,
)
from simonides.papers.multi_index.targets import HermiteTarget

TARGETS: dict[str, dict[tuple[int, ...], float]] = {
    "h1 + h2": {(1, 0): 1.0, (0, 2): 1.0},
    "z1 z2": {(1, 1): 1.0},
    "h1 + h3": {(1, 0): 1.0, (0, 3): 1.0},
    "h3 + h3": {(3, 0): 1.0, (0, 3): 1.0},
}


def measure(runs: Runs, *, target: str, d: int, n: int, noise: float) -> dict[str, Tensor]:
    """The largest angle of each method."""
    # scikit-learn is asked for when it is measured, not when claims are listed
    from simonides.papers.multi_index.estimator import MultiIndexRegressor

    function = HermiteTarget(coefficients=TARGETS[target])

    def one(generator: Generator) -> dict[str, float]:
        x = torch.randn(n, d, generator=generator, dtype=torch.float64)
        span = torch.linalg.qr(torch.randn(d, 2, generator=generator, dtype=torch.float64))[0]
        y = function(x @ span) + noise * torch.randn(n, generator=generator, dtype=torch.float64)
        seed = int(torch.randint(2**31, (1,), generator=generator))
        rows, values, true = x.numpy(), y.numpy(), span.numpy()
        model = MultiIndexRegressor(2, random_state=seed).fit(rows, values)

        def angle(found: np.ndarray) -> float:
            return float(np.degrees(subspace_angles(true, found).max()))

        return {
            "ours": angle(model.components_.T),
            "sir": angle(sliced_inverse_regression(rows, values, 2)),
            "save": angle(sliced_average_variance(rows, values, 2)),
            "phd": angle(principal_hessian_directions(rows, values, 2)),
            "score": float(model.score(rows, values)),
        }

    return runs.each(one)


def grid(targets: list[str], sizes: list[int], d: int, seeds: int) -> Grid:
    """Targets and numbers of rows."""
    return product(target=targets, d=[d], n=sizes, noise=[0.1]).with_seeds(seeds)


claim = Claim(
    question="Does the estimator find directions that classical methods cannot see?",
    statement=r"y = f(W_*^\top x) + \text{noise}",
    source="Beyond Bietti, Bruna & Pillaud-Vivien (2023)",
    references=["bietti2023multiindex"],
    scales={
        "smoke": grid(["z1 z2"], [2000], 5, 5),
        "desk": grid(list(TARGETS), [1000, 3000, 10_000], 10, 6),
        "paper": grid(list(TARGETS), [3000, 10_000, 30_000, 100_000], 30, 8),
    },
    measure=measure,
    rules=[
        Threshold(column="ours", at_most=5.0, where={"n": 10_000}, says="largest angle of the estimator, degrees"),
        Threshold(
            column="sir",
            at_least=30.0,
            where={"n": 10_000, "target": "z1 z2"},
            says="largest angle of sliced inverse regression, z1 z2, degrees",
        ),
        Threshold(
            column="phd",
            at_least=30.0,
            where={"n": 10_000, "target": "h1 + h3"},
            says="largest angle of principal Hessian directions, h1 + h3, degrees",
        ),
    ],
    sanity=[Threshold(column="ours", at_most=10.0)],
    figures=[
        Overlay(
            y=name,
            x="n",
            by="target",
            title=f"Largest angle to the true span, {label}",
            x_label="rows n",
            y_label="angle (degrees)",
            smooth=False,
        )
        for name, label in (("ours", "two time scales"), ("sir", "sliced inverse regression"), ("save", "SAVE"))
    ],
    stack=2,
)

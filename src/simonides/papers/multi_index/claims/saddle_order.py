"""Directions are found one saddle after another, each after d^(s_k - 1), s_k its exponent given what is known.

Bietti, Bruna & Pillaud-Vivien (2023, theorem 3.25). Two directions, from a fixed start of overlaps of order 1/d; the
time at which the second eigenvalue of G rises through a quarter.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Exponent, Grid, Reported, Runs, Threshold, product
from simonides.lab.figures import Curves, Overlay
from simonides.papers.multi_index.flows import two_time_scales
from simonides.papers.multi_index.saddles import predict_saddles
from simonides.papers.multi_index.targets import HermiteTarget

TARGETS: dict[str, dict[tuple[int, ...], float]] = {
    "h1 + h2": {(1, 0): 1.0, (0, 2): 1.0},
    "h1 + h3": {(1, 0): 1.0, (0, 3): 1.0},
    "z1 + z1 h2(z2)": {(1, 0): 1.0, (1, 2): 1.0},
    "h2 + h3": {(2, 0): 1.0, (0, 3): 1.0},
    "z1 z2": {(1, 1): 1.0},
}
# exponents of the last saddle, by theory
LAST = {"h1 + h2": 2, "h1 + h3": 3, "z1 + z1 h2(z2)": 2, "h2 + h3": 3, "z1 z2": 2}


def measure(runs: Runs, *, target: str, d: int) -> dict[str, Tensor]:
    """Times of both escapes, the height of the plateau between them, and theory's."""
    function = HermiteTarget(coefficients=TARGETS[target])
    g = torch.tensor([[1.0, 0.3], [0.3, 1.0]], dtype=torch.float64) / d
    root = torch.linalg.cholesky(g)[None]
    times = torch.logspace(-1, 11, 200, dtype=torch.float64)
    found = two_time_scales(function, root, times.tolist())
    first, second = found.escapes[0].tolist()
    saddles = predict_saddles(function, d)
    between = (first * second) ** 0.5
    plateau = float(found.loss[int((times - between).abs().argmin()), 0])
    expected = saddles[-1].loss
    row = {
        "first": first,
        "second": second,
        "plateau": plateau,
        "plateau_apart": abs(plateau - expected) / function.variance if len(saddles) > 1 else 0.0,
        "last": float(found.loss[-1, 0]),
    }
    columns = {name: torch.full((len(runs),), value, dtype=torch.float64) for name, value in row.items()}
    return {
        **columns,
        "time": times.expand(len(runs), -1),
        "loss": found.loss[:, 0].expand(len(runs), -1),
        "overlap": found.overlaps[:, 0, 1].expand(len(runs), -1),
    }


def grid(targets: list[str], sizes: list[int]) -> Grid:
    """Targets and dimensions."""
    return product(target=targets, d=sizes)


claim = Claim(
    question="Are directions found saddle by saddle, in the order and time of their exponents?",
    statement=r"t_k \sim d^{s_k - 1}",
    source="Bietti, Bruna & Pillaud-Vivien (2023), theorems 1.4 and 3.25",
    references=["bietti2023multiindex"],
    scales={
        "smoke": grid(["h1 + h3", "h2 + h3"], [100, 1000]),
        "desk": grid(list(TARGETS), [100, 300, 1000, 3000]),
        "paper": grid(list(TARGETS), [100, 300, 1000, 3000, 10_000]),
    },
    measure=measure,
    rules=[
        *(
            Exponent(
                of="second",
                against="d",
                low=LAST[name] - 1 - 0.08,
                high=LAST[name] - 1 + 0.08,
                where={"target": name},
                says=f"exponent in d of the time of the second direction, {name}",
                paper=Reported(value=LAST[name] - 1.0, where="theorem 3.25"),
            )
            for name in TARGETS
        ),
        *(
            Threshold(
                column="plateau_apart",
                at_most=0.02,
                where={"target": name},
                says=f"loss between the two escapes less the plateau's, a share of the variance, {name}",
            )
            for name in ("h1 + h3", "h2 + h3")
        ),
        Threshold(column="last", at_most=1e-6, says="loss at the end"),
    ],
    sanity=[Threshold(column="last", at_most=1e-6)],
    figures=[
        *(
            Curves(
                ys={"loss": "loss", "second eigenvalue of G": "overlap"},
                x="time",
                where={"target": name, "d": 1000},
                title=f"{name}, d = 1,000: the plateau at half of the variance that is left",
                x_label="time",
                y_label="loss; squared overlap",
                level=0.5,
            )
            for name in ("h1 + h3", "h2 + h3")
        ),
        Overlay(
            y="second",
            x="d",
            by="target",
            title="Time until both directions are found",
            x_label="dimension d",
            y_label="time",
            log="xy",
            smooth=False,
        ),
    ],
    deterministic=True,
)

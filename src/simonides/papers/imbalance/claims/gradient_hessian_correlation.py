"""Along a training, the gradient and the curvature of a class become proportional, both to the class's share.

Kunstner et al. (2024, section 3.3): once samples are put right with some probability, |grad_k| and Tr H_kk are both
about pi_k times a number that is the same for all classes. So Adam's division by the gradient's size stands in for a
division by curvature. At the mirrored point, where samples are put wrong, it does not hold.
"""

import torch
from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.papers.imbalance.correlation import gradients_and_curvatures
from simonides.papers.imbalance.linear_data import HeavyTailedData

EVERY = 5


def measure(runs: Runs, *, method: str, rate: float, m: int, steps: int) -> dict[str, Tensor]:
    """Correlations over classes, a row for each look."""

    def one(generator: Generator) -> dict[str, Tensor]:
        data = HeavyTailedData(m=m).sample(generator)
        found = gradients_and_curvatures(data, method, rate, steps, EVERY, generator, runs.device)
        places = range(len(found.steps))
        along = torch.tensor([found.correlation(place) for place in places])
        shares = torch.tensor([found.correlation(place, with_shares=True) for place in places])
        mirrored = torch.tensor([found.correlation(place, mirrored=True) for place in places])
        return {
            "step": torch.tensor(found.steps),
            "correlation": along,
            "with_shares": shares,
            "mirrored": mirrored,
            "last": along[-1].expand(len(along)),
            "last_with_shares": shares[-1].expand(len(along)),
            "last_mirrored": mirrored[-1].expand(len(along)),
            "first": along[0].expand(len(along)),
        }

    return runs.each(one)


def grid(m: int, steps: int, seeds: int) -> Grid:
    """Adam with momentum, at a rate at which the loss falls evenly."""
    return product(method=["adam"], rate=[10**-3.5], m=[m], steps=[steps]).with_seeds(seeds)


claim = Claim(
    question="Do gradient and curvature of a class go together?",
    statement=r"\|\nabla_k\| \approx \frac{\|\bar x_k\|}{p \, \text{Tr} \overline{x x^T}_k} \text{Tr} H_{kk} "
    r"\propto \pi_k",
    source="Kunstner, Yadav, Milligan, Schmidt & Bietti (2024), gradient and Hessian",
    references=["kunstner2024heavy"],
    scales={"smoke": grid(6, 60, 5), "desk": grid(7, 100, 8), "paper": grid(11, 100, 5)},
    measure=measure,
    rules=[
        Threshold(
            column="last",
            at_least=0.95,
            says="correlation over classes of log gradient and log trace of the Hessian, after 100 steps of Adam",
        ),
        Threshold(column="last_with_shares", at_least=0.95, says="correlation of log gradient and log share"),
        Threshold(column="last_mirrored", at_most=0.0, says="the first, at the mirrored point (-W, -b)"),
    ],
    sanity=[Threshold(column="last", at_least=0.0)],
    figures=[
        Curves(
            ys={"with curvature": "correlation", "with the share": "with_shares", "mirrored": "mirrored"},
            x="step",
            title="Correlation over classes of log gradient with log curvature, and with log share",
            x_label="step of Adam",
            y_label="correlation",
            log="",
        )
    ],
    differs="m = 7 in place of 11. The released code sums p(1 - p) x where the trace has x^2; this is the trace.",
)

"""At large steps curvature settles below 2/eta while the loss bounces; at small steps it rises freely.

Cabannes, Simsek & Bietti (2024), figure 8: d = 2, thirty tokens that cannot be told apart, p ~ 1/x.
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
from simonides.memories.laws.gradients import hessian
from simonides.tasks import many_to_one
from simonides.training import SGD, Records, fit

TOKENS, STEPS = 30, 200
RECORD = list(range(0, STEPS + 1, 5))


def measure(runs: Runs, *, rate: float) -> dict[str, Tensor]:
    """Largest curvature times eta/2, loss, and how often it rose in the second half of 200 steps."""
    p = zipf(TOKENS, 1.0).to(runs.device)
    e = embeddings.embed("sphere", TOKENS, 2, runs.generators).double().to(runs.device)
    u = torch.eye(2, dtype=torch.float64, device=runs.device)
    memory = PopulationMemory(
        Population(
            inputs=e,
            outputs=u.expand(len(runs), 2, 2),
            targets=many_to_one(TOKENS, 2).to(runs.device),
            probabilities=p,
        )
    )

    def curvature(m: PopulationMemory) -> Tensor:
        hessians = [hessian(w, inputs, u, p) for w, inputs in zip(m.get_parameter("weight"), e, strict=True)]
        return rate / 2 * torch.linalg.eigvalsh(torch.stack(hessians))[:, -1]

    history = fit(
        memory,
        lambda m, _: m.loss(),
        lambda _: None,
        lambda parameters: SGD(parameters, rate),
        STEPS,
        torch.Generator(),
        records=Records(every=1, probes={"sharpness": curvature}),
    )
    loss, sharpness = history.column("loss").mT, history.column("sharpness").mT[:, RECORD]
    return {
        "step": torch.tensor(RECORD, dtype=torch.float64).expand(len(runs), -1),
        "sharpness": sharpness,
        "loss": loss[:, RECORD],
        "late_rises": (loss[:, STEPS // 2 :].diff() > 1e-9).double().mean(1),
        "late_sharpness": sharpness[:, len(RECORD) // 2 :].mean(1),
    }


def grid(rates: list[float], seeds: int) -> Grid:
    """Step sizes below and far above 2/curvature at the start."""
    return product(rate=rates).with_seeds(seeds)


claim = Claim(
    question="Where does the curvature settle when steps are too large for the start?",
    statement=r"\lambda_{\max}(\nabla^2 L(W_t)) \lesssim \frac{2}{\eta}",
    source="Cabannes, Simsek & Bietti (2024), figure 8",
    references=["cabannes2024learning"],
    scales={
        "smoke": grid([1.0, 30.0], 8),
        "desk": grid([1.0, 10.0, 30.0, 100.0], 50),
        "paper": grid([1.0, 10.0, 30.0, 100.0], 100),
    },
    measure=measure,
    rules=[
        *(
            Threshold(
                column="late_sharpness",
                at_least=0.7,
                at_most=1.05,
                where={"rate": rate},
                says=f"largest curvature over 2/eta, in the second half, eta = {rate:g}",
                paper=Reported(value=1.0, where="figure 8: at most"),
            )
            for rate in (10.0, 30.0, 100.0)
        ),
        Threshold(column="late_rises", at_most=0.0, where={"rate": 1.0}),
        Threshold(column="late_rises", at_least=0.2, where={"rate": 30.0}),
    ],
    sanity=[
        Threshold(column="late_rises", at_most=0.0, where={"rate": 1.0}),
        Threshold(column="late_rises", at_least=0.2, where={"rate": 30.0}),
        Threshold(column="late_sharpness", at_most=1.3, where={"rate": 30.0}),
    ],
    figures=[
        Curves(
            ys={"curvature × step size / 2": "sharpness", "cross-entropy (nats)": "loss"},
            x="step",
            where={"rate": rate},
            log="",
            title=f"Thirty tokens in two dimensions, step size {rate:g}",
            x_label="steps",
            y_label="curvature in units of 2/eta; loss",
            level=1.0,
        )
        for rate in (1.0, 30.0)
    ],
    stack=20,
    finding="At eta = 100 the mean of the second half is above 2/eta: the curvature swings across it, from far "
    "below to far above, and its mean is carried by the swings.",
)

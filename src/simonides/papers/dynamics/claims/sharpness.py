"""At large steps curvature settles below 2/eta while the loss bounces; at small steps it rises freely.

Cabannes, Simsek & Bietti (2024), figure 8: d = 2, thirty tokens that cannot be told apart, p ~ 1/x.
"""

import torch
from torch import Tensor

from simonides.base import zipf
from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.memories import embeddings
from simonides.memories.laws.gradients import certain, hessian, population_gradient
from simonides.tasks import many_to_one
from simonides.training import SGD

TOKENS, STEPS = 30, 200
RECORD = list(range(0, STEPS + 1, 5))


def measure(runs: Runs, *, rate: float) -> dict[str, Tensor]:
    """Largest curvature times eta/2, loss, and how often it rose in the second half of 200 steps."""
    p = zipf(TOKENS, 1.0)
    u, targets = torch.eye(2, dtype=torch.float64), many_to_one(TOKENS, 2)
    columns: dict[str, list[Tensor]] = {"sharpness": [], "loss": [], "late_rises": [], "late_sharpness": []}
    for generator in runs.generators:
        e = embeddings.sphere(TOKENS, 2, generator).double()
        weight = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
        labels, optimiser = certain(targets, 2, e), SGD([weight], rate)
        losses, sharpness = [], []
        for step in range(STEPS + 1):
            w = weight.detach()
            logits = e @ w.mT @ u.mT
            losses.append(-(p[:, None] * labels * torch.log_softmax(logits, -1)).sum())
            if step in RECORD:
                sharpness.append(rate / 2 * torch.linalg.eigvalsh(hessian(w, e, u, p))[-1])
            weight.grad = population_gradient(w, e, u, labels, p)
            optimiser.step()
        loss = torch.stack(losses)
        columns["loss"].append(loss[RECORD])
        columns["sharpness"].append(torch.stack(sharpness))
        columns["late_rises"].append((loss[STEPS // 2 :].diff() > 1e-9).double().mean().expand(len(RECORD)))
        columns["late_sharpness"].append(columns["sharpness"][-1][len(RECORD) // 2 :].mean().expand(len(RECORD)))
    step_numbers = torch.tensor(RECORD, dtype=torch.float64).expand(len(runs), -1)
    return {"step": step_numbers, **{name: torch.stack(values) for name, values in columns.items()}}


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
        "desk": grid([1.0, 10.0, 30.0, 100.0], 20),
        "paper": grid([1.0, 10.0, 30.0, 100.0], 100),
    },
    measure=measure,
    rules=[
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
)

"""Along training a memory may recall best on the way, and unlearn it while the cross-entropy still falls.

Cabannes, Simsek & Bietti (2024), figure 7: d = 2, ten tokens, answers x mod 2, p ~ 1/x^2, batches of ten, from a W
that answers with confidence. Here from random directions of the same length.
"""

import torch
from torch import Tensor

from simonides.base import drawn, zipf
from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.memories import embeddings
from simonides.tasks import many_to_one
from simonides.training import Particles, batch_counts

TOKENS, STEPS, RATE, BATCH, LENGTH, REPEATS = 10, 1000, 0.1, 10, 7.9, 20
RECORD = [1, 3, 10, 20, 30, 50, 80, 120, 200, 300, 500, 700, 1000]


def measure(runs: Runs, *, inputs: int) -> dict[str, Tensor]:
    """Error and loss along the way, the share of 20 trainings a run that end 0.05 above their best error."""
    e = embeddings.sphere(REPEATS * inputs, 2, runs.generators).double().reshape(-1, inputs, 2)
    gamma = drawn(lambda g: torch.randn(REPEATS, 2, generator=g), runs.generators).double().flatten(0, 1)
    gamma = LENGTH * gamma / gamma.norm(dim=-1, keepdim=True)
    # W^T (u_1 - u_2) = gamma with the two unit vectors as answers
    weight = torch.stack([gamma, -gamma], 1) / 2
    p = zipf(inputs, 2.0)
    weights = batch_counts(p, STEPS * REPEATS, BATCH, runs.generators).reshape(len(e), STEPS, -1)
    answers, targets = torch.eye(2).expand(len(e), 2, 2), many_to_one(inputs, 2)
    e, answers, targets, p, weight, weights = (
        part.to(runs.device) for part in (e, answers, targets, p, weight, weights)
    )
    particles = Particles.of(e, answers, targets, p, weight)
    trajectory = particles.descend(STEPS, RATE, weights)
    forgets = (trajectory.error[:, -1] > trajectory.error.amin(-1) + 0.05).double()
    # the best step is chosen among odd steps and read one step later: what is best by chance alone is not kept
    read = 2 * trajectory.error[:, 1:-1:2].argmin(-1) + 2
    kept = trajectory.error.gather(1, read[:, None])[:, 0]
    forgets_kept = (trajectory.error[:, -1] > kept + 0.05).double()
    falls_since = (trajectory.loss[:, -1] < trajectory.loss.gather(1, read[:, None])[:, 0]).double()
    falls = (
        trajectory.loss[:, -1] < trajectory.loss.gather(1, trajectory.error.argmin(-1)[:, None])[:, 0]
    ).double()
    rows = len(RECORD)

    def mean(values: Tensor) -> Tensor:
        return values.unflatten(0, (len(runs), REPEATS)).mean(1)

    return {
        "step": torch.tensor(RECORD, dtype=torch.float64).expand(len(runs), -1),
        "error": mean(trajectory.error[:, RECORD]),
        "loss": mean(trajectory.loss[:, RECORD]),
        "best_so_far": mean(trajectory.error.cummin(-1).values[:, RECORD]),
        "forgets": mean(forgets)[:, None].expand(-1, rows),
        "forgets_what_it_kept": mean(forgets_kept * falls_since)[:, None].expand(-1, rows),
        "forgets_while_loss_falls": mean(forgets * falls)[:, None].expand(-1, rows),
    }


def grid(seeds: int) -> Grid:
    """The paper's size."""
    return product(inputs=[TOKENS]).with_seeds(seeds)


claim = Claim(
    question="Does training forget what it had, while its loss still falls?",
    statement=r"L_{01}(W_T) > \min_{t \leq T} L_{01}(W_t) \quad \text{while} \quad L_{\mathrm{CE}}(W_T) < "
    r"L_{\mathrm{CE}}(W_t)",
    source="Cabannes, Simsek & Bietti (2024), figure 7",
    references=["cabannes2024learning"],
    scales={"smoke": grid(6), "desk": grid(20), "paper": grid(100)},
    measure=measure,
    rules=[
        Threshold(
            column="forgets_what_it_kept",
            at_least=0.1,
            says="share of trainings that end 0.05 above the error next to their best odd step, while the loss fell",
        ),
    ],
    sanity=[Threshold(column="forgets_while_loss_falls", at_least=0.1)],
    figures=[
        Curves(
            ys={"population error": "error", "best of the way": "best_so_far", "cross-entropy (nats)": "loss"},
            x="step",
            title="Ten tokens in two dimensions, p ~ 1/x^2, stochastic descent from a confident start",
            x_label="steps",
            y_label="error, loss",
        ),
    ],
    finding="It is common, not certain: the paper shows one seed where the error goes from 0.16 back to 0.35.",
    stack=20,
)

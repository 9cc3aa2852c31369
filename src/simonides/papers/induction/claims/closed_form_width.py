"""Three sums of outer products are an induction head, once embeddings are wide enough to keep apart.

Bietti et al. (2023), section 4. That each memory recalls every pair is necessary and not sufficient: attention
must also find the one right place among many.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Ordered, Runs, Threshold, Value, product
from simonides.lab.figures import Curves, Overlay
from simonides.nn import Transformer, TransformerConfig
from simonides.papers.induction.claims._training import score, task
from simonides.papers.induction.construction import write_induction_head
from simonides.probes import induction_recalls

LENGTH = 64


def measure(runs: Runs, *, d: int, gain: float, triggers: str) -> dict[str, Tensor]:
    """In-context accuracy of the written head, and the least of its three recalls; embeddings N(0, 1/d)."""
    problem = task(LENGTH, triggers=triggers)
    rows = []
    for generator in runs.generators:
        config = TransformerConfig(
            vocabulary=65, length=LENGTH, d=d, feed_forward="none", merged_queries=True, divide_scores=False
        )
        model = Transformer(config, generator)
        write_induction_head(model, gain)
        model = model.to(runs.device)
        recalls = induction_recalls(model, problem.fixed_triggers)
        accuracy = score(model, problem.sample(128, generator)).accuracy
        rows.append((accuracy, min(recalls.output, recalls.key_query, recalls.previous)))
    columns = torch.tensor(rows, dtype=torch.float64).unbind(1)
    return dict(zip(("accuracy", "least_recall"), columns, strict=True))


def grid(widths: list[int], gains: list[float], seeds: int) -> Grid:
    """Fixed and random triggers."""
    return product(triggers=["frequent", "random"], gain=gains, d=widths).with_seeds(seeds)


FIXED: dict[str, Value] = {"triggers": "frequent", "gain": 10.0}
claim = Claim(
    question="How wide must embeddings be for three sums of outer products to be an induction head?",
    statement=r"W_{KQ}^1 = \sum_t p_{t-1} p_t^\top, \quad W_{KQ}^2 = \sum_k (W_{OV}^1 e_k) e_k^\top, \quad "
    r"W_O^2 = \sum_k u_k (W_V^2 e_k)^\top",
    source="Bietti et al. (2023), section 4",
    references=["bietti2023birth"],
    scales={
        "smoke": grid([32, 128, 512], [10.0], 5),
        "desk": grid([32, 64, 128, 256, 512], [3.0, 10.0, 50.0], 12),
        "paper": grid([32, 64, 128, 256, 512, 1024], [3.0, 10.0, 50.0], 10),
    },
    measure=measure,
    rules=[
        Threshold(column="accuracy", at_least=0.95, where={**FIXED, "d": 512}),
        Threshold(column="accuracy", at_most=0.9, where={**FIXED, "d": 128}),
        Threshold(column="least_recall", at_least=0.98, where={**FIXED, "d": 128}),
        Ordered(column="accuracy", by="d", order=(32, 128, 512), least=0.1, where={"gain": 10.0}),
    ],
    figures=[
        Curves(
            ys={"in-context accuracy": "accuracy", "least of the three recalls": "least_recall"},
            x="d",
            where=FIXED,
            title="A written induction head: 5 fixed triggers, 65 tokens, T = 64, gain 10",
            x_label="width d",
            y_label="share right",
        ),
        Overlay(
            y="accuracy",
            x="d",
            by="gain",
            where={"triggers": "random"},
            title="The same for random triggers and three gains",
            x_label="width d",
            y_label="in-context accuracy",
        ),
    ],
)

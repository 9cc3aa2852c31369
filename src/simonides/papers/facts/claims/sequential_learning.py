"""Gradient flow learns relations first and subjects later: in between it hallucinates.

Nichani, Lee & Bietti (2025), section 5 and figure 5: linear attention on one-hot embeddings, all weights equal and
small at first. The population runs take the exact mean over noise: noise tokens are alike at the start and stay
so, hence their sum is all that matters, and it is fixed. Sampled runs draw 1,024 prompts a step.
"""

import math

from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, Within, product
from simonides.lab.figures import Curves
from simonides.papers.facts.claims._draws import task
from simonides.papers.facts.flow import flow
from simonides.papers.facts.theory import rate_ratio

RATE, EVERY = 0.1, 20


def measure(
    runs: Runs, *, path: str, kind: str, subjects: int, relations: int, answers: int, scale: float, steps: int
) -> dict[str, Tensor]:
    """Losses of relation and subject along training, when each halves, and how near p comes to p(a | r)."""
    tasks = [task(subjects, relations, answers, generator, noise=20, kind=kind) for generator in runs.generators]
    sampled = path == "sampled"
    once = kind == "structured" and not sampled  # then nothing is drawn, and all runs are one
    trajectory = flow(
        tasks[:1] if once else tasks, scale, RATE, steps, EVERY, runs.generators if sampled else None, runs.device
    )
    worst = trajectory.distance_to_relation.argmin(1, keepdim=True)
    whole = {
        "ratio": trajectory.half("subject_loss") / trajectory.half("relation_loss"),
        "plateau_off": (trajectory.loss.gather(1, worst)[:, 0] - trajectory.entropy).abs(),
        "hallucination": trajectory.distance_to_relation.amin(1),
        "final": trajectory.accuracy[:, -1],
    }
    columns = {
        "step": trajectory.steps,
        "loss": trajectory.loss,
        "relation_loss": trajectory.relation_loss,
        "subject_loss": trajectory.subject_loss,
        "distance": trajectory.distance_to_relation,
        **{name: values[:, None] for name, values in whole.items()},
    }
    return {name: values.double().expand(len(tasks), len(trajectory.steps)) for name, values in columns.items()}


def grid(kinds: list[str], paths: list[str], scale: float, steps: int) -> Grid:
    """The paper's sizes."""
    sizes = product(subjects=[16], relations=[4], answers=[8], scale=[scale], steps=[steps])
    return product(kind=kinds, path=paths) * sizes


claim = Claim(
    question="Does training learn what a relation can be answered with before it learns the answers?",
    statement=r"\text{for small } \alpha \text{ there is a time at which } p(a \mid X) \approx p(a \mid r), \quad "
    r"\frac{t_s}{t_r} \to \frac{S}{R} \sqrt{\frac{R - 1}{D - 1}}",
    source="Nichani, Lee & Bietti (2025), theorem on gradient flow, figure 5",
    references=["nichani2025factual"],
    scales={
        "smoke": grid(["structured"], ["population"], 1e-4, 6000).with_seeds(5),
        "desk": grid(["structured"], ["population", "sampled"], 1e-5, 8192).with_seeds(5),
        "paper": grid(["structured", "balanced"], ["population", "sampled"], 1e-6, 10_000).with_seeds(5),
    },
    measure=measure,
    predictions={"ratio": rate_ratio},
    rules=[
        Within(column="ratio", ratio=0.15, says="ratio of the two times, measured over predicted"),
        Threshold(column="plateau_off", at_most=0.03),
        Threshold(column="hallucination", at_most=0.05),
        Threshold(column="final", at_least=0.99),
    ],
    sanity=[
        Within(column="ratio", band=0.15 * rate_ratio(16, 4, 8)),
        Threshold(column="plateau_off", at_most=0.03),
        Threshold(column="hallucination", at_most=0.05),
        Threshold(column="final", at_least=0.99),
    ],
    figures=[
        Curves(
            ys={"loss": "loss", "of the relation": "relation_loss", "of the subject": "subject_loss"},
            x="step",
            where={"kind": "structured", "path": "population"},
            log="",
            level=math.log(8),
            title="Loss along gradient descent; the line is log D",
            x_label="steps, rate 0.1",
            y_label="loss (nats)",
        ),
        Curves(
            ys={"distance to p(a | r)": "distance"},
            x="step",
            where={"kind": "structured", "path": "population"},
            log="",
            title="Hallucination: how far the prediction is from p(a | r)",
            x_label="steps, rate 0.1",
            y_label="total variation distance",
        ),
    ],
    untested="that the loss itself tends to zero",
)

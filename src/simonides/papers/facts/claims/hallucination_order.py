"""Which stage comes first, the relation's answers or the subject's, follows from the ratio of two rates.

Nichani, Lee & Bietti (2025), section 5, prove the stage p(a | r) for S >> R sqrt(D). The rates at a small start
are known for any sizes, so where (S/R) sqrt((R - 1)/(D - 1)) is below one the order should flip, and the model say
p(a | s) in between. Each answer of a relation is equally frequent: uneven ones are learned sooner.
"""

import math

import torch
from torch import Tensor

from simonides.lab import Claim, Equal, Grid, Runs, Threshold, Within, cells
from simonides.lab.figures import Overlay
from simonides.papers.facts.claims._draws import task
from simonides.papers.facts.flow import flow
from simonides.papers.facts.theory import rate_ratio, relation_rate, subject_rate

RATE, EVERY = 0.1, 20


def measure(
    runs: Runs, *, subjects: int, relations: int, answers: int, relations_first: bool, scale: float, steps: int
) -> dict[str, Tensor]:
    """Which loss halves first, the ratio of the times, and the nearest the model comes to either stage."""
    tasks = [
        task(subjects, relations, answers, generator, noise=20, kind="balanced") for generator in runs.generators
    ]
    trajectory = flow(tasks, scale, RATE, steps, EVERY, None, runs.device)
    relation, subject = trajectory.half("relation_loss"), trajectory.half("subject_loss")
    stage = trajectory.distance_to_relation if relations_first else trajectory.distance_to_subject
    return {
        "log_ratio": (subject / relation).log(),
        "relation_led": (relation < subject).double(),
        "expected_lead": torch.full((len(tasks),), float(relations_first)),
        "stage": stage.amin(1),
    }


def log_ratio(subjects: int, relations: int, answers: int) -> float:
    """Logarithm of the ratio of times."""
    return math.log(rate_ratio(subjects, relations, answers))


def grid(sizes: list[tuple[int, int, int]], scale: float) -> Grid:
    """Sizes on both sides; steps that take both transitions."""
    return cells(
        {
            "subjects": s,
            "relations": r,
            "answers": a,
            "relations_first": rate_ratio(s, r, a) > 1,
            "scale": scale,
            "steps": steps_for(s, r, a, scale),
        }
        for s, r, a in sizes
    ).with_seeds(5)


def steps_for(subjects: int, relations: int, answers: int, scale: float) -> int:
    """1.6 log(1/alpha)/(eta lambda) of the slower."""
    slower = min(relation_rate(relations, answers), subject_rate(subjects, relations, answers))
    return 20 * round(1.6 * math.log(1 / scale) / (RATE * slower) / 20)


SIZES = [(16, 4, 8), (8, 16, 8), (12, 4, 4), (6, 12, 6)]
claim = Claim(
    question="When does the model know the subject before the relation?",
    statement=r"\frac{t_s}{t_r} = \frac{\lambda_r}{\lambda_s} = \frac{S}{R} \sqrt{\frac{R - 1}{D - 1}}",
    source="rates of Nichani, Lee & Bietti (2025), section 5, at a small start",
    references=["nichani2025factual"],
    scales={
        "smoke": grid([(12, 4, 4), (4, 8, 4)], 1e-3),
        "desk": grid(SIZES, 1e-5),
        "paper": grid([*SIZES, (24, 4, 8), (8, 24, 8)], 1e-6),
    },
    measure=measure,
    predictions={"log_ratio": log_ratio},
    rules=[
        Within(column="log_ratio", band=0.15, says="log of the ratio of times, measured less predicted"),
        Equal(column="relation_led", other="expected_lead", tolerance=0.01),
        *(
            Threshold(
                column="stage",
                at_most=0.1,
                where={"subjects": s, "relations": r, "answers": a},
                says=f"distance in total variation to the stage, S = {s}, R = {r}, D = {a}",
            )
            for s, r, a in SIZES
            if abs(log_ratio(s, r, a)) >= math.log(1.5)
        ),
    ],
    sanity=[
        Within(column="log_ratio", band=0.15),
        Equal(column="relation_led", other="expected_lead", tolerance=0.01),
        Threshold(column="stage", at_most=0.3),
    ],
    figures=[
        Overlay(
            y="log_ratio",
            x="subjects",
            by="relations",
            log="",
            smooth=False,
            title="Transition of the subjects against that of the relations",
            x_label="subjects S",
            y_label="log of the ratio of times",
            level=0.0,
        ),
    ],
    deterministic=True,
)

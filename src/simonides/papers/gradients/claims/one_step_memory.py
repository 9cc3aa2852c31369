"""One step of gradient descent from zero stores a function: W_1 is a sum of outer products.

Bietti et al. (2023), lemma 1 and its consequence; the recall at finite d is that of a linear memory.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, Within, cells, product, zipped
from simonides.lab.figures import Overlay
from simonides.memories import draw_embeddings, memories_for
from simonides.memories.laws.gradients import one_step_score
from simonides.memories.laws.recall import linear_recall
from simonides.probes import accuracy
from simonides.tasks import identity


def measure(runs: Runs, *, kind: str, d: int, facts: int) -> dict[str, Tensor]:
    """Recall after one full-batch step by autograd, rate N, and the mean scores of right and wrong answers."""
    memories = 1 if kind == "orthonormal" else memories_for(facts, 1024)
    inputs, outputs = (
        draw_embeddings(runs.generators, runs.device, memories, facts, d, kind).double() for _ in range(2)
    )
    targets = identity(facts).to(runs.device).expand(inputs.shape[:-1])
    weight = torch.zeros(*inputs.shape[:-2], d, d, dtype=torch.float64, device=runs.device, requires_grad=True)
    logits = inputs @ weight.mT @ outputs.mT
    nats = torch.logsumexp(logits, -1) - logits.gather(-1, targets[..., None])[..., 0]
    # mean loss of each memory, rate N: their gradients do not mix
    (gradient,) = torch.autograd.grad(nats.mean(-1).sum(), weight)
    stored = -facts * gradient
    scores = inputs @ stored.mT @ outputs.mT
    right = scores.diagonal(dim1=-2, dim2=-1)
    wrong = (scores.sum((-2, -1)) - right.sum(-1)) / (facts * (facts - 1))
    return {
        "recall": accuracy(lambda e: e @ stored.mT, inputs, outputs, targets).mean(-1),
        "right": right.mean((-2, -1)),
        "wrong": wrong.mean(-1),
    }


def expected_recall(kind: str, d: int, facts: int) -> float:
    """That of a sum of outer products; the mean answer that a step takes away shifts all scores alike."""
    return 1.0 if kind == "orthonormal" else linear_recall(d, facts)


def grid(widths: list[int], seeds: int) -> Grid:
    """As many orthonormal facts as dimensions, and on the sphere up to beyond the capacity."""
    shares = (0.01, 0.02, 0.04, 0.08)
    orthonormal = product(kind=["orthonormal"]) * zipped(d=widths, facts=widths)
    sphere = cells({"kind": "sphere", "d": d, "facts": round(share * d * d)} for d in widths for share in shares)
    return (orthonormal + sphere).with_seeds(seeds)


claim = Claim(
    question="Does a single gradient step store a function?",
    statement=r"W_1 = \frac{\eta}{N} \sum_z (v_{f(z)} - \bar{v}) u_z^\top, \qquad "
    r"v_k^\top W_1 u_z \approx \frac{\eta}{N} \left(1\{f(z) = k\} - \frac{1}{N}\right)",
    source="Bietti et al. (2023), lemma 1",
    references=["bietti2023birth"],
    scales={"smoke": grid([16, 32], 5), "desk": grid([16, 32, 64, 128], 8), "paper": grid([32, 64, 128, 256], 16)},
    measure=measure,
    predictions={
        "recall": expected_recall,
        "right": lambda facts: one_step_score(facts, facts, facts, right=True),
        "wrong": lambda facts: one_step_score(facts, facts, facts, right=False),
    },
    rules=[
        Within(
            column="right",
            band=1e-6,
            where={"kind": "orthonormal"},
            says="score of the right answer, measured less lemma 1's",
        ),
        Within(
            column="wrong",
            band=1e-6,
            where={"kind": "orthonormal"},
            says="score of a wrong answer, measured less lemma 1's",
        ),
        Threshold(column="recall", at_least=0.999, where={"kind": "orthonormal"}),
        Within(column="recall", band=0.03, where={"kind": "sphere"}),
    ],
    sanity=[
        Within(column="recall", band=0.03),
        Within(column="right", band=1e-6, where={"kind": "orthonormal"}),
        Within(column="wrong", band=1e-6, where={"kind": "orthonormal"}),
        Threshold(column="recall", at_least=0.999, where={"kind": "orthonormal"}),
    ],
    figures=[
        Overlay(
            y="recall",
            x="facts",
            by="d",
            where={"kind": "sphere"},
            title="Recall after one full-batch step from W = 0, random embeddings",
            x_label="facts N",
            y_label="recall (share of facts)",
            level=0.99,
        ),
        Overlay(
            y="right",
            x="facts",
            by="kind",
            smooth=False,
            where={"d": 32},
            title="Score of the right answer after a step of rate N, d = 32",
            x_label="facts N",
            y_label="score of the right answer",
        ),
    ],
)

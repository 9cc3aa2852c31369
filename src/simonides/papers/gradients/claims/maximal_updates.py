"""In the maximal-update parameterisation a step moves features as much as they are; in the NTK's it does not.

Yang & Hu (2021), in the form of Bietti et al. (2023, appendix): embeddings and W_0 of entries N(0, 1/d) and a rate
of order one, against entries N(0, 1) with a factor 1/sqrt(d) at every product. Both change scores by order one.
"""

import torch
from torch import Tensor

from simonides.lab import (
    Claim,
    Exponent,
    Grid,
    Reported,
    Runs,
    Threshold,
    Within,
    product,
)
from simonides.lab.figures import Curves
from simonides.tasks import identity

FACTS, DRAWS = 8, 6


def measure(runs: Runs, *, parameterisation: str, d: int) -> dict[str, Tensor]:
    """|W_0 u|/|u|, |dW u|/|u| and the change of the right score after a step of rate N; means of 6 draws."""
    mup = parameterisation == "maximal update"
    unit, scale = (d**-0.5, 1.0) if mup else (1.0, d**-0.5)
    columns: dict[str, list[Tensor]] = {name: [] for name in ("initial", "update", "score")}
    for generator in (g for g in runs.generators for _ in range(DRAWS)):
        u, v, w = (
            unit * torch.randn(rows, d, generator=generator, dtype=torch.float64).to(runs.device)
            for rows in (FACTS, FACTS, d)
        )
        w = w.requires_grad_()
        logits = scale * (scale * u @ w.mT) @ v.mT
        loss = torch.nn.functional.cross_entropy(logits, identity(FACTS).to(runs.device))
        (gradient,) = torch.autograd.grad(loss, w)
        before, after = (scale * u @ m.mT for m in (w.detach(), -FACTS * gradient))
        lengths = u.norm(dim=-1)
        columns["initial"].append((before.norm(dim=-1) / lengths).mean())
        columns["update"].append((after.norm(dim=-1) / lengths).mean())
        columns["score"].append((scale * after * v).sum(-1).mean())
    return {name: torch.stack(values).reshape(-1, DRAWS).mean(1) for name, values in columns.items()}


def expected_update(parameterisation: str, d: int) -> float:
    """sqrt((1 - 1/N)(1 + (N - 1)/d)): a fact's own outer product, and the overlaps with the others."""
    if parameterisation != "maximal update":
        return float("nan")
    return ((1 - 1 / FACTS) * (1 + (FACTS - 1) / d)) ** 0.5


def grid(widths: list[int], seeds: int) -> Grid:
    """Both parameterisations."""
    return product(parameterisation=["maximal update", "neural tangent"], d=widths).with_seeds(seeds)


MUP, NTK = {"parameterisation": "maximal update"}, {"parameterisation": "neural tangent"}
claim = Claim(
    question="Does a step change the features of a wide network by as much as they are?",
    statement=r"\|W_0 u\| \asymp \|\Delta W u\| \asymp 1 \quad \text{(maximal update)}, \qquad "
    r"\|\Delta W u\| \, / \, \|W_0 u\| \asymp d^{-1/2} \quad \text{(neural tangent)}",
    source="Yang & Hu (2021); Bietti et al. (2023)",
    references=["yang2021tensor", "bietti2023birth"],
    scales={
        "smoke": grid([128, 512], 8),
        "desk": grid([64, 128, 256, 512, 1024, 2048], 16),
        "paper": grid([64, 256, 1024, 4096, 16_384], 16),
    },
    measure=measure,
    predictions={"update": expected_update},
    rules=[
        *(
            Exponent(
                of=column,
                against="d",
                low=power - 0.05,
                high=power + 0.05,
                where=kind,
                says=f"exponent in d of {name}, {kind['parameterisation']}",
                paper=Reported(value=power, where="Yang & Hu (2021)"),
            )
            for kind, column, name, power in (
                (MUP, "update", "|dW u|/|u|", 0.0),
                (MUP, "initial", "|W_0 u|/|u|", 0.0),
                (NTK, "update", "|dW u|/|u|", -0.5),
                (NTK, "initial", "|W_0 u|/|u|", 0.0),
            )
        ),
        Within(column="update", ratio=0.05, where=MUP),
        Threshold(column="score", at_least=0.3, at_most=3.0),
    ],
    sanity=[
        Exponent(of="update", against="d", low=-0.06, high=0.06, where=MUP),
        Exponent(of="initial", against="d", low=-0.03, high=0.03, where=MUP),
        Exponent(of="update", against="d", low=-0.55, high=-0.45, where=NTK),
        Exponent(of="initial", against="d", low=-0.03, high=0.03, where=NTK),
        Within(column="update", band=0.05, where=MUP),
        Threshold(column="score", at_least=0.3),
        Threshold(column="score", at_most=3.0),
    ],
    figures=[
        Curves(
            ys={
                "before the step, |W0 u|": "initial",
                "the step's share, |dW u|": "update",
                "change of score": "score",
            },
            x="d",
            where=where,
            log="x" if where is MUP else "xy",
            title=f"One step, eight facts: {where['parameterisation']} parameterisation",
            x_label="width d",
            y_label="in units of |u|",
        )
        for where in (MUP, NTK)
    ],
)

"""In a linear memory the noise has a singular direction of its own; low rank removes it for two or three classes.

After Chen, Bruna & Bietti (2025): n inputs in m classes, answered by noise with probability alpha. For m >= 4 the
noise direction becomes the leading one, and truncation keeps it: a limit of the story.
"""

from functools import partial

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, Within, cells
from simonides.lab.figures import Curves
from simonides.memories import Population, PopulationMemory, embeddings
from simonides.papers.truncation.noise_channel import Channel, descend
from simonides.probes import decompose
from simonides.training import SGD, fit

RATE = 1.0


def measure(
    runs: Runs, *, embedding: str, inputs: int, classes: int, alpha: float, d: int, steps: int
) -> dict[str, Tensor]:
    """Singular values, and p(noise), of W after training, whole and at rank m - 1; d = n for one-hot inputs."""
    rows = []
    for generator in runs.generators:
        keys = (
            torch.eye(inputs, d, dtype=torch.float64)
            if embedding == "one_hot"
            else embeddings.gaussian(inputs, d, generator).double()
        )
        keys = keys.to(runs.device)
        of = torch.arange(inputs, device=runs.device) % classes
        # each input twice: with its class, and with the noise
        shares = torch.tensor([1 - alpha, alpha], dtype=torch.float64, device=runs.device)
        shares = shares.repeat_interleave(inputs) / inputs
        memory = PopulationMemory(
            Population(
                inputs=keys.repeat(2, 1)[None],
                outputs=torch.eye(classes + 1, dtype=torch.float64, device=runs.device)[None],
                targets=torch.cat([of, torch.full_like(of, classes)]),
                probabilities=shares,
            )
        )
        make = partial(SGD, lr=RATE)
        fit(memory, lambda m, _: m.loss(), lambda _: None, make, steps, torch.Generator())
        weight = memory.get_parameter("weight")[0].detach()
        parts = decompose(weight)
        whole, cut = ((keys @ w.mT).softmax(1) for w in (weight, parts.at_rank(classes - 1)))
        noise = parts.left[classes].square().argmax()
        signal = [value for place, value in enumerate(parts.values[:classes].tolist()) if place != int(noise)]
        before, after = (float(p[:, classes].mean()) for p in (whole, cut))
        rows.append(
            [
                before,
                after,
                after / before,
                float((cut.argmax(1) == of).double().mean()),
                float(parts.values[noise]),
                sum(signal) / len(signal),
            ]
        )
    names = ("p_noise", "p_noise_truncated", "kept", "accuracy_truncated", "noise_value", "signal_value")
    return dict(zip(names, torch.tensor(rows, dtype=torch.float64).unbind(1), strict=True))


def channel(embedding: str, inputs: int, classes: int, alpha: float, steps: int) -> Channel | None:
    """Of orthonormal inputs."""
    return descend(inputs, classes, alpha, RATE, steps) if embedding == "one_hot" else None


def noise_value(embedding: str, inputs: int, classes: int, alpha: float, steps: int) -> float:
    """Its singular value."""
    limit = channel(embedding, inputs, classes, alpha, steps)
    return limit.noise_value if limit else float("nan")


def signal_value(embedding: str, inputs: int, classes: int, alpha: float, steps: int) -> float:
    """Their singular value."""
    limit = channel(embedding, inputs, classes, alpha, steps)
    return limit.signal_value if limit else float("nan")


def p_noise_truncated(embedding: str, inputs: int, classes: int, alpha: float, steps: int) -> float:
    """At rank m - 1: without the noise, where it is the least direction, and of two classes in any case."""
    limit = channel(embedding, inputs, classes, alpha, steps)
    if limit and limit.noise_value < limit.signal_value:
        return limit.noise_probability(noise_kept=False)
    return limit.noise_probability(signal=False) if limit and classes == 2 else float("nan")


def grid(settings: list[tuple[str, int, int, float, int]], steps: list[int]) -> Grid:
    """Settings of embedding, n, m, alpha and d."""
    return cells(
        {"embedding": e, "inputs": n, "classes": m, "alpha": a, "d": d, "steps": t}
        for e, n, m, a, d in settings
        for t in steps
    ).with_seeds(5)


ONE_HOT = [
    ("one_hot", 3, 3, 0.03, 3),
    ("one_hot", 4, 2, 0.6, 4),
    ("one_hot", 3, 3, 0.4, 3),
    ("one_hot", 8, 4, 0.3, 8),
    ("one_hot", 10, 10, 0.3, 10),
]
GAUSSIAN = [("gaussian", 3, 3, 0.03, 12), ("gaussian", 40, 2, 0.6, 64)]
claim = Claim(
    question="Is the noise a direction of its own in the weights, and does low rank remove it?",
    statement=r"s_{\text{signal}} = \Delta \sqrt{n/m}, \quad "
    r"s_{\text{noise}} = \sqrt{\tfrac{n m}{m + 1}} \left(\Delta \tfrac{m - 1}{m} + \kappa\right), \quad "
    r"\frac{s_{\text{noise}}}{s_{\text{signal}}} \to \frac{m - 1}{\sqrt{m + 1}}",
    source="after Chen, Bruna & Bietti (2025), first version; closed form derived here",
    references=["chen2025distributional"],
    scales={
        "smoke": grid([ONE_HOT[0], ONE_HOT[1], ONE_HOT[3], ONE_HOT[4], GAUSSIAN[1]], [1000]),
        "desk": grid([*ONE_HOT, *GAUSSIAN], [10, 30, 100, 300, 1000, 5000]),
        "paper": grid([*ONE_HOT, *GAUSSIAN], [10, 100, 1000, 10_000, 50_000]),
    },
    measure=measure,
    predictions={
        "noise_value": noise_value,
        "signal_value": signal_value,
        "p_noise_truncated": p_noise_truncated,
    },
    rules=[
        Within(column="noise_value", ratio=1e-6, where={"embedding": "one_hot"}),
        Within(column="signal_value", ratio=1e-6, where={"embedding": "one_hot"}),
        Within(column="p_noise_truncated", band=1e-6, where={"embedding": "one_hot", "classes": 2}),
        Threshold(
            column="kept",
            at_most=0.9,
            where={"embedding": "one_hot", "classes": 3, "steps": 5000},
            says="share of p(noise) that truncation leaves, three classes",
        ),
        Threshold(
            column="kept",
            at_least=0.9,
            where={"classes": 10, "steps": 5000},
            says="share of p(noise) that truncation leaves, ten classes",
        ),
    ],
    sanity=[
        Within(column="noise_value", band=1e-6, where={"embedding": "one_hot"}),
        Within(column="signal_value", band=1e-6, where={"embedding": "one_hot"}),
        Within(column="p_noise_truncated", band=1e-6, where={"embedding": "one_hot", "classes": 2}),
        Threshold(column="kept", at_least=0.5, where={"classes": 10}),
    ],
    figures=[
        Curves(
            ys={"noise": "noise_value", "classes": "signal_value"},
            x="steps",
            where={"embedding": "one_hot", "inputs": n, "classes": m, "alpha": a},
            log="xy",
            title=f"Singular values of W, {m} classes, alpha = {a}",
            x_label="steps of gradient descent",
            y_label="singular value",
        )
        for n, m, a in ((3, 3, 0.03), (8, 4, 0.3))
    ],
    untested="the limit (m - 1)/sqrt(m + 1) itself, which needs 50,000 steps",
)

"""Noise in the input that says nothing of the answer is not written by a gradient step.

Bietti et al. (2023), lemma 2 and its example: inputs x = u_y + p_t with a position t independent of the answer y.
For the population it cancels; B samples leave sqrt(N (1 - 1/N)/(B T)) of the signal, from the chance that some
positions met some answers more often.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Equal, Exponent, Grid, Runs, Within, product
from simonides.lab.figures import Overlay
from simonides.memories import LinearMemory, embeddings
from simonides.probes import accuracy

N, T = 16, 32


def measure(runs: Runs, *, samples: int, kind: str) -> dict[str, Tensor]:
    """After one step from B samples: signal and noise in units of eta/N, recall from clean and noisy inputs."""
    d = {"orthonormal": N + T, "sphere": 256}[kind]
    columns: dict[str, list[Tensor]] = {name: [] for name in ("signal", "noise", "clean", "noisy")}
    for generator in runs.generators:
        directions = embeddings.embed(kind, N + T, d, generator).double().to(runs.device)
        outputs = embeddings.embed(kind, N, d, generator).double().to(runs.device)
        y = torch.randint(N, (samples,), generator=generator)
        t = torch.randint(T, (samples,), generator=generator)
        # the sum over samples depends on how often each pair came: a histogram in place of B rows
        pairs = torch.bincount(y * T + t, minlength=N * T).double().to(runs.device) / samples
        inputs = (directions[:N, None] + directions[None, N:]).flatten(0, 1)
        labels = torch.arange(N, device=runs.device).repeat_interleave(T)
        weight = torch.zeros(d, d, dtype=torch.float64, device=runs.device, requires_grad=True)
        logits = inputs @ weight.mT @ outputs.mT
        nats = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        (gradient,) = torch.autograd.grad((pairs * nats).sum(), weight)
        stored = -N * gradient
        scores = outputs @ stored @ directions.mT
        columns["signal"].append(scores[:, :N].diagonal().mean())
        columns["noise"].append(scores[:, N:].square().mean().sqrt())
        for name, queries, targets in (("clean", directions[:N], labels[::T]), ("noisy", inputs, labels)):
            columns[name].append(accuracy(LinearMemory(stored), queries, outputs, targets))
    return {name: torch.stack(values).cpu() for name, values in columns.items()}


def expected_noise(samples: int, kind: str) -> float:
    """sqrt(N (1 - 1/N)/(B T)) with orthonormal embeddings; others add their overlaps."""
    return (N * (1 - 1 / N) / (samples * T)) ** 0.5 if kind == "orthonormal" else float("nan")


def grid(samples: list[int], seeds: int) -> Grid:
    """Sizes of the batch."""
    return product(kind=["orthonormal", "sphere"], samples=samples).with_seeds(seeds)


claim = Claim(
    question="Is noise that says nothing of the answer written into the memory?",
    statement=r"\nabla L = \sum_k p(y = k) \, v_k (\hat{\mu}_k - \mu_k)^\top, \qquad "
    r"v_k^\top W_1 (u_y + p_t) = \frac{\eta}{N} \left(1\{k = y\} - \frac{1}{N}\right)",
    source="Bietti et al. (2023), lemma 2 and example",
    references=["bietti2023birth"],
    scales={
        "smoke": grid([1000, 100_000], 5),
        "desk": grid([300, 1000, 10_000, 100_000, 1_000_000], 16),
        "paper": grid([300, 1000, 10_000, 100_000, 1_000_000, 10_000_000], 32),
    },
    measure=measure,
    predictions={"noise": expected_noise, "signal": lambda: 1 - 1 / N},
    rules=[
        Exponent(
            of="noise",
            against="samples",
            low=-0.52,
            high=-0.48,
            where={"kind": "orthonormal"},
            says="exponent in B of the score of a position",
        ),
        Within(column="noise", ratio=0.1, where={"kind": "orthonormal"}),
        Within(column="signal", ratio=0.03, where={"kind": "orthonormal"}),
        Equal(
            column="clean",
            other="noisy",
            tolerance=0.02,
            says="recall from clean inputs less that from noisy ones",
        ),
    ],
    sanity=[
        Exponent(of="noise", against="samples", low=-0.52, high=-0.48, where={"kind": "orthonormal"}),
        Within(column="noise", band=0.02, where={"kind": "orthonormal"}),
        Within(column="signal", band=0.03, where={"kind": "orthonormal"}),
        Equal(column="clean", other="noisy", tolerance=0.02),
    ],
    figures=[
        Overlay(
            y="noise",
            x="samples",
            by="kind",
            log="xy",
            smooth=False,
            title="What a step writes about positions, which say nothing of the answer",
            x_label="samples B in the step",
            y_label="score of a position (signal: 1)",
        ),
    ],
)

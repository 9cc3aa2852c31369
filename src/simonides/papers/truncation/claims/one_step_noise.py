"""After a single gradient step the feed-forward knows the noise, while attention drowns in sampling noise.

Chen, Bruna & Bietti (2025), theorem on one gradient step, in a runnable form: N clean tokens and a noise token, a
trigger q at the end of T uniform tokens, followed by noise with probability alpha and else by the sequence's own
token, which also follows each earlier trigger. Logits W_F e_q + W_V (mean of the sequence's one-hot tokens), both
zero, one step on m samples.
"""

import math

import torch
from jaxtyping import Float, Int
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
from simonides.lab.figures import Curves, Overlay

ALPHA, TRIALS, TRIGGER = 0.5, 100, 0


def draw(
    tokens: int, length: int, batch: int, generator: torch.Generator
) -> tuple[Float[Tensor, "B N_and_1"], Int[Tensor, " B"], Int[Tensor, " B"]]:
    """Mean one-hot of each sequence, what follows its last trigger, and the sequence's own token."""
    targets = 1 + torch.randint(tokens - 1, (batch,), generator=generator)
    uniform = torch.randint(tokens, (length, batch), generator=generator)
    noisy = torch.rand(length, batch, generator=generator) < ALPHA
    now, rows = uniform[0], torch.arange(batch)
    counts = torch.zeros(batch, tokens + 1)
    for step in range(length - 1):
        counts[rows, now] += 1
        after = torch.where(noisy[step], torch.full_like(targets, tokens), targets)
        now = torch.where(now == TRIGGER, after, uniform[step + 1])
    counts[:, TRIGGER] += 1  # the last token
    target = torch.where(noisy[-1], torch.full_like(targets, tokens), targets)
    return counts / length, target, targets


def measure(runs: Runs, *, tokens: int, samples: int) -> dict[str, Tensor]:
    """Of many steps of rate one: how often noise is the feed-forward's first answer, and both noise logits."""
    rows = []
    for generator in runs.generators:
        forward, margins = [], []
        for _ in range(TRIALS):
            mean, target, _ = (part.to(runs.device) for part in draw(tokens, tokens, samples, generator))
            excess = torch.nn.functional.one_hot(target, tokens + 1) - 1 / (tokens + 1)
            forward.append(excess.mean(0))
            weight = excess.mT @ mean / samples
            test = draw(tokens, tokens, 1, generator)[0].to(runs.device)
            margins.append((test @ weight.mT)[0])
        feed, attention = torch.stack(forward), torch.stack(margins)
        first = feed[:, tokens] > feed[:, :tokens].amax(1)
        noise = attention[:, tokens] - attention[:, :tokens].mean(1)
        rows.append(
            [
                float(first.double().mean()),
                float(feed[:, tokens].mean()),
                float(feed[:, tokens].std()),
                float(noise.mean()),
                float(attention[:, :tokens].std(1).mean()),
            ]
        )
    names = ("noise_first", "forward_noise", "forward_spread", "attention_noise", "attention_spread")
    return dict(zip(names, torch.tensor(rows, dtype=torch.float64).unbind(1), strict=True))


def forward_noise(tokens: int) -> float:
    """alpha - 1/(N + 1)."""
    return ALPHA - 1 / (tokens + 1)


def forward_spread(samples: int) -> float:
    """sqrt(alpha (1 - alpha)/m)."""
    return math.sqrt(ALPHA * (1 - ALPHA) / samples)


def grid(tokens: list[int], samples: list[int]) -> Grid:
    """Vocabularies, with T = N, and samples in the step."""
    return product(tokens=tokens, samples=samples).with_seeds(5)


claim = Claim(
    question="What does a single gradient step write where: the noise, or the answer from the context?",
    statement=r"W_F: \; \eta \left(\alpha - \tfrac{1}{N + 1}\right) \pm \eta \sqrt{\alpha (1 - \alpha)/m}, \qquad "
    r"W_V: \; \text{noise } \approx \eta \alpha / N",
    source="Chen, Bruna & Bietti (2025), theorem on one gradient step",
    references=["chen2025distributional"],
    scales={
        "smoke": grid([25, 50], [16, 256]),
        "desk": grid([25, 50, 100], [1, 4, 16, 64, 256, 1024]).with_seeds(16),
        "paper": grid([25, 50, 100, 200], [1, 4, 16, 64, 256, 1024, 4096]),
    },
    measure=measure,
    predictions={"forward_noise": forward_noise, "forward_spread": forward_spread},
    rules=[
        Within(column="forward_noise", ratio=0.1, says="noise logit of the feed-forward, measured over predicted"),
        Within(column="forward_spread", ratio=0.15, says="its standard deviation, measured over predicted"),
        Threshold(column="noise_first", at_least=0.97, where={"samples": 16}),
        Exponent(
            of="attention_noise",
            against="tokens",
            low=-1.12,
            high=-0.88,
            where={"samples": 256},
            paper=Reported(value=-1.0, where="theorem on one step"),
        ),
    ],
    sanity=[
        Within(column="forward_noise", band=0.06),
        Within(column="forward_spread", band=0.05),
        Threshold(column="noise_first", at_least=0.97, where={"samples": 16}),
        Exponent(of="attention_noise", against="tokens", low=-1.24, high=-0.76, where={"samples": 256}),
    ],
    figures=[
        Overlay(
            y="noise_first",
            x="samples",
            by="tokens",
            title="How often one step makes noise the feed-forward's first answer",
            x_label="samples m in the step",
            y_label="share of 100 trials",
        ),
        Curves(
            ys={
                "feed-forward: noise": "forward_noise",
                "attention: noise": "attention_noise",
                "attention: spread of clean tokens": "attention_spread",
            },
            x="samples",
            where={"tokens": 50},
            log="xy",
            title="Logits after one step of rate one, N = T = 50",
            x_label="samples m in the step",
            y_label="logit",
        ),
    ],
    untested="how many samples attention needs before its answer leads",
)

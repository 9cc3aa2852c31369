"""Heavy-tailed classes: every rate of a method on linear data, and what reading losses by frequency costs a training.

Linear data at m = 8 (2,048 samples, 2,304 features, 255 classes), five steps at seven rates: descent in the span of the
samples, Adam on the weights. The meter: a step of a transformer of ten million parameters on 1,024 tokens of 8,192
words, AdamW included, with `FrequencyMeter.update` and `update_gradient` beside it.
"""

from collections.abc import Iterator

import torch

from benchmarks.timing import HotPath, interleaved
from simonides.base import zipf
from simonides.nn import Transformer, TransformerConfig, cross_entropies, product
from simonides.papers.imbalance.linear_data import HeavyTailedData
from simonides.papers.imbalance.linear_training import train_linear
from simonides.papers.imbalance.meter import FrequencyMeter
from simonides.papers.imbalance.methods import half_decades

STEPS, RATES = 5, half_decades(-3, 0)


def lines() -> Iterator[str | HotPath]:
    yield from _linear()
    yield from _meter()


def _linear() -> Iterator[HotPath]:
    generator = torch.Generator().manual_seed(0)
    data = HeavyTailedData(m=8).sample(generator)
    n, d = data.x.shape
    runs = len(RATES) * data.classes
    kernel, gradients = torch.randn(n, n), torch.randn(runs, n)
    weights, transposed = torch.randn(runs, d), data.x.mT.contiguous()

    def in_span() -> None:
        for _ in range(STEPS):
            product(kernel, gradients)

    def on_weights() -> None:
        for _ in range(STEPS):
            product(data.x, weights)
            product(gradients, transposed)

    found = interleaved(
        {
            "descent": lambda: train_linear(data, "gd", generator, STEPS, RATES, every=STEPS),
            "adam": lambda: train_linear(data, "adam", generator, STEPS, RATES, every=STEPS),
            "in span": in_span,
            "on weights": on_weights,
        },
        rounds=5,
    )
    yield HotPath(
        name=f"{STEPS} steps of descent at {len(RATES)} rates, m = 8, first and last losses and K included",
        floor="its products",
        seconds=found["descent"],
        least=found["in span"],
    )
    yield HotPath(
        name=f"{STEPS} steps of Adam at {len(RATES)} rates, m = 8, first and last losses included",
        floor="its products",
        seconds=found["adam"],
        least=found["on weights"],
    )


def _meter() -> Iterator[str]:
    words = 8192
    config = TransformerConfig(vocabulary=words, length=64, d=384, layers=2, heads=6, norm="pre")
    generator = torch.Generator().manual_seed(0)
    model = Transformer(config, generator)
    size = sum(parameter.numel() for parameter in model.parameters())
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    tokens = torch.randint(words, (16, 65), generator=generator)
    meter = FrequencyMeter(zipf(words, 1.0))

    def step(read: bool) -> None:
        optimiser.zero_grad()
        logits = model(tokens[:, :-1])
        losses = cross_entropies(logits, tokens[:, 1:])
        if read:
            meter.update(logits, tokens[:, 1:], losses.detach())
        losses.mean().backward()
        if read:
            meter.update_gradient(model.W_U.grad)
        optimiser.step()

    def read_alone() -> None:
        meter.update(held, tokens[:, 1:], held_losses)
        meter.update_gradient(model.W_U.grad)

    step(False)
    with torch.no_grad():
        held = model(tokens[:, :-1])
        held_losses = cross_entropies(held, tokens[:, 1:])
    found = interleaved({"plain": lambda: step(False), "read": lambda: step(True), "alone": read_alone}, rounds=9)
    share = found["alone"] / found["plain"]
    yield (
        f"a step of {size / 1e6:.1f} M parameters on 1,024 tokens: {1e3 * found['plain']:.0f} ms, read by frequency "
        f"{1e3 * found['read']:.0f} ms; reading alone {1e3 * found['alone']:.1f} ms, {share:.1%} of a step "
        "(wanted: 3 %)"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in lines():
        print(line)

"""The in-context task and a step of the two-layer model on it.

The sampler against the 20,000 sequences of 256 tokens a second that are wanted; and one training step at d = 128,
T = B = 64, five fixed triggers, fresh data included, against a plain step without data: modules, every
position, every product. Ours asks the last layer for the positions in the loss
alone and makes products of the first layer's stream from its 129 different rows.
"""

from collections.abc import Iterator

import torch
from torch import nn

from benchmarks.timing import HotPath, interleaved
from simonides.data import shakespeare
from simonides.nn import Transformer, TransformerConfig
from simonides.probes import masked_loss
from simonides.tasks import TriggeredBigrams

D, LENGTH, BATCH, TOKENS = 128, 64, 64, 65


class Plain(nn.Module):
    """The same model as one would write it first."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(TOKENS, D), nn.Embedding(LENGTH, D)
        self.keys, self.values, self.outputs = (
            nn.ModuleList(nn.Linear(D, D, bias=False) for _ in range(2)) for _ in range(3)
        )
        self.unembedding = nn.Linear(D, TOKENS, bias=False)
        for part in (self.tokens, self.places, self.unembedding, self.values[0], self.outputs[0], self.values[1]):
            part.requires_grad_(False)
        self.register_buffer("future", torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1))

    def forward(self, tokens):
        """Logits at all positions."""
        stream = self.tokens(tokens) + self.places(torch.arange(LENGTH))
        for key, value, output in zip(self.keys, self.values, self.outputs, strict=True):
            scores = stream @ key(stream).mT / D**0.5
            weights = scores.masked_fill(self.future, -torch.inf).softmax(-1)
            stream = stream + output(weights @ value(stream))
        return self.unembedding(stream)


def lines() -> Iterator[str | HotPath]:
    yield _sampler()
    yield from _step()


def _sampler() -> str:
    tasks = {
        kind: TriggeredBigrams(bigrams=shakespeare(), length=256, triggers=kind) for kind in ("frequent", "random")
    }
    generator = torch.Generator().manual_seed(0)
    found = interleaved(
        {kind: lambda task=task: task.sample(512, generator) for kind, task in tasks.items()}, rounds=15
    )
    rates = ", ".join(f"{512 / seconds:,.0f} a second ({kind} triggers)" for kind, seconds in found.items())
    return f"sequences of 256 tokens in batches of 512: {rates} (wanted: 20,000)"


def _step() -> Iterator[str | HotPath]:
    task = TriggeredBigrams(bigrams=shakespeare(), length=LENGTH, triggers="frequent")
    generator = torch.Generator().manual_seed(0)
    config = TransformerConfig(
        vocabulary=TOKENS,
        length=LENGTH,
        d=D,
        feed_forward="none",
        merged_queries=True,
        embedding_scale=D**0.5,
        unembedding_scale=3**-0.5,
        weight_scale=3**-0.5,
        frozen=("W_E", "W_U", "positions", "layers.0.attention.W_[VO]", "layers.1.attention.W_V"),
    )
    model, plain = Transformer(config, generator), Plain()
    methods = {
        net: torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.2, 0.9, weight_decay=1e-4)
        for net in (model, plain)
    }
    fixed = task.sample(BATCH, generator)

    def ours(fresh: bool = True) -> None:
        batch = task.sample(BATCH, generator) if fresh else fixed
        methods[model].zero_grad()
        masked_loss(model, batch.inputs, batch.targets, batch.in_context).backward()
        methods[model].step()

    def theirs() -> None:
        methods[plain].zero_grad()
        logits = plain(fixed.inputs)[fixed.in_context]
        nn.functional.cross_entropy(logits, fixed.targets[fixed.in_context]).backward()
        methods[plain].step()

    rows = torch.randn(BATCH, LENGTH, D)
    square, read = torch.randn(D, D), torch.randn(BATCH, LENGTH // 4, D)

    def floor() -> None:
        """Products: layer 1's attention, layer 2's at a quarter of the positions, and their transposes."""
        for _ in range(3):
            weights = rows @ rows.mT
            torch.bmm(weights, rows)
            torch.bmm(torch.bmm(read, rows.mT), rows)
            for _ in range(3):
                read @ square

    found = interleaved(
        {"ours": ours, "without data": lambda: ours(False), "plain": theirs, "floor": floor}, rounds=40
    )
    ms = {name: seconds * 1e3 for name, seconds in found.items()}
    yield HotPath(
        name="a training step of two layers, d = 128, T = B = 64, data included",
        floor="its products, forward and backward",
        seconds=found["ours"],
        least=found["floor"],
    )
    yield (
        f"a step with data {ms['ours']:.1f} ms (without {ms['without data']:.1f}), a plain one without data "
        f"{ms['plain']:.1f} ms: {ms['ours'] / ms['plain']:.2f} (wanted: at most 0.65); the products it must do "
        f"{ms['floor']:.1f} ms"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in lines():
        print(line)

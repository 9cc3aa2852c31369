"""Training on noisy in-context recall: two layers with feed-forwards, one trigger that noise may follow.

Chen, Bruna & Bietti (2025): the trigger is the most frequent character; in training "!" follows it with
probability alpha, else the sequence's own output; tests are without noise. All of W_KQ, W_OV and both
feed-forwards are trained by SGD with momentum 0.9 and weight decay 1e-4, embeddings stay random.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from simonides.data import shakespeare
from simonides.nn import Transformer, TransformerConfig
from simonides.probes import masked_loss, replaced
from simonides.tasks import Sequences, TriggeredBigrams
from simonides.training import Checkpoint, fit, moved

NOISE = "!"
BATCH, TESTED = 32, 256


@dataclass(frozen=True, kw_only=True)
class Clean:
    """What is said after the trigger on sequences without noise.

    Arguments:
        accuracy: share of right predictions.
        noise: mean probability of the noise token.
        answer: mean probability of the sequence's own output.
    """

    accuracy: float
    noise: float
    answer: float


def task(length: int, noise: float) -> TriggeredBigrams:
    """Noisy recall on Shakespeare's characters."""
    bigrams = shakespeare()
    return TriggeredBigrams(
        bigrams=bigrams,
        length=length,
        triggers="frequent",
        count=1,
        noise=noise,
        noise_token=bigrams.tokens.index(NOISE),
        repeats="no trigger",
    )


def train(
    length: int,
    noise: float,
    d: int,
    rate: float,
    steps: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
) -> Transformer:
    """The model after training on a device, which goes on from a checkpoint if there is one."""
    problem = task(length, noise)
    config = TransformerConfig(
        vocabulary=len(problem.bigrams),
        length=length,
        d=d,
        feed_forward="mlp",
        merged_queries=True,
        embedding_scale=d**0.5,
        unembedding_scale=3**-0.5,
        weight_scale=3**-0.5,
        frozen=("W_E", "W_U", "positions"),
    )
    model = Transformer(config, generator).to(device)
    fit(
        model,
        lambda m, batch: masked_loss(m, batch.inputs, batch.targets, batch.in_context),
        lambda g: problem.sample(BATCH, g),
        lambda parameters: torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=1e-4),
        steps,
        generator,
        checkpoint=None if checkpoint is None else Checkpoint(path=checkpoint, every=max(1, steps // 5)),
    )
    return model


def clean_sequences(length: int, generator: torch.Generator) -> Sequences:
    """To test on."""
    return task(length, 0.0).sample(TESTED, generator)


def clean(model: Transformer, sequences: Sequences) -> Clean:
    """What the model says after triggers that came before."""
    noise = shakespeare().tokens.index(NOISE)
    sequences = moved(sequences, model.W_E.device)
    with torch.no_grad():
        p = model(sequences.inputs)[sequences.in_context].softmax(-1)
    target = sequences.targets[sequences.in_context]
    return Clean(
        accuracy=float((p.argmax(-1) == target).double().mean()),
        noise=float(p[:, noise].mean()),
        answer=float(p.gather(1, target[:, None]).mean()),
    )


def without_feed_forward(model: Transformer, layer: int) -> AbstractContextManager[None]:
    """A context in which the feed-forward of a layer adds nothing."""
    return replaced(model, {(layer, "W_out"): torch.zeros_like(model.weight("W_out", layer))})


def noise_margin(model: Transformer, layer: int) -> float:
    """How far the noise leads in W_U F(w_E(q)), what the feed-forward alone says of the trigger."""
    bigrams = shakespeare()
    trigger, noise = int(bigrams.by_frequency[0]), bigrams.tokens.index(NOISE)
    block = model.blocks[layer]
    with torch.no_grad():
        trigger_embedding = model.W_E[trigger]
        logits = model.W_U @ (block.fed_forward(trigger_embedding, trigger_embedding) - trigger_embedding)
    best = logits.clone()
    best[noise] = -torch.inf
    return float(logits[noise] - best.max())

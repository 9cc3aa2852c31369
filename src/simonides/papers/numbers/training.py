"""Training number models, several as one stack, on sequences in which numbers are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least, check_not_negative
from simonides.papers.numbers.encodings import NumberEncoding
from simonides.papers.numbers.masking import Answers, NumberBatch, answers, ask, next_answers, number_loss
from simonides.papers.numbers.model import NumberModel, NumberModelConfig
from simonides.papers.numbers.sequences import EncodedSequences, NumberSequences, encode
from simonides.training import Checkpoint, Cosine, History, Records, StackedModel, Update, fit, in_eval_mode, moved

# sequences that are looked at together
_AT_ONCE = 512


@dataclass(frozen=True, kw_only=True)
class NumberTraining:
    """How number models are trained: AdamW, a warm-up, and a cosine down to a tenth of the rate.

    Arguments:
        steps: updates.
        batch: sequences a step.
        rate: the highest learning rate.
        weight_decay: of AdamW.
        warmup: steps until the highest rate, at most a tenth of all.
        masked: share of the symbols that are asked for in each sequence, where none are named.
        clip: the largest norm of a gradient; the paper states none.
        every: steps between records; 0 for two alone.
    """

    steps: int = 3000
    batch: int = 128
    rate: float = 1e-3
    weight_decay: float = 0.1
    warmup: int = 200
    masked: float = 0.2
    clip: float | None = 1.0
    every: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            check_at_least(name, getattr(self, name), 1)
        check_not_negative("rate", self.rate)
        check_not_negative("weight_decay", self.weight_decay)
        check_at_least("warmup", self.warmup, 0)
        check_at_least("every", self.every, 0)
        if not 0 < self.masked <= 1:
            raise SimonidesError(f"masked = {self.masked}; give a share above 0, at most 1.")


@dataclass(frozen=True, kw_only=True)
class TrainedNumbers:
    """Models as they are after training, with what was recorded of all of them."""

    models: tuple[NumberModel, ...]
    history: History
    encoding: NumberEncoding
    words: int

    def answers(
        self,
        run: int,
        sequences: NumberSequences,
        asked: Bool[Tensor, "n S"],
        constrained: bool = True,
    ) -> Answers:
        """What one of the models says of the numbers asked for; see `read_numbers`."""
        return read_numbers(self.models[run], self.encoding, self.words, sequences, asked, constrained)


def read_numbers(
    model: NumberModel,
    encoding: NumberEncoding,
    words: int,
    sequences: NumberSequences,
    asked: Bool[Tensor, "n S"],
    constrained: bool = True,
) -> Answers:
    """What a model says of the numbers asked for.

    Arguments:
        model: a trained one.
        encoding: of its numbers.
        words: size of its vocabulary of symbols.
        sequences: what it reads.
        asked: which symbols it is asked for, at least one of each sequence; M is the largest count.
        constrained: whether only well-formed numbers are chosen from.

    Returns:
        The numbers in their order; NaN behind those of a sequence that is asked for fewer.

    Raises:
        SimonidesError: when a symbol asked for is no number, a sequence is asked for none, or is longer than the model.
    """
    if asked.shape != sequences.symbols.shape:
        raise SimonidesError(
            f"asked has shape {list(asked.shape)} for symbols of {list(sequences.symbols.shape)}; mark each or not."
        )
    if bool((asked & ~sequences.is_number).any()):
        raise SimonidesError("a symbol asked for is no number; ask for numbers alone.")
    device = model.trunk.W_E.device
    symbols, valid = asked_symbols(asked)
    causal = model.config.trunk.causal
    found = []
    for start in range(0, len(sequences), _AT_ONCE):
        rows = torch.arange(start, min(start + _AT_ONCE, len(sequences)))
        encoded = encode(sequences[rows], encoding)
        _check_length(encoded, encoding, model.config)
        batch = ask(encoded, encoding, symbols[rows], valid[rows], causal)
        batch = moved(batch, device)
        say = next_answers if causal else answers
        with in_eval_mode(model):
            found.append(say(model, batch, encoding, words, constrained))
    return Answers(*(torch.cat([getattr(one, name).cpu() for one in found]) for name in Answers._fields))


def asked_symbols(asked: Bool[Tensor, "n S"]) -> tuple[Int[Tensor, "n M"], Bool[Tensor, "n M"]]:
    """The symbols that a mask marks, in order, and which of them count: M is the largest count of a sequence.

    Raises:
        SimonidesError: when nothing is marked in a sequence.
    """
    counts = asked.sum(1)
    if not bool((counts > 0).all()):
        row = int((counts == 0).nonzero()[0, 0])
        raise SimonidesError(f"sequence {row} is asked for nothing; leave it out, or mark a symbol.")
    order = (~asked).long().sort(dim=1, stable=True).indices[:, : int(counts.max())]
    return order, torch.arange(order.shape[1]) < counts[:, None]


def _check_length(encoded: EncodedSequences, encoding: NumberEncoding, config: NumberModelConfig) -> None:
    if encoded.tokens.shape[1] > config.trunk.length:
        raise SimonidesError(
            f"{encoded.tokens.shape[1]} tokens by {encoding.name}, and the model is made for {config.trunk.length}; "
            "give shorter sequences, or a longer model."
        )


def random_symbols(
    encoded: EncodedSequences, share: float, generator: torch.Generator
) -> tuple[Int[Tensor, "B M"], Bool[Tensor, "B M"]]:
    """Symbols drawn without repetition: each sequence's share of its own, rounded, at least one."""
    there = encoded.sizes > 0
    counts = (there.sum(1) * share).round().long().clamp_min(1)
    keys = torch.rand(there.shape, generator=generator).masked_fill(~there, 2.0)
    most = int(counts.max())
    symbols = keys.topk(most, 1, largest=False).indices
    return symbols, torch.arange(most) < counts[:, None]


def train_numbers(
    sequences: NumberSequences,
    encoding: NumberEncoding,
    config: NumberModelConfig,
    generators: Sequence[torch.Generator],
    training: NumberTraining | None = None,
    asked: Bool[Tensor, "n S"] | None = None,
    device: torch.device | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> TrainedNumbers:
    """Train a number model for each generator.

    Arguments:
        sequences: to learn from.
        encoding: of the numbers.
        config: of the models.
        generators: one for each run: of its weights, then of its batches.
        training: how.
        asked: symbols that are asked for, at least one of each sequence; by default a share drawn anew each step, of a
            causal model all.
        device: where; by default the CPU.
        checkpoint: a file that a broken training goes on from.
        progress: whether a bar shows the loss.

    Raises:
        DivergedTraining: when all runs diverge.
        SimonidesError: when settings do not go together, or a sequence is longer than the model.
    """
    training = training or NumberTraining()
    device = device or torch.device("cpu")
    encoded = encode(sequences, encoding)
    _check_length(encoded, encoding, config)
    made_for = (config.trunk.vocabulary, config.features, config.multiplies, config.outputs)
    needed = (
        len(sequences.vocabulary) + len(encoding.tokens),
        *(encoding.features, encoding.multiplies, encoding.outputs),
    )
    if made_for != needed:
        raise SimonidesError(
            f"the model is made for (vocabulary, features, multiplies, outputs) = {made_for}, and {encoding.name} with "
            f"these words needs {needed}; make it with model_config."
        )
    causal, words = config.trunk.causal, len(sequences.vocabulary)
    if asked is not None and asked.shape != sequences.symbols.shape:
        raise SimonidesError(
            f"asked has shape {list(asked.shape)} for symbols of {list(sequences.symbols.shape)}; mark each or not."
        )
    fixed = None if asked is None else asked_symbols(asked)
    share = 1.0 if causal else training.masked
    models = [NumberModel(config, generator) for generator in generators]
    stack = StackedModel(models).to(device)

    def one_batch(generator: torch.Generator) -> NumberBatch:
        rows = torch.randint(len(sequences), (training.batch,), generator=generator)
        own = encoded[rows]
        if fixed is not None:
            symbols, valid = fixed[0][rows], fixed[1][rows]
        else:
            symbols, valid = random_symbols(own, share, generator)
        return ask(own, encoding, symbols, valid, causal)

    def draw(own: Sequence[torch.Generator], runs: Sequence[int]) -> NumberBatch:
        drawn = [one_batch(generator) for generator in own]
        return NumberBatch(
            *(_stacked([batch[place] for batch in drawn]) for place in range(len(NumberBatch._fields)))
        )

    def loss(model: StackedModel, batch: NumberBatch) -> Float[Tensor, " runs"]:
        return model.each(lambda one, own: number_loss(one, NumberBatch(*own), encoding, words), tuple(batch))

    warmup = min(training.warmup, training.steps // 10)
    history = fit(
        stack,
        loss,
        draw,
        lambda parameters: _adamw(parameters, training),
        training.steps,
        list(generators),
        update=Update(clip=training.clip, schedule=Cosine(steps=training.steps, warmup=warmup, floor=0.1)),
        records=Records(every=training.every, progress=progress),
        checkpoint=None if checkpoint is None else Checkpoint(path=checkpoint, every=max(training.steps // 10, 1)),
    )
    trained = []
    for run in range(len(models)):
        model = stack.run(run)
        assert isinstance(model, NumberModel)
        trained.append(model.eval())
    return TrainedNumbers(models=tuple(trained), history=history, encoding=encoding, words=words)


def _adamw(parameters: list[nn.Parameter], training: NumberTraining) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters, lr=training.rate, betas=(0.9, 0.999), weight_decay=training.weight_decay, foreach=True
    )


def _stacked(tensors: list[Tensor]) -> Tensor:
    """Tensors of several runs in one, those that ask for fewer symbols filled up with what does not count."""
    most = max(tensor.shape[1] for tensor in tensors)
    if any(tensor.shape[1] < most for tensor in tensors):
        tensors = [nn.functional.pad(tensor, (0, most - tensor.shape[1])) for tensor in tensors]
    return torch.stack(tensors)

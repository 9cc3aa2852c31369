"""What is masked of encoded sequences, what a model says there, its loss, and the numbers that are read from it."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.nn import cross_entropies
from simonides.papers.numbers.encodings import NumberEncoding
from simonides.papers.numbers.sequences import MASK, PAD, EncodedSequences


class NumberBatch(NamedTuple):
    """A batch in which symbols are asked for.

    Arguments:
        tokens: what is read; `MASK` where a symbol is asked for.
        features: beside each token, neutral where a symbol is asked for.
        present: false for padding.
        at: the positions that are read, k for each of the M symbols.
        targets: the tokens there.
        counted: which of them count.
        values: the numbers of the symbols; 0 where there is none.
        numbers: which of the symbols are numbers that count.
    """

    tokens: Int[Tensor, "B T"]
    features: Float[Tensor, "B T f"]
    present: Bool[Tensor, "B T"]
    at: Int[Tensor, "B Q"]
    targets: Int[Tensor, "B Q"]
    counted: Bool[Tensor, "B Q"]
    values: Float[Tensor, "B M"]
    numbers: Bool[Tensor, "B M"]


@runtime_checkable
class Answering(Protocol):
    """A number model, or a callable that stands for one of a stack."""

    def __call__(
        self, tokens: Tensor, features: Tensor, at: Tensor, present: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Logits and numbers."""


def ask(
    encoded: EncodedSequences,
    encoding: NumberEncoding,
    symbols: Int[Tensor, "B M"],
    valid: Bool[Tensor, "B M"],
    causal: bool = False,
) -> NumberBatch:
    """A batch that asks for symbols.

    Arguments:
        encoded: the sequences.
        encoding: theirs.
        symbols: which are asked for.
        valid: which of these count; others are not masked.
        causal: whether the model reads on from what came before: then nothing is masked, and positions that are read
            lie one before the tokens. The first symbol of a sequence has none, and does not count.
    """
    tokens, length = encoded.tokens, encoding.length
    steps = torch.arange(length, device=tokens.device)
    starts, sizes = encoded.starts.gather(1, symbols), encoded.sizes.gather(1, symbols)
    inside = (steps < sizes[..., None]) & valid[..., None]
    if causal:
        inside = inside & (starts[..., None] > 0)
    places = (starts[..., None] + steps).clamp_max(tokens.shape[1] - 1)
    at, counted = places.flatten(1), inside.flatten(1)
    present = tokens != PAD
    features = encoding.to_features(encoded.values).float()
    neutral = 1.0 if encoding.multiplies else 0.0
    hidden = torch.zeros_like(tokens) if causal else torch.zeros_like(tokens).scatter_add(1, at, counted.long())
    beside = encoded.is_number & (hidden == 0)
    first = places[..., 0]
    return NumberBatch(
        tokens=torch.where(hidden > 0, MASK, tokens),
        features=torch.where(beside[..., None], features, neutral),
        present=present,
        at=(at - 1).clamp_min(0) if causal else at,
        targets=tokens.gather(1, at),
        counted=counted,
        values=encoded.values.gather(1, first),
        numbers=encoded.is_number.gather(1, first) & inside[..., 0],
    )


def number_loss(model: Answering, batch: NumberBatch, encoding: NumberEncoding, words: int) -> Float[Tensor, ""]:
    """Cross-entropy of the tokens asked for plus the number head's loss of the numbers, each a mean, of equal weight.

    A batch without numbers has no number loss: it is zero, not 0/0.

    Arguments:
        model: says logits and numbers.
        batch: what is asked.
        encoding: of the numbers.
        words: size of the vocabulary of symbols, behind which that of the encoding begins.
    """
    logits, outputs = model(batch.tokens, batch.features, batch.at, batch.present)
    losses = cross_entropies(logits, batch.targets)
    loss = (losses * batch.counted).sum() / batch.counted.sum().clamp_min(1)
    loss = loss + encoding.token_loss(logits[..., words:], batch.targets - words, batch.counted)
    if not encoding.outputs:
        return loss
    # in 64 bits: those of a number are all asked for by some encodings
    own = encoding.loss(outputs[:, :: encoding.length], batch.values.double()).to(loss.dtype)
    return loss + torch.where(batch.numbers, own, 0.0).sum() / batch.numbers.sum().clamp_min(1)


class Answers(NamedTuple):
    """What a model says where numbers were asked for.

    Arguments:
        values: the numbers; NaN where what it says is none, or nothing was asked.
        outputs: of the number head.
    """

    values: Float[Tensor, "B M"]
    outputs: Float[Tensor, "B M o"]


@torch.no_grad()
def answers(
    model: Answering, batch: NumberBatch, encoding: NumberEncoding, words: int, constrained: bool = True
) -> Answers:
    """The numbers that a model says where symbols were asked for.

    Arguments:
        model: says logits and numbers; it sees the whole sequence.
        batch: what is asked; every symbol that counts is a number.
        encoding: of the numbers.
        words: size of the vocabulary of symbols.
        constrained: whether only well-formed numbers are chosen from. If not, a number is said by the likeliest
            tokens of all, and may be no number.
    """
    logits, outputs = model(batch.tokens, batch.features, batch.at, batch.present)
    shape = batch.values.shape
    by_number = logits.unflatten(1, (shape[1], encoding.length))
    outputs = outputs[:, :: encoding.length]
    said = by_number.argmax(-1) - words
    if encoding.outputs:
        values = encoding.decode(outputs).double()
        if not constrained:
            values = torch.where(said[..., 0] == 0, values, torch.nan)
    else:
        if constrained:
            said = encoding.best_tokens(by_number[..., words:].flatten(0, 1)).unflatten(0, shape)
        values = encoding.from_tokens(said.flatten(0, 1)).unflatten(0, shape)
    return Answers(torch.where(batch.numbers, values, torch.nan), outputs)


@torch.no_grad()
def next_answers(
    model: Answering, batch: NumberBatch, encoding: NumberEncoding, words: int, constrained: bool = True
) -> Answers:
    """The numbers that a causal model says where symbols were asked for, token after token.

    What came before a number is as it is in the batch; of the number itself the model reads what it has said.
    """
    length, shape = encoding.length, batch.values.shape
    at = batch.at.unflatten(1, (shape[1], length))
    tokens = batch.tokens[:, None].expand(-1, shape[1], -1).flatten(0, 1).clone()
    features = batch.features[:, None].expand(-1, shape[1], -1, -1).flatten(0, 1)
    present = batch.present[:, None].expand(-1, shape[1], -1).flatten(0, 1)
    said = torch.zeros(len(tokens), 0, dtype=torch.long, device=tokens.device)
    outputs = torch.zeros(len(tokens), encoding.outputs, device=tokens.device)
    for step in range(length):
        place = at[..., step].flatten()[:, None]
        logits, numbers = model(tokens, features, place, present)
        scores = logits[:, 0]
        if step == 0:
            outputs = numbers[:, 0]
        if constrained:
            allowed = encoding.next_tokens(said)
            own = scores[:, words:].masked_fill(~allowed, -torch.inf).argmax(-1)
        else:
            own = scores.argmax(-1) - words
        said = torch.cat([said, own[:, None]], 1)
        if step + 1 < length:
            tokens.scatter_(1, place + 1, own[:, None] + words)
    if encoding.outputs:
        values = encoding.decode(outputs).double()
        values = values if constrained else torch.where(said[:, 0] == 0, values, torch.nan)
    else:
        values = encoding.from_tokens(said)
    return Answers(torch.where(batch.numbers, values.unflatten(0, shape), torch.nan), outputs.unflatten(0, shape))

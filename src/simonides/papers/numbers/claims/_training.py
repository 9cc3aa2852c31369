"""Number models that several claims of this paper train alike, and what is measured of their answers."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from simonides.lab import Runs
from simonides.papers.numbers.encodings import NumberEncoding, make_encoding
from simonides.papers.numbers.model import model_config
from simonides.papers.numbers.sequences import NumberSequences, encode
from simonides.papers.numbers.training import NumberTraining, TrainedNumbers, train_numbers


def tokens_of(sequences: NumberSequences, encoding: NumberEncoding) -> int:
    """The longest sequence under an encoding, in tokens."""
    return encode(sequences, encoding).tokens.shape[1]


def trained(
    runs: Runs,
    sequences: NumberSequences,
    encoding: str,
    *,
    steps: int,
    d: int,
    layers: int = 2,
    batch: int = 64,
    rate: float = 3e-3,
    asked: Bool[Tensor, "n S"] | None = None,
) -> TrainedNumbers:
    """A model for each run, all of the same sequences, told apart by weights and batches."""
    own = make_encoding(encoding)
    config = model_config(
        own, len(sequences.vocabulary), tokens_of(sequences, own), d=d, layers=layers, heads=max(d // 16, 1)
    )
    training = NumberTraining(steps=steps, batch=batch, rate=rate, weight_decay=0.01)
    file = runs.scratch / "numbers.safetensors"
    return train_numbers(sequences, own, config, runs.generators, training, asked, runs.device, file)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How good answers are.

    Arguments:
        squared: the mean squared error of those that are numbers.
        unexplained: the same in units of the variance of the truth: 1 - R^2, 1 for the best constant.
        invalid: the share that are no numbers.
    """

    squared: float
    unexplained: float
    invalid: float


def quality(answers: Float[Tensor, " n"], truth: Float[Tensor, " n"]) -> Quality:
    """Of answers, which are NaN where they are no number."""
    well = ~answers.isnan()
    squared = float((answers - truth)[well].square().mean()) if bool(well.any()) else float("inf")
    return Quality(
        squared=squared,
        unexplained=squared / float(truth.var(correction=0)),
        invalid=float((~well).double().mean()),
    )


def columns(rows: list[dict[str, float]]) -> dict[str, Tensor]:
    """Numbers of each run as columns."""
    return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]}

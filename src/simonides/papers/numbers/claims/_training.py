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
    batch: int = 64,
    rate: float | None = None,
    asked: Bool[Tensor, "n S"] | None = None,
) -> TrainedNumbers:
    """A model for each run, all of the same sequences, told apart by weights and batches.

    From d = 768 on the paper's six layers of six heads of 128 and its weight decay of 0.1; below two layers of heads of
    16 and 0.01. The rate is 0.1/d by default: 3e-3 at d = 32, and at d = 768 within the paper's 2e-5 to 2e-4.
    """
    large = d >= 768
    own = make_encoding(encoding)
    config = model_config(
        own,
        len(sequences.vocabulary),
        tokens_of(sequences, own),
        d=d,
        layers=6 if large else 2,
        heads=6 if large else max(d // 16, 1),
        head_dimension=128 if large else None,
    )
    training = NumberTraining(steps=steps, batch=batch, rate=rate or 0.1 / d, weight_decay=0.1 if large else 0.01)
    file = runs.scratch / f"{encoding}-{training.rate}.safetensors"
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

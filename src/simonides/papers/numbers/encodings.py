"""The family of number encodings, by name, behind one interface."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.base import check_name
from simonides.papers.numbers.decimal_codes import SCHEMES, TextEncoding
from simonides.papers.numbers.number_features import BitFeatures, FourierDigits, ScaledEmbedding


@runtime_checkable
class NumberEncoding(Protocol):
    """How a number enters a model and leaves it.

    A number is `length` tokens out of `tokens`. Beside them the model is given `features` numbers, which multiply the
    token's embedding (`multiplies`) or are mapped and added to it, and its number head says `outputs` numbers. Text
    encodings have neither: their numbers are read from the tokens.
    """

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def length(self) -> int:
        """Tokens a number."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that numbers are made of."""

    @property
    def features(self) -> int:
        """Numbers beside the tokens."""

    @property
    def multiplies(self) -> bool:
        """Whether the one feature multiplies the embedding."""

    @property
    def outputs(self) -> int:
        """Numbers that the number head says."""

    def to_tokens(self, values: Float[Tensor, " n"]) -> Int[Tensor, "n length"]:
        """The tokens of numbers; refuses those that are not finite."""

    def from_tokens(self, tokens: Int[Tensor, "n length"]) -> Float[Tensor, " n"]:
        """What tokens say, NaN where they are no number; refused where tokens say nothing."""

    def next_tokens(self, previous: Int[Tensor, "n j"]) -> Bool[Tensor, "n vocabulary"]:
        """Which tokens may follow j tokens of a number."""

    def best_tokens(self, logits: Float[Tensor, "n length vocabulary"]) -> Int[Tensor, "n length"]:
        """The most likely well-formed number of tokens that are predicted together."""

    def to_features(self, values: Float[Tensor, "*n"]) -> Float[Tensor, "*n features"]:
        """What the model is given beside the tokens."""

    def loss(self, outputs: Float[Tensor, "*n outputs"], values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Of the number head."""

    def token_loss(
        self, logits: Float[Tensor, "*n vocabulary"], tokens: Int[Tensor, "*n"], counted: Bool[Tensor, "*n"]
    ) -> Float[Tensor, ""]:
        """What is added to the mean cross-entropy of the tokens that count; logits are those of its own tokens."""

    def decode(self, outputs: Float[Tensor, "*n outputs"]) -> Float[Tensor, "*n"]:
        """The number that the head says."""

    def told(self, values: Float[Tensor, " n"]) -> dict[str, int]:
        """How many numbers the encoding changes beyond rounding, by the reason."""


ENCODINGS: dict[str, Callable[[], NumberEncoding]] = {
    "xval": ScaledEmbedding,
    "xval-log": lambda: ScaledEmbedding(smallest=1e-3),
    "xval-quantiles": lambda: ScaledEmbedding(quantiles=True),
    "fone": FourierDigits,
    "bits": BitFeatures,
    **{name: (lambda name=name: TextEncoding(name)) for name in SCHEMES},  # type: ignore[misc]
    "p10-ntl": lambda: TextEncoding("p10", number_token_loss=0.3),
}


def make_encoding(name: str) -> NumberEncoding:
    """An encoding by its name, a key of `ENCODINGS`.

    Raises:
        SimonidesError: when there is none of this name.

    >>> make_encoding("p10").length, make_encoding("xval").length
    (5, 1)
    """
    check_name("encoding", name, ENCODINGS)
    return ENCODINGS[name]()

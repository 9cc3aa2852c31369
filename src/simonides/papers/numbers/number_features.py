"""Numbers that go into one token beside its name: a multiple of its embedding, or features that are added to it.

xVal multiplies by the number itself; with the signed logarithm by a number that the logarithm has squeezed; FoNE adds
sines and cosines whose phases are the digits; BitTokens add the 64 bits of the number.
"""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from simonides.base import SimonidesError, check_at_least, check_finite

RANGE = 5.0
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class _OneToken:
    """What is the same for all encodings that need one token a number: tokens that say nothing of it."""

    name: str
    length = 1
    tokens = ("[NUM]",)

    def to_tokens(self, values: Float[Tensor, " n"]) -> Int[Tensor, "n 1"]:
        """[NUM], n times.

        Raises:
            SimonidesError: when a number is not finite.
        """
        check_finite(numbers=values)
        return torch.zeros(len(values), 1, dtype=torch.long, device=values.device)

    def from_tokens(self, tokens: Int[Tensor, "n 1"]) -> Float[Tensor, " n"]:
        """Refused: the number is read from the number head."""
        raise SimonidesError(
            f"{self.name} has one token for all numbers; ask decode, of the number head's outputs."
        )

    def next_tokens(self, previous: Int[Tensor, "n j"]) -> Bool[Tensor, "n 1"]:
        """[NUM] alone."""
        return torch.ones(len(previous), 1, dtype=torch.bool, device=previous.device)

    def best_tokens(self, logits: Float[Tensor, "n 1 1"]) -> Int[Tensor, "n 1"]:
        """[NUM] alone."""
        return torch.zeros(logits.shape[:2], dtype=torch.long, device=logits.device)

    def token_loss(
        self, logits: Float[Tensor, "*n 1"], tokens: Int[Tensor, "*n"], counted: Bool[Tensor, "*n"]
    ) -> Float[Tensor, ""]:
        """Zero: tokens have no order."""
        return logits.new_zeros(())


@dataclass(frozen=True)
class ScaledEmbedding(_OneToken):
    """xVal: the embedding of [NUM] times the number, and a number head with a squared error (Golkar et al. 2023).

    With `smallest` the multiple is the signed logarithm sign(x) 5 log(1 + |x|/smallest)/log(1 + 5/smallest), and the
    error is that of the logarithm. With `quantiles` the head says the quantiles `LEVELS` by pinball losses, and what is
    decoded is the median.

    Arguments:
        smallest: where the logarithm begins; None for the number itself.
        quantiles: whether the head says quantiles.

    >>> xval = ScaledEmbedding()
    >>> xval.to_features(torch.tensor([0.5, -2.0])), xval.decode(torch.tensor([[0.5]]))
    (tensor([[ 0.5000],
            [-2.0000]]), tensor([0.5000]))
    """

    smallest: float | None = None
    quantiles: bool = False
    features: int = field(default=1, init=False)
    multiplies: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        if self.smallest is not None and not 0 < self.smallest < RANGE:
            raise SimonidesError(f"smallest = {self.smallest}; give a number between 0 and {RANGE:g}, or None.")

    @property
    def name(self) -> str:  # type: ignore[override]
        """What it is called."""
        return ("xval" if self.smallest is None else "xval-log") + ("-quantiles" if self.quantiles else "")

    @property
    def outputs(self) -> int:
        """Numbers that the head says."""
        return len(LEVELS) if self.quantiles else 1

    def to_features(self, values: Float[Tensor, "*n"]) -> Float[Tensor, "*n 1"]:
        """The multiple."""
        return self._squeezed(values)[..., None]

    def loss(self, outputs: Float[Tensor, "*n outputs"], values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The squared error, or the mean pinball loss, of the multiple."""
        error = self._squeezed(values)[..., None] - outputs
        if not self.quantiles:
            return error[..., 0].square()
        levels = torch.tensor(LEVELS, device=outputs.device, dtype=outputs.dtype)
        return torch.maximum(levels * error, (levels - 1) * error).mean(-1)

    def decode(self, outputs: Float[Tensor, "*n outputs"]) -> Float[Tensor, "*n"]:
        """The number, or its median."""
        return self._spread(outputs[..., LEVELS.index(0.5) if self.quantiles else 0])

    def interval(self, outputs: Float[Tensor, "*n outputs"]) -> Float[Tensor, "*n 2"]:
        """From the lowest level to the highest, put in order.

        Raises:
            SimonidesError: when the head says no quantiles.
        """
        if not self.quantiles:
            raise SimonidesError("the head says no quantiles; train one with quantiles=True.")
        ordered = outputs.sort(-1).values
        return self._spread(torch.stack([ordered[..., 0], ordered[..., -1]], -1))

    def _squeezed(self, values: Tensor) -> Tensor:
        if self.smallest is None:
            return values
        top = math.log1p(RANGE / self.smallest)
        return values.sign() * (values.abs() / self.smallest).log1p() * (RANGE / top)

    def _spread(self, squeezed: Tensor) -> Tensor:
        if self.smallest is None:
            return squeezed
        top = math.log1p(RANGE / self.smallest)
        return squeezed.sign() * self.smallest * (squeezed.abs() * (top / RANGE)).expm1()

    def told(self, values: Float[Tensor, " n"]) -> dict[str, int]:
        """How many numbers lie beyond the range that the norm leaves apart."""
        return {f"outside [-{RANGE:g}, {RANGE:g}]": int((values.abs() > RANGE).sum())}


@dataclass(frozen=True)
class FourierDigits(_OneToken):
    """FoNE: cos and sin of 2 pi |x|/10^i for every digit i, and a head that says each digit (Zhou et al. 2025).

    The logits of a digit j are the products of the head's pair with (cos, sin)(2 pi j/10). The paper has no negative
    numbers in its figures; here the sign is a feature and an output of its own.

    Arguments:
        whole: digits before the point.
        decimals: digits behind it.
    """

    whole: int = 1
    decimals: int = 4
    multiplies: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        check_at_least("whole", self.whole, 1)
        check_at_least("decimals", self.decimals, 0)
        if self.digits > 15:
            raise SimonidesError(f"{self.digits} digits; 64 bits hold 15.")

    @property
    def name(self) -> str:  # type: ignore[override]
        """What it is called."""
        return "fone"

    @property
    def digits(self) -> int:
        """How many there are."""
        return self.whole + self.decimals

    @property
    def features(self) -> int:
        """A pair for each digit, and the sign."""
        return 2 * self.digits + 1

    @property
    def outputs(self) -> int:
        """As many."""
        return self.features

    def to_features(self, values: Float[Tensor, "*n"]) -> Float[Tensor, "*n features"]:
        """Pairs for the periods 10^(1 - decimals) .. 10^whole, and the sign."""
        units = self._units(values)
        periods = 10.0 ** torch.arange(1, self.digits + 1, device=values.device, dtype=torch.float64)
        angles = 2 * math.pi * (units[..., None] / periods).frac()
        pairs = torch.stack([angles.cos(), angles.sin()], -1).flatten(-2)
        sign = torch.where(values < 0, -1.0, 1.0)[..., None]
        return torch.cat([pairs, sign.to(pairs)], -1).to(values.dtype)

    def loss(self, outputs: Float[Tensor, "*n outputs"], values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The mean cross-entropy of the digits, and that of the sign."""
        digits = self._digits(values)
        scores = self._scores(outputs).log_softmax(-1)
        picked = scores.gather(-1, digits[..., None])[..., 0]
        sign = nn.functional.softplus(torch.where(values < 0, 1.0, -1.0) * outputs[..., -1])
        return -picked.mean(-1) + sign

    def decode(self, outputs: Float[Tensor, "*n outputs"]) -> Float[Tensor, "*n"]:
        """The number of the most likely digits."""
        digits = self._scores(outputs).argmax(-1).double()
        powers = 10.0 ** torch.arange(self.digits, device=outputs.device, dtype=torch.float64)
        size = (digits * powers).sum(-1) / 10.0**self.decimals
        return torch.where(outputs[..., -1] < 0, -size, size)

    def _units(self, values: Tensor) -> Tensor:
        """|x| in units of the last digit, as whole numbers that the digits can say."""
        return (values.double().abs() * 10.0**self.decimals).round().clamp_max(10.0**self.digits - 1)

    def _digits(self, values: Tensor) -> Tensor:
        powers = 10.0 ** torch.arange(self.digits, device=values.device, dtype=torch.float64)
        return (self._units(values)[..., None] / powers).floor().remainder(10).long()

    def _scores(self, outputs: Tensor) -> Tensor:
        pairs = outputs[..., :-1].unflatten(-1, (self.digits, 2))
        angles = 2 * math.pi * torch.arange(10, device=outputs.device) / 10
        return pairs @ torch.stack([angles.cos(), angles.sin()]).to(outputs)

    def told(self, values: Float[Tensor, " n"]) -> dict[str, int]:
        """How many numbers have more digits before the point, and how many fall to zero."""
        size = values.double().abs()
        return {
            f"of more than {self.whole} digits before the point": int((size >= 10.0**self.whole).sum()),
            f"below half of 1e-{self.decimals}": int(((size < 0.5 * 10.0**-self.decimals) & (size > 0)).sum()),
        }


@dataclass(frozen=True)
class BitFeatures(_OneToken):
    """BitTokens: the 64 bits of a number as +1 and -1, and a head that says each bit (Kreitner et al. 2025).

    >>> bits = BitFeatures()
    >>> bits.decode(bits.to_features(torch.tensor([-0.1, 3.0], dtype=torch.float64)))
    tensor([-0.1000,  3.0000], dtype=torch.float64)
    """

    features: int = field(default=64, init=False)
    outputs: int = field(default=64, init=False)
    multiplies: bool = field(default=False, init=False)

    @property
    def name(self) -> str:  # type: ignore[override]
        """What it is called."""
        return "bits"

    def to_features(self, values: Float[Tensor, "*n"]) -> Float[Tensor, "*n 64"]:
        """The bits of IEEE 754, sign first, as -1 and +1."""
        return (2 * self._bits(values) - 1).to(values.dtype)

    def loss(self, outputs: Float[Tensor, "*n 64"], values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The mean cross-entropy of the bits."""
        signs = (1 - 2 * self._bits(values)).to(outputs)
        return nn.functional.softplus(signs * outputs).mean(-1)

    def decode(self, outputs: Float[Tensor, "*n 64"]) -> Float[Tensor, "*n"]:
        """The finite number of the likelier bits."""
        shifts = torch.arange(63, -1, -1, device=outputs.device)
        bits = outputs > 0
        exponent = outputs[..., 1:12]
        # all ones are an infinite number or none: the least sure of them is 0
        least = nn.functional.one_hot(exponent.argmin(-1), 11).bool()
        ones = bits[..., 1:12].all(-1, keepdim=True)
        bits = torch.cat([bits[..., :1], bits[..., 1:12] & ~(ones & least), bits[..., 12:]], -1)
        return (bits.long() << shifts).sum(-1).view(torch.float64)

    def _bits(self, values: Tensor) -> Tensor:
        shifts = torch.arange(63, -1, -1, device=values.device)
        return (values.double().contiguous().view(torch.int64)[..., None] >> shifts) & 1

    def told(self, values: Float[Tensor, " n"]) -> dict[str, int]:
        """None is changed."""
        return {}

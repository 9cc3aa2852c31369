"""A number as sign, three digits and a power of ten, and the four ways of writing that as tokens (Charton 2022).

x = +-m 10^E with m in 100 .. 999 and E in -8 .. 7: the 16 exponents that the vocabularies of Golkar et al. (2023,
table 1) count. Zero has no such code and gets a token of its own, outside that count.
"""

from dataclasses import dataclass, field
from functools import cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from simonides.base import SimonidesError, check_finite, check_name

# the parts of a number that share a token, in the order of the tokens
SCHEMES: dict[str, tuple[str, ...]] = {
    "p10": ("sign", "hundreds", "tens", "ones", "exponent"),
    "p1000": ("sign", "mantissa", "exponent"),
    "b1999": ("sign mantissa", "exponent"),
    "fp15": ("sign mantissa exponent",),
}
EXPONENTS = tuple(range(-8, 8))
_SMALLEST, _LARGEST = 100 * 10.0 ** EXPONENTS[0], 999 * 10.0 ** EXPONENTS[-1]
_MANTISSAS = tuple(range(100, 1000))


@dataclass(frozen=True)
class Decimal:
    """Numbers of three digits: x = (1 - 2 negative) m 10^(exponent - 8), or zero.

    Arguments:
        negative: whether x is below zero.
        mantissa: m; 0 where x is zero.
        exponent: 0 .. 15.
    """

    negative: Bool[Tensor, " n"]
    mantissa: Int[Tensor, " n"]
    exponent: Int[Tensor, " n"]

    @classmethod
    def of(cls, values: Float[Tensor, " n"]) -> "Decimal":
        """The nearest such numbers: what is below half of 1e-6 is zero, what is above 999e7 is 999e7."""
        size = values.double().abs()
        safe = size.clamp(_SMALLEST, _LARGEST)
        exponent = (safe.log10().floor() - 2).clamp(EXPONENTS[0], EXPONENTS[-1])
        # powers of ten are exact up to 1e22, their inverses are not
        mantissa = torch.where(exponent < 0, safe * 10.0**-exponent, safe / 10.0**exponent).round()
        carried = mantissa >= 1000
        exponent = exponent + carried
        mantissa = torch.where(carried, mantissa / 10, mantissa).round().clamp(100, 999)
        zero = size < _SMALLEST / 2
        return cls(
            (values < 0) & ~zero,
            mantissa.long().masked_fill(zero, 0),
            (exponent.long() - EXPONENTS[0]).masked_fill(zero, 0),
        )

    @property
    def values(self) -> Float[Tensor, " n"]:
        """What they say, in 64 bits."""
        exponent = (self.exponent + EXPONENTS[0]).double()
        mantissa = self.mantissa.double()
        size = torch.where(exponent < 0, mantissa / 10.0**-exponent, mantissa * 10.0**exponent)
        return torch.where(self.negative, -size, size)


@dataclass(frozen=True)
class TextEncoding:
    """Numbers as tokens of text: "p10", "p1000", "b1999" or "fp15".

    Arguments:
        name: of the scheme.
        number_token_loss: weight of the number token loss beside the cross-entropy (Zausinger et al. 2025).

    >>> encoding = TextEncoding("p1000")
    >>> [encoding.tokens[token] for token in encoding.to_tokens(torch.tensor([-60.2]))[0]]
    ['-', '602', 'E-1']
    >>> TextEncoding("fp15").from_tokens(TextEncoding("fp15").to_tokens(torch.tensor([-60.2, 0.0])))
    tensor([-60.2000,   0.0000], dtype=torch.float64)
    """

    name: str
    number_token_loss: float = 0.0
    features: int = field(default=0, init=False)
    multiplies: bool = field(default=False, init=False)
    outputs: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        check_name("text encoding", self.name, SCHEMES)
        if not 0 <= self.number_token_loss < float("inf"):
            raise SimonidesError(
                f"number_token_loss = {self.number_token_loss}; give a finite weight, 0 for none."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """What each token of a number says."""
        return SCHEMES[self.name]

    @property
    def length(self) -> int:
        """Tokens a number."""
        return len(self.parts)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that numbers are made of; the last is the whole or a part of zero."""
        return _vocabulary(self.name)

    def _offsets(self) -> tuple[int, ...]:
        """Where the tokens of each place begin; the three digits of P10 share theirs."""
        offsets: list[int] = []
        start = 0
        for place, part in enumerate(self.parts):
            if part in ("tens", "ones"):
                offsets.append(offsets[place - 1])
                continue
            offsets.append(start)
            start += len(_names(part))
        return tuple(offsets)

    def to_tokens(self, values: Float[Tensor, " n"]) -> Int[Tensor, "n length"]:
        """The tokens of the nearest numbers of three digits.

        Raises:
            SimonidesError: when a number is not finite.
        """
        check_finite(numbers=values)
        code = Decimal.of(values)
        zero = code.mantissa == 0
        sign, mantissa = code.negative.long(), (code.mantissa - 100).clamp_min(0)
        one = {
            "sign": sign,
            "hundreds": code.mantissa // 100,
            "tens": code.mantissa // 10 % 10,
            "ones": code.mantissa % 10,
            "mantissa": mantissa,
            "exponent": code.exponent,
            "sign mantissa": sign * 900 + mantissa,
            "sign mantissa exponent": (sign * 900 + mantissa) * 16 + code.exponent,
        }
        tokens = torch.stack([one[part] + o for part, o in zip(self.parts, self._offsets(), strict=True)], -1)
        return tokens.masked_fill(zero[:, None], len(self.tokens) - 1)

    def from_tokens(self, tokens: Int[Tensor, "n length"]) -> Float[Tensor, " n"]:
        """What tokens say; NaN where they are no well-formed number."""
        last = len(self.tokens) - 1
        zero = (tokens == last).all(-1)
        known = (tokens >= 0) & (tokens < last)  # a model may say any other word
        tokens = torch.where(known, tokens, last)
        formed = self.at_place(tokens.device).expand(len(tokens), -1, -1).gather(2, tokens[..., None])[..., 0]
        well = (formed & known).all(-1)
        at = dict(
            zip(self.parts, (tokens - torch.tensor(self._offsets(), device=tokens.device)).unbind(-1), strict=True)
        )
        if "sign mantissa exponent" in at:
            whole = at["sign mantissa exponent"]
            at |= {"sign mantissa": whole // 16, "exponent": whole % 16}
        if "sign mantissa" in at:
            at |= {"sign": at["sign mantissa"] // 900, "mantissa": at["sign mantissa"] % 900}
        if "hundreds" in at:
            at["mantissa"] = at["hundreds"] * 100 + at["tens"] * 10 + at["ones"] - 100
        values = Decimal(at["sign"] == 1, at["mantissa"] + 100, at["exponent"]).values
        return torch.where(well, values, torch.where(zero, 0.0, torch.nan))

    def at_place(self, device: torch.device | None = None) -> Bool[Tensor, "length vocabulary"]:
        """Which tokens may stand at each place of a number: no first digit is 0."""
        allowed = torch.zeros(self.length, len(self.tokens), dtype=torch.bool, device=device)
        for place, (part, offset) in enumerate(zip(self.parts, self._offsets(), strict=True)):
            first = offset + (part == "hundreds")
            allowed[place, first : offset + len(_names(part))] = True
        allowed[:, -1] = True
        return allowed

    def next_tokens(self, previous: Int[Tensor, "n j"]) -> Bool[Tensor, "n vocabulary"]:
        """Which tokens may follow j tokens of a number: with them every number is well-formed."""
        place = self.at_place(previous.device)[previous.shape[1]].expand(len(previous), -1).clone()
        if previous.shape[1]:
            zero = previous[:, -1] == len(self.tokens) - 1
            place[:, -1] = zero
            place[zero, :-1] = False
        return place

    def best_tokens(self, logits: Float[Tensor, "n length vocabulary"]) -> Int[Tensor, "n length"]:
        """The most likely well-formed number where the tokens of a number are told apart from each other."""
        allowed = self.at_place(logits.device)
        scores = logits.log_softmax(-1)
        best, tokens = scores[..., :-1].masked_fill(~allowed[:, :-1], -torch.inf).max(-1)
        zero = scores[..., -1].sum(-1) > best.sum(-1)
        return tokens.masked_fill(zero[:, None], len(self.tokens) - 1)

    def to_features(self, values: Float[Tensor, "*n"]) -> Float[Tensor, "*n 0"]:
        """None: all is in the tokens."""
        return torch.zeros(*values.shape, 0, device=values.device)

    def loss(self, outputs: Float[Tensor, "*n 0"], values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Zero: all is in the cross-entropy of tokens."""
        return torch.zeros_like(values)

    def token_loss(
        self, logits: Float[Tensor, "*n vocabulary"], tokens: Int[Tensor, "*n"], counted: Bool[Tensor, "*n"]
    ) -> Float[Tensor, ""]:
        """The number token loss NTL-WAS times its weight: sum_v p(v) |v - y|, a mean over tokens that are numbers.

        v are the digits of P10 or the mantissas of P1000, p their probabilities among themselves. As in the package
        `ntloss` of Zausinger et al. (2025) without its reweighing.
        """
        total, count = logits.new_zeros(()), torch.zeros((), dtype=torch.long, device=logits.device)
        for part in ("hundreds", "mantissa"):
            if not self.number_token_loss or part not in self.parts:
                continue
            start = self._offsets()[self.parts.index(part)]
            size = len(_names(part))
            p = logits[..., start : start + size].softmax(-1)
            y = (tokens - start).clamp(0, size - 1)
            distance = (torch.arange(size, device=logits.device) - y[..., None]).abs()
            inside = (tokens >= start) & (tokens < start + size) & counted
            total = total + torch.where(inside, (p * distance).sum(-1), 0.0).sum()
            count = count + inside.sum()
        return self.number_token_loss * total / count.clamp_min(1)

    def decode(self, outputs: Float[Tensor, "*n 0"]) -> Float[Tensor, "*n"]:
        """Refused: a number is read from its tokens."""
        raise SimonidesError(f"{self.name} says numbers in tokens; ask from_tokens.")

    def told(self, values: Float[Tensor, " n"]) -> dict[str, int]:
        """How many numbers are changed by more than rounding to three digits: too large, or smaller than 1e-6."""
        size = values.abs()
        return {
            f"above {_LARGEST:g}": int((size > 999.5 * 10.0 ** EXPONENTS[-1]).sum()),
            f"below {_SMALLEST:g}": int(((size < _SMALLEST) & (size > 0)).sum()),
        }


@cache
def _vocabulary(name: str) -> tuple[str, ...]:
    return (*dict.fromkeys(token for part in SCHEMES[name] for token in _names(part)), "zero")


@cache
def _names(part: str) -> list[str]:
    """The tokens that say a part."""
    if part == "sign":
        return ["+", "-"]
    if part in ("hundreds", "tens", "ones"):
        return [str(digit) for digit in range(10)]
    if part == "exponent":
        return [f"E{exponent}" for exponent in EXPONENTS]
    if part == "mantissa":
        return [str(m) for m in _MANTISSAS]
    signed = [f"{sign}{m}" for sign in "+-" for m in _MANTISSAS]
    return signed if part == "sign mantissa" else [f"{one}E{exponent}" for one in signed for exponent in EXPONENTS]

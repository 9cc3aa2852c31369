"""Arithmetic as sequences: products of whole numbers, and bracketed trees of sums, differences and products.

Golkar et al. (2023), tables 2 and 3. The numbers are scaled into [-5, 5].
"""

import torch
from torch import Generator, Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.papers.numbers.sequences import NUMBER, SPECIAL, NumberSequences

_WORDS = ("(", ")", "+", "-", "*", "=")
ARITHMETIC = (*SPECIAL, *_WORDS)
_OPERATIONS = tuple(ARITHMETIC.index(sign) for sign in "+-*")
# what the paper does not state: operands have two decimals in [-2, 2]
_LARGEST, _DECIMALS = 2.0, 2
_RANGE = 5.0


def multiplications(count: int, digits: int, generator: Generator) -> NumberSequences:
    """a * b = c for whole numbers of `digits` digits.

    Operands are divided by 10^digits and the product by 10^(2 digits), and all are multiplied by 5.

    Arguments:
        count: sequences.
        digits: of each operand, 1 to 7.
        generator: draws them.

    Raises:
        SimonidesError: when the digits are too many to be exact.
    """
    check_at_least("count", count, 1)
    if not 1 <= digits <= 7:
        raise SimonidesError(f"digits = {digits}; give 1 to 7, whose products are exact in 64 bits.")
    low, high = 10 ** (digits - 1), 10**digits
    operands = torch.randint(low, high, (count, 2), generator=generator).double()
    product = operands.prod(1, keepdim=True)
    scaled = torch.cat([operands / high, product / high**2], 1) * _RANGE
    pattern = [NUMBER, ARITHMETIC.index("*"), NUMBER, ARITHMETIC.index("="), NUMBER]
    symbols = torch.tensor(pattern).repeat(count, 1)
    values = torch.zeros(count, len(pattern), dtype=torch.float64)
    values[:, [0, 2, 4]] = scaled
    return NumberSequences(symbols=symbols, values=values, vocabulary=ARITHMETIC)


def trees(count: int, operands: int, generator: Generator, scale: float | None = None) -> NumberSequences:
    """Fully bracketed random binary trees of +, - and *, with their value.

    A tree splits its operands at a place that is drawn evenly. All numbers are divided by one scale, that 99.9 % of the
    values are in [-5, 5]; the others are left out, and drawn anew.

    Arguments:
        count: sequences.
        operands: leaves of each tree, uniform in [-2, 2] with two decimals (the paper states no law).
        generator: draws them.
        scale: of the numbers; by default `tree_scale(operands)`.
    """
    check_at_least("count", count, 1)
    check_at_least("operands", operands, 2)
    scale = tree_scale(operands) if scale is None else scale
    kept: list[tuple[Tensor, Tensor]] = []
    missing = count
    while missing > 0:
        symbols, values = _drawn_trees(missing + 16, operands, generator)
        good = values[:, -1].abs() <= _RANGE * scale
        kept.append((symbols[good][:missing], values[good][:missing] / scale))
        missing -= len(kept[-1][0])
    symbols, values = (torch.cat(parts) for parts in zip(*kept, strict=True))
    return NumberSequences(symbols=symbols, values=values, vocabulary=ARITHMETIC)


def tree_scale(operands: int) -> float:
    """What values of trees are divided by: 1, or more where 0.1 % of them lay outside [-5, 5]."""
    _, values = _drawn_trees(100_000, operands, torch.Generator().manual_seed(0))
    return max(1.0, float(values[:, -1].abs().quantile(0.999)) / _RANGE)


def _drawn_trees(count: int, operands: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Symbols and unscaled values of ( ... ) = value."""
    most = round(_LARGEST * 10**_DECIMALS)
    units = torch.randint(-most, most + 1, (count, operands), generator=generator)
    leaves = units.double() / 10**_DECIMALS
    symbols, values, results = _subtrees(leaves, generator)
    equals = torch.full((count, 1), ARITHMETIC.index("="))
    number = torch.full((count, 1), NUMBER)
    return (
        torch.cat([symbols, equals, number], 1),
        torch.cat([values, torch.zeros(count, 1, dtype=torch.float64), results[:, None]], 1),
    )


def _subtrees(leaves: Tensor, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Symbols, values and results of trees over the given leaves: 4 k - 3 symbols for k leaves, however they split."""
    count, k = leaves.shape
    if k == 1:
        return torch.full((count, 1), NUMBER), leaves.clone(), leaves[:, 0]
    symbols = torch.zeros(count, 4 * k - 3, dtype=torch.long)
    values = torch.zeros(count, 4 * k - 3, dtype=torch.float64)
    results = torch.zeros(count, dtype=torch.float64)
    splits = torch.randint(1, k, (count,), generator=generator)
    signs = torch.tensor(_OPERATIONS)[torch.randint(3, (count,), generator=generator)]
    opening, closing = ARITHMETIC.index("("), ARITHMETIC.index(")")
    for split in range(1, k):
        rows = (splits == split).nonzero()[:, 0]
        if not len(rows):
            continue
        left, right = (_subtrees(leaves[rows, part], generator) for part in (slice(split), slice(split, k)))
        column = torch.full((len(rows), 1), opening)
        symbols[rows] = torch.cat(
            [column, left[0], signs[rows][:, None], right[0], torch.full_like(column, closing)], 1
        )
        gap = torch.zeros(len(rows), 1, dtype=torch.float64)
        values[rows] = torch.cat([gap, left[1], gap, right[1], gap], 1)
        a, b, sign = left[2], right[2], signs[rows]
        results[rows] = torch.where(
            sign == _OPERATIONS[0], a + b, torch.where(sign == _OPERATIONS[1], a - b, a * b)
        )
    return symbols, values, results


def last_number(sequences: NumberSequences) -> Tensor:
    """What is asked for in arithmetic: the right-hand side."""
    asked = torch.zeros_like(sequences.is_number)
    asked[:, -1] = True
    return asked

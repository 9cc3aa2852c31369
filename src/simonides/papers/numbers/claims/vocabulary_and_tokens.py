"""How many tokens an encoding needs, and how many a number: exact.

Golkar et al. (2023, table 1): P10 28 and 5, P1000 918 and 3, B1999 1816 and 2, FP15 28800 and 1, xVal 1 and 1. The text
names exponents -8 .. 8; the four counts need 16 of them.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Equal, Grid, Reported, Runs, Threshold, cells
from simonides.lab.figures import Curves
from simonides.papers.numbers.arithmetic import trees
from simonides.papers.numbers.claims._training import tokens_of
from simonides.papers.numbers.encodings import make_encoding

TABLE = {"p10": (28, 5), "p1000": (918, 3), "b1999": (1816, 2), "fp15": (28_800, 1), "xval": (1, 1)}


def measure(runs: Runs, *, encoding: str, operands: int) -> dict[str, Tensor]:
    """Counts, and what is left of numbers that have three digits."""
    own = make_encoding(encoding)
    sequences = trees(4, operands, torch.Generator().manual_seed(0))
    numbers = sequences.values[sequences.is_number]
    digits = torch.arange(-999, 1000, dtype=torch.float64) / 100
    there = own.from_tokens(own.to_tokens(digits)) if not own.outputs else own.decode(own.to_features(digits))
    # zero has a token of its own, which the paper does not count
    vocabulary = float(len(own.tokens) - (not own.outputs))
    tokens = float(tokens_of(sequences, own))
    count = len(numbers) / len(sequences)
    row = {
        "vocabulary": vocabulary,
        "a_number": float(own.length),
        "tokens": tokens,
        "expected_tokens": tokens_of(sequences, make_encoding("xval")) + count * (own.length - 1),
        "rounding": float((there - digits).abs().max()),
    }
    return {name: torch.full((len(runs),), value, dtype=torch.float64) for name, value in row.items()}


def grid(operands: list[int]) -> Grid:
    """All encodings of the table."""
    return cells({"encoding": name, "operands": k} for name in TABLE for k in operands).with_seeds(1)


claim = Claim(
    question="How many tokens does each way of writing numbers need?",
    statement=r"x = \pm ddd \times 10^{E}, \quad |V| = 2 + 10 + 16,\; 2 + 900 + 16,\; 2 \cdot 900 + 16,\; "
    r"2 \cdot 900 \cdot 16,\; 1",
    source="Golkar et al. (2023), table 1",
    references=["golkar2023xval"],
    scales={"smoke": grid([2]), "desk": grid([2, 4]), "paper": grid([2, 3, 4])},
    measure=measure,
    deterministic=True,
    rules=[
        *(
            Threshold(
                column=column,
                at_least=value - 0.01,
                at_most=value + 0.01,
                where={"encoding": name},
                paper=Reported(value=value, where="table 1"),
                says=f"{label} of {name}",
            )
            for name, counts in TABLE.items()
            for column, value, label in zip(
                ("vocabulary", "a_number"), counts, ("tokens", "tokens a number"), strict=True
            )
        ),
        Equal(column="tokens", other="expected_tokens", tolerance=0.5, says="tokens of a tree"),
        Threshold(column="rounding", at_most=1e-9, says="change of numbers of three digits"),
    ],
    figures=[
        Curves(
            ys={"vocabulary": "vocabulary", "tokens a number": "a_number"},
            x="encoding",
            title="Tokens that numbers need",
            x_label="encoding",
            y_label="tokens",
            log="y",
            where={"operands": 2},
        )
    ],
)

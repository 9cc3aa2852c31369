"""Along a swept input the answer of xVal moves continuously, and that of a text scheme in jumps.

Golkar et al. (2023): the number head is a continuous function of the numbers that are read; logits of P1000 jump
between neighbouring tokens.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Ordered, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.papers.numbers.arithmetic import ARITHMETIC, last_number, trees
from simonides.papers.numbers.claims._training import columns, trained
from simonides.papers.numbers.sequences import NUMBER, NumberSequences

_POINTS = 401


def swept() -> NumberSequences:
    """(a * 1.5) for a in [-2, 2] in steps of 0.01, all of them operands of the training."""
    pattern = [ARITHMETIC.index("("), NUMBER, ARITHMETIC.index("*"), NUMBER, ARITHMETIC.index(")")]
    pattern += [ARITHMETIC.index("="), NUMBER]
    values = torch.zeros(_POINTS, len(pattern), dtype=torch.float64)
    values[:, 1] = torch.linspace(-2, 2, _POINTS, dtype=torch.float64)
    values[:, 3] = 1.5
    values[:, 6] = values[:, 1] * values[:, 3]
    return NumberSequences(symbols=torch.tensor(pattern).repeat(_POINTS, 1), values=values, vocabulary=ARITHMETIC)


def measure(runs: Runs, *, encoding: str, steps: int, d: int, samples: int) -> dict[str, Tensor]:
    """The largest step of the answer between neighbours, over that of the truth; and how often it turns back."""
    train = trees(samples, 2, torch.Generator().manual_seed(0))
    found = trained(runs, train, encoding, steps=steps, d=d, asked=last_number(train))
    test = swept()
    truth = test.values[:, 6]
    rows = []
    for run in range(len(runs)):
        answers = found.answers(run, test, last_number(test)).values[:, 0]
        moves = answers.diff()
        rows.append(
            {
                "largest_step": float(moves.abs().max() / truth.diff().abs().max()),
                "turns": float((moves < 0).double().mean()),
                "wrong": float((answers - truth).abs().mean()),
            }
        )
    return columns(rows)


def grid(encodings: list[str], steps: int, d: int, samples: int, seeds: int) -> Grid:
    """Encodings."""
    return product(encoding=encodings, steps=[steps], d=[d], samples=[samples]).with_seeds(seeds)


claim = Claim(
    question="Does an answer move continuously with the number that is read?",
    statement=r"x \mapsto \hat{y}(x) \text{ is continuous for } h = x \, E_{[\mathrm{NUM}]}",
    source="Golkar et al. (2023), section 2 and the discussion of continuity",
    references=["golkar2023xval"],
    scales={
        "smoke": grid(["xval", "p1000"], 30, 16, 500, 5),
        "desk": grid(["xval", "p1000"], 800, 32, 50_000, 5),
        "paper": grid(["xval", "p10", "p1000", "b1999"], 50_000, 768, 1_000_000, 5),
    },
    measure=measure,
    rules=[
        Threshold(
            column="largest_step",
            at_most=3.0,
            where={"encoding": "xval"},
            says="largest step of xVal's answer between neighbours, in steps of the truth",
        ),
        Ordered(
            column="largest_step",
            by="encoding",
            order=("xval", "p1000"),
            least=10.0,
            says="largest step of P1000's answer less that of xVal's, in steps of the truth",
        ),
    ],
    sanity=[Threshold(column="turns", at_most=1.0)],
    figures=[
        Overlay(
            y=column,
            x="encoding",
            title=title,
            x_label="encoding",
            y_label=label,
            log="y",
            smooth=False,
        )
        for column, title, label in (
            ("largest_step", "Largest step of the answer along a swept input", "in steps of the truth"),
            ("wrong", "Mean error along a swept input", "absolute error"),
        )
    ],
    finding="xVal's largest step along 401 inputs is 1.07 steps of the truth; P1000's is 84.",
    differs="Bracketed products of two numbers, d = 32, 800 steps.",
)

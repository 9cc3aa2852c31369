"""On a linear bigram model descent needs steps almost in proportion to the vocabulary, sign descent to its square root.

Kunstner & Bach (2025), pi_k proportional to 1/k; here also with the counts of real English words. Both methods are
followed exactly: descent class by class, sign descent entry by entry at its best constant rate.
"""

from functools import cache

import torch
from torch import Tensor

from simonides.base import zipf
from simonides.data import language_words
from simonides.lab import Claim, Exponent, Grid, Reported, Runs, Within, cells
from simonides.lab.figures import Overlay
from simonides.papers.imbalance.bigrams import descent_steps, sign_steps, zipf_descent_steps


@cache
def frequencies(law: str, words: int) -> Tensor:
    """Of so many most frequent words."""
    return zipf(words, 1.0) if law == "zipf" else language_words("en", words)[1]


def measure(runs: Runs, *, law: str, words: int, error: float) -> dict[str, Tensor]:
    """Steps until the loss is this share of the first."""
    p = frequencies(law, words)
    seen = {"descent": descent_steps(p, error), "sign": sign_steps(p, error)}
    return {name: torch.full((len(runs),), float(steps)) for name, steps in seen.items()}


def predicted(law: str, words: int, error: float) -> float:
    """Of descent under Zipf's law."""
    return zipf_descent_steps(words, error) if law == "zipf" else float("nan")


def grid(sizes: list[int]) -> Grid:
    """Both laws, to a twentieth and a tenth of the first loss."""
    return cells(
        {"law": law, "words": words, "error": error}
        for law in ("zipf", "english")
        for error in (0.05, 0.1)
        for words in sizes
    )


claim = Claim(
    question="How many steps does a larger vocabulary cost gradient descent and sign descent?",
    statement=r"t_\text{GD} \approx d^{1 - \epsilon}, \quad t_\text{sign} \approx \sqrt d",
    source="Kunstner & Bach (2025), linear bigram model under Zipf's law, alpha = 1",
    references=["kunstner2025bigram", "kunstner2024heavy"],
    scales={
        "smoke": grid([100, 300]),
        "desk": grid([1000, 2000, 4000, 8000, 16_000, 32_000]),
        "paper": grid([1000, 4000, 16_000, 64_000]),
    },
    measure=measure,
    predictions={"descent": predicted},
    rules=[
        Exponent(
            of="descent",
            against="words",
            low=0.85,
            high=1.05,
            given=("error",),
            where={"law": "zipf"},
            says="exponent in the vocabulary of descent's steps, Zipf's law",
            paper=Reported(value=1.0, where="abstract: almost linearly"),
        ),
        Exponent(
            of="sign",
            against="words",
            low=0.45,
            high=0.6,
            given=("error",),
            where={"law": "zipf"},
            says="exponent of sign descent's steps, Zipf's law",
            paper=Reported(value=0.5, where="abstract: only with the square-root"),
        ),
        Exponent(
            of="descent",
            against="words",
            low=0.85,
            high=1.05,
            given=("error",),
            where={"law": "english"},
            says="exponent of descent's steps, English words",
        ),
        Exponent(
            of="sign",
            against="words",
            low=0.45,
            high=0.6,
            given=("error",),
            where={"law": "english"},
            says="exponent of sign descent's steps, English words",
        ),
        Within(column="descent", ratio=0.05, where={"law": "zipf"}),
    ],
    sanity=[Within(column="descent", ratio=0.15, where={"law": "zipf"})],
    figures=[
        Overlay(
            y=column,
            x="words",
            by="law",
            where={"error": 0.1},
            title=f"Steps of {label} to a tenth of the first loss",
            x_label="words d",
            y_label="steps",
            log="xy",
        )
        for column, label in (("descent", "gradient descent"), ("sign", "sign descent"))
    ],
    finding="On English words descent's local slopes fall from 0.89 at 1,000 to 2,000 words to 0.50 at 16,000 to "
    "32,000 (a tenth of the first loss): beyond some 8,000 words frequencies fall faster than 1/k, and "
    "what remains of the loss lies in words that descent need not learn. Up to there both laws agree. "
    "Sign descent keeps to the square root throughout.",
    deterministic=True,
    untested="other exponents alpha of the power law",
)

"""The same laws on real word counts in place of Zipf's: English, German, Chinese.

The finite-size theory takes any p(x); the schemes are those of Cabannes, Dohmatob & Bietti (2024). Counts are
those of wordfreq (Speer 2022), the 5,000 most used words of each language.
"""

from functools import cache

import numpy as np
from torch import Tensor

from simonides.data import language_words
from simonides.lab import Claim, Grid, Ordered, Runs, Within, product
from simonides.lab.figures import Overlay
from simonides.memories import storage_weights
from simonides.memories.laws.scaling import weighted_error
from simonides.papers.scaling.claims._setting import ANSWERS, errors

WORDS = 5000


def measure(runs: Runs, *, language: str, scheme: str, d: int) -> dict[str, Tensor]:
    """Population error over words, a mean over 2 draws of embeddings in each run."""
    _, p = language_words(language, WORDS)
    rho, keep = weighting(scheme, d)
    return {"error": errors(runs, d, p, storage_weights(p, rho, keep)[None], draws=2)[:, 0]}


def weighting(scheme: str, d: int) -> tuple[float, int | None]:
    """The power of p, and how many words are kept."""
    return {"frequency": (1.0, None), "square root": (0.5, None), "threshold d/8": (0.0, max(1, d // 8))}[scheme]


@cache
def expected(language: str, scheme: str, d: int) -> float:
    """The finite-size theory for these probabilities."""
    _, p = language_words(language, WORDS)
    weights = storage_weights(p, *weighting(scheme, d))
    return weighted_error(p.numpy(), weights.numpy(), np.arange(WORDS) % ANSWERS, d)


def grid(languages: list[str], widths: list[int], seeds: int) -> Grid:
    """All schemes."""
    schemes = ["frequency", "square root", "threshold d/8"]
    return product(language=languages, scheme=schemes, d=widths).with_seeds(seeds)


claim = Claim(
    question="Does the theory hold for the frequencies of real words?",
    statement=r"\mathcal{E}(q) = \sum_x p(x) \, P(f_q(x) \neq f(x)), \quad p(x) \text{ from word counts}",
    source="Own test of the theory of Cabannes, Dohmatob & Bietti (2024) on counts of wordfreq",
    references=["cabannes2024scaling", "speer2022wordfreq"],
    scales={
        "smoke": grid(["en"], [64, 512], seeds=5),
        "desk": grid(["en", "de", "zh"], [32, 100, 316, 1000], seeds=16),
        "paper": grid(["en", "de", "zh", "fr", "es", "ja"], [32, 100, 316, 1000, 3162], seeds=16),
    },
    measure=measure,
    predictions={"error": expected},
    rules=[
        Within(column="error", ratio=0.1),
        Ordered(column="error", by="scheme", order=("square root", "frequency"), where={"language": "en"}),
    ],
    sanity=[
        Within(column="error", band=0.03),
        Ordered(column="error", by="scheme", order=("square root", "frequency"), where={"language": "en"}),
    ],
    figures=[
        Overlay(
            y="error",
            x="d",
            by="scheme",
            where={"language": "en"},
            log="xy",
            smooth=False,
            title="English words, by their real frequencies",
            x_label="width d",
            y_label="error over running words",
        ),
        Overlay(
            y="error",
            x="d",
            by="language",
            where={"scheme": "square root"},
            log="xy",
            smooth=False,
            title="Three languages, weights the square root of the frequency",
            x_label="width d",
            y_label="error over running words",
        ),
    ],
    stack=6,
)

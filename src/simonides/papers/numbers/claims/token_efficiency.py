"""A number in one token makes sequences shorter, and a training step cheaper.

Golkar et al. (2023): contexts of the planets data 2707, 1736, 1251, 767 and 767 tokens for P10, P1000, B1999, FP15 and
xVal, and 2d22h, 2d2h, 20h, 19h and 9h for equal samples of the temperature data (table 4).
"""

import time

import torch
from torch import Generator, Tensor
from torch.utils.flop_counter import FlopCounterMode

from simonides.lab import Claim, Grid, Ordered, Reported, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.papers.numbers.encodings import make_encoding
from simonides.papers.numbers.masking import ask, number_loss
from simonides.papers.numbers.model import NumberModel, model_config
from simonides.papers.numbers.planets import draw_systems, planet_sequences
from simonides.papers.numbers.sequences import encode
from simonides.papers.numbers.training import random_symbols
from simonides.training import moved

# the paper's printed contexts, which are the longest samples: four planets of 59 times
CONTEXTS = {"p10": 2707, "p1000": 1736, "b1999": 1251, "fp15": 767, "xval": 767}


def measure(runs: Runs, *, encoding: str, planets: int, times: int, d: int, batch: int) -> dict[str, Tensor]:
    """Tokens of a sequence; operations and seconds of one gradient of its masked loss."""
    own = make_encoding(encoding)

    def one(generator: Generator) -> dict[str, float]:
        drawn = draw_systems(batch, planets, times, generator)
        sequences = planet_sequences(drawn, torch.arange(planets).repeat(batch, 1))
        encoded = encode(sequences, own)
        tokens, words = encoded.tokens.shape[1], len(sequences.vocabulary)
        model = NumberModel(model_config(own, words, tokens, d=d, layers=2, heads=d // 16), generator).to(
            runs.device
        )
        symbols, valid = random_symbols(encoded, 0.2, generator)
        asked = ask(encoded, own, symbols, valid)
        asked = moved(asked, runs.device)
        with FlopCounterMode(display=False) as counter:
            number_loss(model, asked, own, words).backward()
        begin = time.perf_counter()
        loss = number_loss(model, asked, own, words)
        loss.backward()
        float(next(model.parameters()).grad.sum())  # type: ignore[union-attr]  # waits for a device
        return {
            "tokens": float(tokens),
            "more_tokens": float(tokens - encode(sequences, make_encoding("xval")).tokens.shape[1]),
            "operations": float(counter.get_total_flops()) / batch,
            "seconds": (time.perf_counter() - begin) / batch,
        }

    return runs.each(one)


def grid(encodings: list[str], planets: int, times: int, d: int, batch: int, seeds: int) -> Grid:
    """Encodings."""
    return product(encoding=encodings, planets=[planets], times=[times], d=[d], batch=[batch]).with_seeds(seeds)


claim = Claim(
    question="How much shorter and cheaper are sequences with a token a number?",
    statement=r"T = W + k \, N, \quad k = 5, 3, 2, 1, 1",
    source="Golkar et al. (2023), table 4 and the contexts of the appendix",
    references=["golkar2023xval"],
    scales={
        "smoke": grid(["xval", "p1000", "p10"], 2, 3, 16, 2, 5),
        "desk": grid(["xval", "fp15", "b1999", "p1000", "p10"], 4, 59, 32, 2, 5),
        "paper": grid(["xval", "fp15", "b1999", "p1000", "p10"], 4, 59, 768, 16, 5),
    },
    measure=measure,
    rules=[
        *(
            Threshold(
                column="tokens",
                at_least=context * 0.97,
                at_most=context * 1.03,
                where={"encoding": name},
                paper=Reported(value=float(context), where="contexts of the planets data"),
                says=f"tokens of four planets of 59 times, {name}",
            )
            for name, context in CONTEXTS.items()
        ),
        *(
            Threshold(
                column="more_tokens",
                at_least=more - 1.5,
                at_most=more + 1.5,
                where={"encoding": name},
                paper=Reported(value=float(more), where="differences of contexts of the planets data"),
                says=f"tokens of four planets of 59 times, {name} less xVal",
            )
            for name, more in (("p10", 1940), ("p1000", 969), ("b1999", 484))
        ),
        *(
            Ordered(
                column="operations",
                by="encoding",
                order=order,
                says=f"operations of a sample's gradient, {' < '.join(order)}",
            )
            for order in (("xval", "b1999", "p1000", "p10"), ("xval", "fp15"))
        ),
    ],
    sanity=[Ordered(column="tokens", by="encoding", order=("xval", "p1000", "p10"))],
    figures=[
        Curves(
            ys={label: column},
            x="encoding",
            title=title,
            x_label="encoding",
            y_label=label,
            log="y",
        )
        for column, label, title in (
            ("tokens", "tokens", "Tokens of four planets"),
            ("seconds", "seconds a sample", "Time of a gradient"),
            ("operations", "operations a sample", "Operations of a gradient"),
        )
    ],
    finding="760, 1245, 1730 and 2700 tokens where the paper prints 767, 1251, 1736 and 2707: seven words fewer. "
    "A gradient costs 3.4e8 operations a sample by xVal, 9.7e8 by B1999, 1.7e9 by P1000, 3.9e9 by P10, "
    "and 1.2e9 by FP15, whose tokens are as few, for its 28,800 words.",
    untested="Wall time is recorded and not judged: it is the machine's.",
)

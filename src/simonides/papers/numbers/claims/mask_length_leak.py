"""A masked number whose tokens are as many as its digits tells its size before anything is predicted.

Golkar et al. (2023, appendix B.3): tokenizers of variable length leak the magnitude of a masked number. Here numbers
are uniform in the logarithm on [1, 10^m) and written in their digits; a model that sees masks alone learns the mean
of each length. With a fixed count of masks it learns nothing.
"""

import torch
from torch import Generator, Tensor, nn

from simonides.lab import Claim, Grid, Runs, Threshold, Within, product
from simonides.lab.figures import Overlay
from simonides.papers.numbers.encodings import make_encoding
from simonides.papers.numbers.model import NumberModel, model_config
from simonides.papers.numbers.sequences import MASK, PAD
from simonides.training import fit


def measure(runs: Runs, *, decades: int, masks: str, steps: int, d: int) -> dict[str, Tensor]:
    """R^2 of log10(x) from the masks alone, on fresh numbers."""
    encoding = make_encoding("xval")

    def one(generator: Generator) -> dict[str, float]:
        config = model_config(encoding, 3, decades, d=d, layers=1, heads=1)
        model = NumberModel(config, generator).to(runs.device)

        def draw(own: Generator, count: int = 256) -> tuple[Tensor, Tensor]:
            size = decades * torch.rand(count, generator=own)
            digits = size.floor().long() + 1 if masks == "digits" else torch.full((count,), decades)
            tokens = torch.where(torch.arange(decades) < digits[:, None], MASK, PAD)
            return tokens, size

        def said(own: nn.Module, tokens: Tensor) -> Tensor:
            ones = torch.ones(*tokens.shape, 1, device=tokens.device)
            at = torch.zeros(len(tokens), 1, dtype=torch.long, device=tokens.device)
            return own(tokens, ones, at, tokens != PAD)[1][:, 0, 0]

        fit(
            model,
            lambda own, batch: (said(own, batch[0]) - batch[1]).square().mean(),
            draw,
            lambda parameters: torch.optim.Adam(parameters, lr=3e-3),
            steps,
            generator,
        )
        tokens, size = draw(generator, 4000)
        with torch.no_grad():
            error = (said(model, tokens.to(runs.device)).cpu() - size).square().mean()
        return {"explained": 1 - float(error / size.var(correction=0))}

    return runs.each(one)


def expected(decades: int, masks: str) -> float:
    """1 - 1/m^2 of m decades: what is left within one is 1/12 of m^2/12."""
    return 1 - 1 / decades**2 if masks == "digits" else 0.0


def grid(decades: list[int], steps: int, d: int, seeds: int) -> Grid:
    """Ranges, with masks as many as digits and as many as the longest number has."""
    return product(decades=decades, masks=["digits", "fixed"], steps=[steps], d=[d]).with_seeds(seeds)


claim = Claim(
    question="Does the count of masks tell the size of a masked number?",
    statement=r"R^2(\log_{10} x \mid \#\text{masks}) = 1 - m^{-2}",
    source="Golkar et al. (2023), appendix B.3",
    references=["golkar2023xval"],
    scales={
        "smoke": grid([3], 60, 16, 5),
        "desk": grid([2, 3, 4, 6], 400, 16, 6),
        "paper": grid([2, 3, 4, 6, 8], 2000, 64, 10),
    },
    measure=measure,
    predictions={"explained": expected},
    rules=[
        Within(column="explained", band=0.03, says="R^2 from masks alone, less the law's"),
        Threshold(
            column="explained",
            at_least=0.5,
            where={"masks": "digits"},
            says="R^2 from masks alone, as many as digits",
        ),
    ],
    sanity=[Threshold(column="explained", at_least=-1.0)],
    figures=[
        Overlay(
            y="explained",
            x="decades",
            by="masks",
            title="What masks tell of the number behind them",
            x_label="decades m",
            y_label="R² of log10(x)",
            log="",
        )
    ],
    differs="A toy language of masks alone in place of text.",
)

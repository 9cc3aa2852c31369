"""However few bits its parameters keep, a trained model never recalls more than these can hold.

Nichani, Lee & Bietti (2025), lower bounds; Fano's inequality with finite error, `simonides.memories.laws.bounds`. The
trained weights are rounded to 1 to 8 bits, and what is still recalled is counted in bits: every answer one of D.
"""

import copy

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.memories.laws.bounds import fano_bits
from simonides.memories.quantised import quantised
from simonides.nn import Transformer
from simonides.papers.facts.claims._draws import Size, right, task, train

ANSWERS = 8


def measure(runs: Runs, *, subjects: int, steps: int) -> dict[str, Tensor]:
    """Recall at each precision, and bits stored as a share of those the parameters have."""
    generators = list(runs.generators)
    prompts = [task(subjects, subjects, ANSWERS, generator) for generator in generators]
    trained = train(Size(d=16, hidden=16), prompts, generators, steps, device=runs.device)
    rows = []
    for model, asked, generator in zip(trained.models, prompts, generators, strict=True):
        row = []
        for bits in PRECISIONS:
            rounded, numbers = round_to(model, bits)
            recall = float(right(rounded, asked, generator).mean())
            stored = fano_bits(subjects**2, ANSWERS, 1 - recall) / numbers
            row.append([bits, recall, stored, stored / bits])
        rows.append(row)
    names = ("bits", "recall", "bits_per_parameter", "share")
    columns = dict(zip(names, torch.tensor(rows, dtype=torch.float64).unbind(2), strict=True))
    finest = columns["recall"][:, PRECISIONS.index(8), None]
    return {**columns, "recall_of_8_bits": finest.expand_as(columns["recall"])}


def round_to(model: Transformer, bits: int) -> tuple[Transformer, int]:
    """A copy whose trained weights keep so many bits each, and how many there are."""
    rounded, numbers = copy.deepcopy(model), 0
    with torch.no_grad():
        for parameter in rounded.parameters():
            if parameter.requires_grad:
                numbers += parameter.numel()
                # a bias is a row of its own
                parameter.copy_(quantised(parameter.view(-1, parameter.shape[-1]), bits).view_as(parameter))
    return rounded, numbers


PRECISIONS = (1, 2, 3, 4, 6, 8)


def grid(subjects: list[int], steps: int) -> Grid:
    """Numbers of subjects, which are also those of relations."""
    return product(subjects=subjects, steps=[steps]).with_seeds(5)


claim = Claim(
    question="How many bits of facts does a trained transformer hold for every bit of its weights?",
    statement=r"B \geq S R \, (\log_2 D - h_2(\varepsilon) - \varepsilon \log_2 (D - 1))",
    source="Nichani, Lee & Bietti (2025), lower bounds; Fano's inequality, Cover & Thomas (2006), theorem 2.10.1",
    references=["nichani2025factual", "cover2006elements"],
    scales={
        "smoke": grid([10], 400),
        "desk": grid([10, 13, 16], 1500),
        "paper": grid([10, 13, 16, 20], 16_384),
    },
    measure=measure,
    version=2,  # since a run ends by itself, whatever its stack does
    rules=[
        Threshold(column="recall_of_8_bits", at_least=0.6),
    ],
    sanity=[
        Threshold(column="share", at_most=1.0),
        Threshold(column="recall_of_8_bits", at_least=0.6),
    ],
    figures=[
        Curves(
            ys={
                "recall": "recall",
                "bits of facts a weight": "bits_per_parameter",
                "bits of facts a bit kept": "share",
            },
            x="bits",
            where={"subjects": 10},
            log="",
            title="100 facts in 1,552 trained weights, rounded",
            x_label="bits kept of every weight",
            y_label="recall; bits a weight; bits a bit",
        )
    ],
    untested="how near a model comes to the bound, which is an inequality that no measurement can break: the best "
    "holds 0.04 of it",
)

"""Planets between those trained on: xVal interpolates, text snaps to what it has seen.

Golkar et al. (2023, table 5), mean squared errors outside: a_1 .0010 (xVal), .0076 P10, .048 P1000, .11 B1999, .050
FP15; step size .0021 (xVal), .0036, .011, .022, .0075.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Grid, Ordered, Reported, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.papers.numbers.claims._planets import ASKED, asked_of, outside, systems
from simonides.papers.numbers.claims._training import columns, quality, trained
from simonides.papers.numbers.planets import STEP_SIZES

# an answer so near to a step size that was trained on has snapped to it
_NEAR = 0.01


def measure(runs: Runs, *, encoding: str, times: int, steps: int, d: int, samples: int) -> dict[str, Tensor]:
    """Squared errors of axes and step sizes that were not trained on, and the share of step sizes that were seen."""
    train = systems(samples, times, torch.Generator().manual_seed(0))
    found = trained(runs, train, encoding, steps=steps, d=d, batch=32, asked=asked_of(train))
    tests = {what: outside(500, times, torch.Generator().manual_seed(1), what) for what in ("a", "step")}
    seen = torch.tensor(STEP_SIZES, dtype=torch.float64)
    rows = []
    for run in range(len(runs)):
        row = {}
        for what, test in tests.items():
            asked = asked_of(test)
            place = list(ASKED).index(what)
            answers = found.answers(run, test, asked).values[:, place]
            truth = test.values[asked].view(len(test), -1)[:, place]
            row[f"{what}_outside"] = quality(answers, truth).squared
            if what == "step":
                row["snapped"] = float(((answers[:, None] - seen).abs().amin(1) < _NEAR).double().mean())
        rows.append(row)
    return columns(rows)


def grid(encodings: list[str], times: int, steps: int, d: int, samples: int, seeds: int) -> Grid:
    """Encodings."""
    return product(encoding=encodings, times=[times], steps=[steps], d=[d], samples=[samples]).with_seeds(seeds)


claim = Claim(
    question="Which encoding reads the properties of planets that lie between those seen?",
    statement=r"\Delta t \notin \{0.2, 0.3, 0.5, 0.8\}, \quad a_1 \in (1, 1.5)",
    source="Golkar et al. (2023), table 5",
    references=["golkar2023xval"],
    scales={
        "smoke": grid(["xval", "p1000"], 2, 20, 16, 200, 5),
        "desk": grid(["xval", "p10", "p1000"], 5, 600, 32, 20_000, 5),
        "paper": grid(["xval", "p10", "p1000", "b1999", "fp15"], 40, 500_000, 768, 1_000_000, 5),
    },
    measure=measure,
    rules=[
        *(
            Ordered(
                column=column,
                by="encoding",
                order=("xval", name),
                paper=Reported(value=value, where=f"table 5, {name} less xVal"),
                says=f"squared error of {label} not seen, {name} less xVal",
            )
            for column, label, values in (
                ("a_outside", "a semi-major axis", {"p10": 0.0066, "p1000": 0.047}),
                ("step_outside", "a step size", {"p10": 0.0015, "p1000": 0.0089}),
            )
            for name, value in values.items()
        ),
        Ordered(
            column="snapped",
            by="encoding",
            order=("xval", "p1000"),
            least=0.2,
            says="share of answers that are a step size seen in training, P1000 less xVal",
        ),
    ],
    sanity=[Threshold(column="a_outside", at_most=100.0)],
    figures=[
        Curves(
            ys={"semi-major axis": "a_outside", "step size": "step_outside"},
            x="encoding",
            title="Planets between those seen",
            x_label="encoding",
            y_label="mean squared error",
            log="y",
        ),
        Curves(
            ys={"step sizes": "snapped"},
            x="encoding",
            title="Answers that are a step size seen in training",
            x_label="encoding",
            y_label="share",
            log="",
        ),
    ],
    finding="Every answer of P10 and P1000 is a step size of the training, in all runs; of xVal one in eleven is. "
    "Text answers with the nearest value that it has seen, xVal with one between. One of five runs of P10 "
    "(0.39) leaves its difference in the axis undecided.",
    untested="B1999 and FP15.",
    differs="Two planets of five times, d = 32, 600 steps and 20,000 systems; the four numbers alone are masked; the "
    "gap of axes is (1, 1.5) for two planets, (1, 1.16) for the paper's 2 to 4.",
)

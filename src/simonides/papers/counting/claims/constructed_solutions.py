"""Written-down weights solve the task, and what they compare with says where they break.

Golkar et al. (2024), propositions 1 and 2, and the three solution types of section 5.
"""

from torch import Tensor

from simonides.lab import Claim, Grid, Reported, Runs, Threshold, Within, cells
from simonides.lab.figures import Overlay
from simonides.papers.counting.claims._training import columns
from simonides.papers.counting.constructed import constructed_counter
from simonides.papers.counting.laws import expected_tokens, predicted_slope, slope_of
from simonides.papers.counting.strings import ContextualCounting
from simonides.papers.counting.training import answers_of

SHORTER = 0.6


def measure(runs: Runs, *, bias: str, length: int, regions: int) -> dict[str, Tensor]:
    """Accuracy on the law it is made for, and slopes with a region fewer and on shorter strings."""
    task = ContextualCounting(length=length, regions=regions)
    model = constructed_counter(task, bias).to(runs.device)
    shifts = {
        "fewer": task.shifted(regions=regions - 1),
        "shorter": task.shifted(length=round(SHORTER * length)),
    }
    rows = []
    for generator in runs.generators:
        strings = task.sample(500, generator).on(runs.device)
        row = {"accuracy": float((answers_of(model, strings) == task.labels(strings)[0]).double().mean())}
        for name, law in shifts.items():
            strings = law.sample(500, generator).on(runs.device)
            row[name] = slope_of(answers_of(model, strings)[:, 0], law.labels(strings)[0][:, 0])
        rows.append(row)
    return columns(rows)


def slope(bias: str, length: int, regions: int, tested: dict[str, int]) -> float:
    """B_train/B_test by the number of tokens compared with."""
    task = ContextualCounting(length=length, regions=regions)
    return predicted_slope(expected_tokens(task)[bias], expected_tokens(task.shifted(**tested))[bias])


def fewer(bias: str, length: int, regions: int) -> float:
    """The slope with a region fewer."""
    return slope(bias, length, regions, {"regions": regions - 1})


def shorter(bias: str, length: int, regions: int) -> float:
    """The slope on shorter strings."""
    return slope(bias, length, regions, {"length": round(SHORTER * length)})


def grid(length: int, regions: int) -> Grid:
    """Every token that can be compared with."""
    biases = ("beginning", "[", "]", "0")
    return cells({"bias": bias, "length": length, "regions": regions} for bias in biases).with_seeds(5)


claim = Claim(
    question="Can one layer without positions and one cross-attention count, and what decides where it breaks?",
    statement=r"\hat n = n\, B_\text{train}/B_\text{test}",
    source="Golkar et al. (2024), propositions 1 and 2, three types of solutions",
    references=["golkar2024contextual"],
    scales={"smoke": grid(256, 4), "desk": grid(512, 4), "paper": grid(512, 4)},
    measure=measure,
    predictions={"fewer": fewer, "shorter": shorter},
    rules=[
        Within(column="fewer", ratio=0.1, says="slope of answers in counts with three regions in place of four"),
        Within(column="shorter", ratio=0.1, says="slope on strings of 0.6 T"),
        *(
            Threshold(
                column="accuracy",
                at_least=0.999,
                where={"bias": bias},
                says=f"accuracy, compared with {bias}",
                paper=Reported(value=1.0, where="propositions 1 and 2"),
            )
            for bias in ("beginning", "[", "]")
        ),
    ],
    figures=[
        Overlay(
            y="fewer",
            x="bias",
            title="Slope with a region fewer, by what is compared with",
            x_label="compared with",
            y_label="answer / count",
            log="",
            smooth=False,
        )
    ],
)

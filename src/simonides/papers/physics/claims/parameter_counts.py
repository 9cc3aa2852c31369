"""Sizes of the four models: the paper's 7.6, 29, 116 and 409 million, and what the released weights hold.

McCabe et al. (2024), table of model sizes.
"""

import torch
from torch import Tensor

from simonides.lab import Claim, Equal, Grid, Reported, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.papers.physics.avit import AViT
from simonides.papers.physics.avit_config import paper_config
from simonides.papers.physics.laws import parameter_count
from simonides.papers.physics.released import RELEASED_FIELDS, unused_parameters

PRINTED = {"Ti": 7.6e6, "S": 29e6, "B": 116e6, "L": 409e6}


def measure(runs: Runs, *, size: str) -> dict[str, Tensor]:
    """Parameters of a model that was made, with the released models' unused biases, and of the closed form."""
    config = paper_config(size, RELEASED_FIELDS)
    model = AViT(config, torch.Generator().manual_seed(0))
    whole = float(model.parameter_count + unused_parameters(config))
    row = {
        "parameters": whole,
        "expected": float(parameter_count(size, len(RELEASED_FIELDS), released=True)),
        "of_printed": whole / PRINTED[size],
    }
    return {name: torch.full((len(runs),), value, dtype=torch.float64) for name, value in row.items()}


def grid(sizes: list[str]) -> Grid:
    """Sizes."""
    return product(size=sizes).with_seeds(1)


claim = Claim(
    question="How many parameters have the models of multiple physics pretraining?",
    statement=r"P \approx 16 d^2 L + \tfrac{7}{2} d^2 + 26 d L",
    source="McCabe et al. (2024), table of model sizes",
    references=["mccabe2024mpp"],
    scales={"smoke": grid(["Ti"]), "desk": grid(["Ti", "S", "B"]), "paper": grid(["Ti", "S", "B", "L"])},
    measure=measure,
    deterministic=True,
    rules=[
        Threshold(
            column="of_printed",
            at_least=0.95,
            at_most=1.05,
            paper=Reported(value=1.0, where="table of model sizes"),
            says="parameters over the paper's number",
        ),
        Equal(column="parameters", other="expected", tolerance=0.5, says="parameters"),
    ],
    figures=[
        Overlay(
            y="parameters",
            x="size",
            title="Parameters of the models",
            x_label="size",
            y_label="parameters",
            log="y",
            smooth=False,
        )
    ],
)

"""Steps without regard to the gradient's size store the rare sooner: sign and normalised descent against plain.

Cabannes, Dohmatob & Bietti (2024), section 5 and figure 6: the population gradient, from W = 0, step 1.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from simonides.base import zipf
from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Curves
from simonides.memories import Population, PopulationMemory
from simonides.papers.scaling.claims._training import by_run, draw
from simonides.tasks import many_to_one
from simonides.training import SGD, NormalisedDescent, Records, SignDescent, fit

M, ALPHA, REPEATS = 5, 2.0, 32
STEPS = [2, 3, 5, 10, 20, 30, 50, 100]


def measure(runs: Runs, *, inputs: int, d: int) -> dict[str, Tensor]:
    """Population errors after each of STEPS, means over 32 trainings in each run, the same for all methods."""
    p = zipf(inputs, ALPHA).to(runs.device)
    e, u = (table.double() for table in draw(runs, REPEATS, inputs, d, outputs="sphere", answers=M))
    methods: dict[str, Callable[[list[nn.Parameter]], Optimizer]] = {
        "plain": lambda weights: SGD(weights, 1.0),
        "sign": lambda weights: SignDescent(weights, 1.0),
        # the paper divides by the entries' standard deviation: length d at step 1
        "normalised": lambda weights: NormalisedDescent(weights, float(d), stacked=True),
    }
    errors = {name: by_run(_errors(e, u, p, make), runs) for name, make in methods.items()}
    steps = torch.tensor(STEPS, dtype=torch.float64).expand(len(runs), -1)
    gains = {f"{name}_gains": errors["plain"] - errors[name] for name in ("sign", "normalised")}
    return {"step": steps, **errors, **gains}


def _errors(
    e: Float[Tensor, "all N d"],
    u: Float[Tensor, "all M d"],
    p: Float[Tensor, " N"],
    make: Callable[[list[nn.Parameter]], Optimizer],
) -> Float[Tensor, "all steps"]:
    targets = many_to_one(e.shape[1], M).to(e.device)
    history = fit(
        PopulationMemory(Population(inputs=e, outputs=u, targets=targets, probabilities=p)),
        lambda m, _: m.loss(),
        lambda _: None,
        make,
        STEPS[-1],
        torch.Generator(),
        records=Records(every=1, probes={"error": lambda m: m.error()}),
    )
    return history.column("error").mT[:, STEPS].to(e)


def grid(seeds: int) -> Grid:
    """The paper's sizes."""
    return product(inputs=[10], d=[10]).with_seeds(seeds)


claim = Claim(
    question="Does ignoring the size of the gradient store the rare sooner?",
    statement=r"W \leftarrow W - \gamma \, \mathrm{sign}(\nabla L), \qquad W \leftarrow W - \gamma d \, \nabla L "
    r"/ \|\nabla L\|",
    source="Cabannes, Dohmatob & Bietti (2024), figure 6",
    references=["cabannes2024scaling"],
    scales={"smoke": grid(8), "desk": grid(16), "paper": grid(64)},
    measure=measure,
    rules=[
        Threshold(column="sign_gains", at_least=0.0),
        Threshold(column="normalised_gains", at_least=0.0),
    ],
    figures=[
        Curves(
            ys={"plain descent": "plain", "sign descent": "sign", "normalised descent": "normalised"},
            x="step",
            log="xy",
            title="Population gradient, N = d = 10, M = 5, alpha = 2",
            x_label="steps",
            y_label="population error",
        ),
    ],
    finding="Errors here weigh tokens by p; the paper's figure shows the mean of p over the wrong tokens instead.",
    stack=16,
    untested="the published end points, which are of another measure of error",
)

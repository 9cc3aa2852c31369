"""Large steps store fast and then err by interference; a step that falls gets the best of both where d < N.

Cabannes, Dohmatob & Bietti (2024), section 5 and figure 5: stochastic gradient descent with batches of one token.
"""

from torch import Tensor

from simonides.lab import Claim, Grid, Ordered, Overlay, Runs, Within, product
from simonides.papers.scaling._setting import zipf
from simonides.papers.scaling._training import by_run, counts, draw, particles

D, ALPHA, STEPS, REPEATS = 5, 1.5, 1000, 32
RATES = {"10": (10.0, 10.0), "0.1": (0.1, 0.1), "10, then 0.3": (10.0, 0.3)}
SWITCH = 100
RECORD = [1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 700, 1000]
# as the paper's figure shows them, whose own notebook gives N = 10; N = 30 is what reproduces it
FIGURE = {"10": 0.22, "0.1": 0.21, "10, then 0.3": 0.15}


def measure(runs: Runs, *, rate: str, inputs: int) -> dict[str, Tensor]:
    """Population error after 50 and 1,000 steps from W = 0, a mean over 32 trainings in each run."""
    p = zipf(inputs, ALPHA)
    e, u = draw(runs, REPEATS, inputs, D, outputs="sphere")
    first, later = RATES[rate]
    found = particles(e, u, p).descend(
        STEPS,
        lambda step: first if step < SWITCH else later,
        counts(runs, REPEATS, p, STEPS, batch=1),
        record=RECORD,
    )
    error = by_run(found.error, runs)
    return {"early": error[:, RECORD.index(50)], "final": error[:, -1]}


def grid(seeds: int) -> Grid:
    """More tokens than dimensions, and about as many."""
    return product(rate=list(RATES), inputs=[10, 30]).with_seeds(seeds)


def figure(rate: str, inputs: int) -> float:
    """The paper's figure, read off; only for N = 30."""
    return FIGURE[rate] if inputs == 30 else float("nan")


claim = Claim(
    question="Should the steps be large or small?",
    statement=r"W \leftarrow W + \gamma \left(1 - p_W(y | x)\right) (u_y - \varepsilon) e_x^\top",
    source="Cabannes, Dohmatob & Bietti (2024), figure 5",
    references=["cabannes2024scaling"],
    scales={"smoke": grid(8), "desk": grid(16), "paper": grid(64)},
    measure=measure,
    predictions={"final": figure},
    rules=[
        Ordered(column="final", by="rate", order=("10, then 0.3", "10"), least=0.03, where={"inputs": 30}),
        Ordered(column="final", by="rate", order=("10, then 0.3", "0.1"), least=0.03, where={"inputs": 30}),
        Ordered(column="early", by="rate", order=("10", "0.1"), least=0.03, where={"inputs": 30}),
        Ordered(column="final", by="rate", order=("10", "0.1"), least=0.03, where={"inputs": 10}),
        Within(column="final", band=0.03, where={"inputs": 30}),
    ],
    figures=[
        Overlay(
            y="final",
            x="inputs",
            by="rate",
            log="",
            smooth=False,
            title="Error after 1,000 steps, d = 5; step size as named, from step 100 the second",
            x_label="tokens N",
            y_label="population error",
        ),
    ],
    finding="The published figure is reproduced with N = 30 tokens; its notebook ends with N = 10, where all is "
    "stored and large steps win throughout.",
)

"""Without a penalty on the weights there is no largest gradient on a level set of a ReLU network; with one there is.

Mishkin, Bietti & Gower (2025, appendix): scaling one layer up and the next down leaves f and makes the gradient grow
without bound.
"""

from torch import Generator, Tensor

from simonides.lab import Claim, Grid, Runs, Threshold, product
from simonides.lab.figures import Overlay
from simonides.papers.teleportation.oracles import FunctionOracle
from simonides.papers.teleportation.problems import network, packaged_table, start_of_network
from simonides.papers.teleportation.solver import Solving, solve


def measure(runs: Runs, *, penalty: float, activation: str, steps: int) -> dict[str, Tensor]:
    """How much the gradient and the weights grow in so many steps, and in four times as many."""
    table = packaged_table("iris")
    f, _ = network(table, 8, penalty, activation)

    def one(generator: Generator) -> dict[str, float]:
        x0 = start_of_network(table, 8, generator)[None]
        short, long = (solve(FunctionOracle(f, 1), x0, Solving(steps=count)) for count in (steps, 4 * steps))
        return {
            "growth": float(short.target - short.target0),
            "more": float(long.target - short.target),
            "size": float((long.x.norm() / x0.norm()).log()),
            "violation": max(0.0, float(long.f / long.f0 - 1)),
        }

    return runs.each(one)


def grid(penalties: list[float], steps: int, seeds: int) -> Grid:
    """With a penalty and without."""
    return product(penalty=penalties, activation=["relu", "softplus"], steps=[steps]).with_seeds(seeds)


claim = Claim(
    question="Is there a largest gradient on a level set of a network?",
    statement=r"f(a W_1, w_2/a) = f(W_1, w_2), \quad \|\nabla f\| \to \infty \text{ as } a \to \infty",
    source="Mishkin, Bietti & Gower (2025), non-coercive networks",
    references=["mishkin2025teleportation"],
    scales={
        "smoke": grid([0.0, 0.01], 10, 5),
        "desk": grid([0.0, 0.01], 50, 8),
        "paper": grid([0.0, 0.01, 0.1], 250, 16),
    },
    measure=measure,
    rules=[
        Threshold(
            column="more",
            at_least=0.2,
            where={"penalty": 0.0, "activation": "relu"},
            says="log growth of the gradient from 50 to 200 steps, ReLU without a penalty",
        ),
        Threshold(
            column="more",
            at_most=0.05,
            where={"penalty": 0.01, "activation": "softplus"},
            says="the same, softplus with a penalty of 0.01",
        ),
        Threshold(column="violation", at_most=1e-8, says="how far f exceeds its start, relative"),
    ],
    sanity=[Threshold(column="growth", at_least=0.0)],
    figures=[
        Overlay(
            y="more",
            x="penalty",
            by="activation",
            title="Growth of log |g| from 50 to 200 steps of the solver",
            x_label="penalty",
            y_label="log growth",
            log="",
            smooth=False,
        )
    ],
    stack=2,
)

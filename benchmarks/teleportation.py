"""Teleports: a Hessian-vector product against two gradients, and what the solver costs beyond its oracle's calls.

An MLP of 784-500-500-10 softplus units on 256 inputs, float32. The product is of the gradient itself, by a second
backward pass through the first; the gradient comes with it.
"""

from collections.abc import Iterator

import torch

from benchmarks.timing import HotPath, interleaved
from simonides.papers.teleportation.oracles import ClosureOracle
from simonides.papers.teleportation.solver import Solving, solve


def lines() -> Iterator[str | HotPath]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 500),
        torch.nn.Softplus(),
        torch.nn.Linear(500, 500),
        torch.nn.Softplus(),
        torch.nn.Linear(500, 10),
    )
    x, y = torch.randn(256, 784), torch.randint(10, (256,))

    def loss() -> torch.Tensor:
        penalty = torch.stack([parameter.square().sum() for parameter in model.parameters()]).sum()
        return torch.nn.functional.cross_entropy(model(x), y) + 1e-3 * penalty

    parameters = list(model.parameters())
    oracle = ClosureOracle(parameters, loss)
    start, every = oracle.at(), torch.ones(1, dtype=torch.bool)

    def gradient() -> None:
        torch.autograd.grad(loss(), parameters)

    found = interleaved(
        {
            "gradient": gradient,
            "counted": lambda: oracle.gradient(start, every),
            "pull": lambda: oracle.pull(start, every),
        },
        rounds=15,
    )
    product = found["pull"] - found["counted"]
    yield (
        f"a Hessian-vector product beyond its gradient: {1e3 * product:.1f} ms, "
        f"{product / (2 * found['gradient']):.2f} of two gradients (wanted: 1.3)"
    )

    def whole() -> None:
        solve(ClosureOracle(parameters, loss), start, Solving(steps=5))

    def calls_alone() -> None:
        for _ in range(counted.gradients.item()):
            gradient()
        for _ in range(counted.hvps.item()):
            value = torch.autograd.grad(loss(), parameters, create_graph=True)
            half = 0.5 * torch.stack([part.square().sum() for part in value]).sum()
            torch.autograd.grad(half, parameters)

    counted = ClosureOracle(parameters, loss)
    solve(counted, start, Solving(steps=5))
    oracle.put(start)
    found = interleaved({"solve": whole, "calls": calls_alone}, rounds=7)
    oracle.put(start)
    yield HotPath(
        name=f"five steps of a teleport, {start.numel():,} parameters",
        floor=f"its {counted.gradients.item()} gradients and {counted.hvps.item()} products alone",
        seconds=found["solve"],
        least=found["calls"],
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in lines():
        print(line)

"""Stacked training and population errors.

A stack of 64 small models (three linear layers, 1,187 parameters, batches of 32) against the loop over them; a
memory of 100 tokens trained through its scores; population errors against the products and normals they need.
"""

import time
from collections.abc import Iterator

import torch
from torch import nn

from benchmarks.timing import HotPath, interleaved
from simonides.base import zipf
from simonides.memories import embeddings, storage_weights
from simonides.probes import population_errors
from simonides.tasks import many_to_one
from simonides.training import SGD, Adam, Particles, StackedModel, fit

RUNS, STEPS = 64, 50


def lines() -> Iterator[str | HotPath]:
    for name, make in (("SGD", lambda p: SGD(p, 0.1)), ("Adam", lambda p: Adam(p, 0.01))):
        yield _stack(name, make)
    yield _particles()
    yield from _population()


def _models() -> list[nn.Module]:
    torch.manual_seed(0)
    return [
        nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 7))
        for _ in range(RUNS)
    ]


def _stack(name, make) -> str:
    inputs, targets = torch.randn(RUNS, 32, 16), torch.randint(7, (RUNS, 32))

    def loss(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    def stacked() -> None:
        model = StackedModel(_models())
        fit(model, lambda m, b: m.each(loss, b), lambda g: (inputs, targets), make, STEPS, torch.Generator())

    def loop() -> None:
        for run, model in enumerate(_models()):
            fit(model, loss, lambda g, run=run: (inputs[run], targets[run]), make, STEPS, torch.Generator())

    found = interleaved({"stacked": stacked, "loop": loop}, rounds=5)
    return (
        f"{RUNS} models, {STEPS} steps of {name}: {found['stacked'] / STEPS * 1e3:.1f} ms a step stacked, "
        f"{found['loop'] / STEPS * 1e3:.1f} ms in a loop: {found['loop'] / found['stacked']:.1f} times (wanted: 4)"
    )


def _particles() -> str:
    generators = [torch.Generator().manual_seed(seed) for seed in range(16)]
    d, n, m = 200, 100, 5
    e, u = embeddings.gaussian(n, d, generators).double(), embeddings.sphere(m, d, generators).double()
    targets, p = many_to_one(n, m), zipf(n, 2.0).float()
    particles = Particles.of(e, u, targets, p)
    right = nn.functional.one_hot(targets, m).double()

    def scores() -> None:
        particles.descend(100, 1.0, record=[100])

    def matrix() -> None:
        weight = e.new_zeros(16, d, d)
        for _ in range(100):
            excess = torch.softmax(e @ weight.mT @ u.mT, -1) - right
            weight -= (u.mT @ (excess * p[:, None]).mT) @ e

    found = interleaved({"scores": scores, "matrix": matrix}, rounds=5)
    return (
        f"100 full-batch steps of 16 memories, N = {n}, M = {m}, d = {d}: {found['scores'] * 1e3:.0f} ms "
        f"through the scores, {found['matrix'] * 1e3:.0f} ms through the matrices: "
        f"{found['matrix'] / found['scores']:.1f} times"
    )


def _population() -> Iterator[str | HotPath]:
    n, m, d = 1000, 5, 1000
    generator = torch.Generator().manual_seed(0)
    targets, p = many_to_one(n, m), zipf(n, 2.0).float()
    weights = torch.stack([storage_weights(p, rho) for rho in (0.0, 0.5, 1.0)])
    e, u = embeddings.gaussian(n, d, generator), embeddings.sphere(m, d, generator)
    sums = torch.randn(3 * m, d)

    def draw() -> None:
        embeddings.gaussian(n, d, generator)

    def errors() -> None:
        population_errors(e, u, targets, weights, p)

    def floor() -> None:
        (weights.repeat(m, 1) @ e, e @ sums.mT)

    found = interleaved({"draw": draw, "errors": errors, "floor": floor}, rounds=30)
    start = time.perf_counter()
    whole = e @ (outer(u, targets, weights, e)).mT
    dense = time.perf_counter() - start
    del whole
    yield HotPath(
        name=f"population errors of 3 schemes, N = d = {n}",
        floor="two products",
        seconds=found["errors"],
        least=found["floor"],
    )
    yield (
        f"population errors of 3 schemes, N = d = {n}: {found['errors'] * 1e3:.2f} ms, "
        f"{found['errors'] / found['floor']:.1f} times its two products; drawing the embeddings "
        f"{found['draw'] * 1e3:.1f} ms; forming three d x d matrices and their answers {dense * 1e3:.0f} ms"
    )


def outer(u, targets, weights, e):
    return torch.stack([(u[targets] * q[:, None]).mT @ e for q in weights])


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in lines():
        print(line)

"""Multi-index models: a stack of starts to t = 1e8, and a step of the estimator against its matrix products.

200 Haar starts in d = 20 of h1 + h3, tolerance 1e-8. The step: n = 20,000 rows, d = 30, two directions, degree 3; its
floor is the products with x and those with the polynomials' values.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.timing import HotPath, interleaved
from simonides.papers.multi_index.flows import haar_overlaps, two_time_scales
from simonides.papers.multi_index.link import exponents, fit_link
from simonides.papers.multi_index.targets import HermiteTarget


def lines() -> Iterator[str | HotPath]:
    target = HermiteTarget(coefficients={(1, 0): 1.0, (0, 3): 1.0})
    starts = haar_overlaps(20, 2, 2, [torch.Generator().manual_seed(seed) for seed in range(200)])
    began = time.process_time()
    found = two_time_scales(target, starts, [1e8])
    spent = time.process_time() - began
    done = float((found.loss[-1] < 0.01).double().mean())
    yield f"200 Haar starts to t = 1e8: {spent:.1f} s (wanted: 10), {done:.1%} at zero loss"
    random = np.random.default_rng(0)
    x, y = random.normal(size=(20_000, 30)), random.normal(size=20_000)
    w = np.linalg.qr(random.normal(size=(30, 2)))[0]
    psi, slopes = random.normal(size=(len(exponents(2, 3)), 20_000)), random.normal(size=(20_000, 2))
    b, lowered = random.normal(size=len(psi)), random.normal(size=(2, len(psi)))

    def products() -> None:
        _ = x @ w, x.T @ slopes, psi @ psi.T, psi @ y, b @ psi, lowered @ psi

    timed = interleaved({"step": lambda: fit_link(x, y, w, 3, 1e-4), "products": products}, rounds=15)
    yield HotPath(
        name="a step of the estimator, n = 20,000, d = 30, degree 3",
        floor="its products",
        seconds=timed["step"],
        least=timed["products"],
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in lines():
        print(line)

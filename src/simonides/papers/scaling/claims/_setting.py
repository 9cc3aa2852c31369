"""The setting of the scaling claims: Zipf data, x mod M as the answer, several schemes of one memory at once."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import zipf
from simonides.lab import Runs
from simonides.memories import embeddings, storage_weights
from simonides.memories.laws import scaling
from simonides.probes import population_errors
from simonides.tasks import many_to_one

ANSWERS = 5
Scheme = Callable[[Float[Tensor, " N"]], Float[Tensor, " N"]]


def errors(
    runs: Runs, d: int, probabilities: Float[Tensor, " N"], weights: Float[Tensor, "schemes N"], draws: int
) -> Float[Tensor, "runs schemes"]:
    """Population errors of the schemes in every run, all with the same weights."""
    return torch.stack([mean_errors(g, runs.device, d, probabilities, weights, draws) for g in runs.generators])


def mean_errors(
    generator: torch.Generator,
    device: torch.device,
    d: int,
    probabilities: Float[Tensor, " N"],
    weights: Float[Tensor, "schemes N"],
    draws: int,
) -> Float[Tensor, " schemes"]:
    """Population errors of the schemes, means over fresh embeddings e ~ N(0, I/d), u on the sphere."""
    p, q = probabilities.float().to(device), weights.float().to(device)
    targets = many_to_one(len(p), ANSWERS).to(device)
    total = torch.zeros(len(q), device=device)
    for _ in range(draws):
        inputs = embeddings.gaussian(len(p), d, generator).to(device)
        outputs = embeddings.sphere(ANSWERS, d, generator).to(device)
        total += population_errors(inputs, outputs, targets, q, p)
    return total / draws


@cache
def expected_error(d: int, inputs: int, alpha: float, rho: float, keep: int | None = None) -> float:
    """The finite-size theory of `simonides.memories.laws.scaling` for a scheme p^rho of the `keep` most frequent."""
    p = zipf(inputs, alpha)
    weights = storage_weights(p, rho, keep).numpy()
    return scaling.weighted_error(p.numpy(), weights, np.arange(inputs) % ANSWERS, d)

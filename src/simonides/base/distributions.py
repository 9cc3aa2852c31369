"""Distributions that several papers draw their data from."""

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base.errors import SimonidesError, check_at_least


def zipf(inputs: int, exponent: float) -> Float[Tensor, " N"]:
    """p(x) proportional to (x + 1)^-exponent over N inputs, summing to one, in float64; exponent 0 is uniform.

    Raises:
        SimonidesError: when there are no inputs, or the exponent is negative.

    >>> zipf(3, 1.0)
    tensor([0.5455, 0.2727, 0.1818], dtype=torch.float64)
    """
    check_at_least("inputs", inputs, 1)
    if not exponent >= 0:
        raise SimonidesError(f"Zipf exponent = {exponent} is below zero; give zero or more.")
    weights = torch.arange(1, inputs + 1, dtype=torch.float64) ** -exponent
    return weights / weights.sum()

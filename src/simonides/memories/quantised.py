"""Quantisation: a matrix kept in a few bits a number, to count what it holds."""

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_finite, check_vectors

# steps, in standard deviations, that lose least for Gaussian numbers: Max (1960), table II
_STEPS = {1: 1.596, 2: 0.9957, 3: 0.5860, 4: 0.3352, 5: 0.1881, 6: 0.1041, 7: 0.0569, 8: 0.0308}


def quantised(weight: Float[Tensor, "*runs d_out d_in"], bits: int) -> Float[Tensor, "*runs d_out d_in"]:
    """`weight` rounded to 2^bits equally spaced levels around zero, none of them zero itself.

    The step is the one that loses least for Gaussian entries (Max 1960), in units of the matrix's own root
    mean square; that scale is one more number, not counted. One bit keeps the signs.

    Raises:
        SimonidesError: unless 1 <= bits <= 8.

    >>> quantised(torch.tensor([[1.0, -1.0]]), bits=1).sign()
    tensor([[ 1., -1.]])
    """
    if bits not in _STEPS:
        raise SimonidesError(f"bits = {bits} is not supported; give 1 to 8.")
    check_vectors(weight=weight)
    check_finite(weight=weight)
    # squares of short formats, and of large numbers, leave their range
    wide = weight.double()
    largest = wide.abs().amax((-2, -1), keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    step = _STEPS[bits] * largest * (wide / largest).square().mean((-2, -1), keepdim=True).sqrt()
    top = 2 ** (bits - 1)
    level = (wide / step).floor().clamp(-top, top - 1) + 0.5
    return torch.where(step > 0, level * step, wide).to(weight)

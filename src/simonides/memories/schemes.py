"""Schemes: how much weight q(x) each association gets, from its frequency or its count."""

import torch
from jaxtyping import Float, Num
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_not_negative


def storage_weights(
    frequencies: Num[Tensor, "*runs N"], rho: float = 0.0, keep: int | None = None, at_least: float = 0.0
) -> Float[Tensor, "*runs N"]:
    """q(x) = p(x)^rho for what is stored, zero for the rest: the schemes of Cabannes, Dohmatob & Bietti (2024).

    rho = 0 fills the memory evenly, rho = 1 writes by frequency, in between by a power. Nothing of frequency
    zero is stored.

    Arguments:
        frequencies: p(x), or counts n_x.
        rho: the power.
        keep: store only so many of the most frequent; of equals the first.
        at_least: store only what is at least as frequent.

    >>> storage_weights(torch.tensor([4, 0, 9, 1]), rho=0.5, keep=2)
    tensor([2., 0., 3., 0.])
    """
    check_not_negative("rho", rho)
    if (frequencies < 0).any() or not torch.isfinite(frequencies).all():
        raise SimonidesError("frequencies must be finite and not negative; give probabilities or counts.")
    p = frequencies if frequencies.is_floating_point() else frequencies.float()
    stored = (p > 0) & (p >= at_least)
    if keep is not None:
        check_at_least("keep", keep, 1)
        ranks = torch.argsort(p, dim=-1, descending=True, stable=True).argsort(-1)
        stored &= ranks < keep
    return torch.where(stored, p**rho, torch.zeros((), dtype=p.dtype, device=p.device))

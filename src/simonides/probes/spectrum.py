"""Spectra: how a memory's weight spreads over directions, and what interference does to it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from simonides.base import check_one_type
from simonides.memories import select


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Singular values of a matrix, in falling order, with what they say of its rank."""

    values: Float[Tensor, "*runs k"]

    @property
    def energy(self) -> Float[Tensor, "*runs k"]:
        """Share of the squared Frobenius norm that the best rank-r approximation keeps, r = 1 .. k."""
        squares = self.values.square()
        return squares.cumsum(-1) / squares.sum(-1, keepdim=True)

    @property
    def effective_rank(self) -> Float[Tensor, "*runs"]:
        """exp(entropy of the normalised singular values), Roy & Vetterli (2007): k where all are equal."""
        total = self.values.sum(-1, keepdim=True)
        share = self.values / total.clamp_min(torch.finfo(total.dtype).tiny)
        return torch.special.entr(share).sum(-1).exp() * (total[..., 0] > 0)


def weight_spectrum(weight: Float[Tensor, "*runs d_out d_in"]) -> Spectrum:
    """The singular values of W.

    >>> weight_spectrum(torch.eye(3)).effective_rank
    tensor(3.)
    """
    return Spectrum(values=torch.linalg.svdvals(weight))


def interference_spectrum(
    weight: Float[Tensor, "*runs d_out d_in"],
    inputs: Float[Tensor, "*runs N d_in"],
    outputs: Float[Tensor, "*runs M d_out"],
    targets: Int[Tensor, "*runs N"],
) -> Spectrum:
    """Singular values of what a memory returns for its stored inputs beside their targets.

    That is E W^T - U_f, an N x d_out matrix, with E the N inputs and U_f their target embeddings. Orthonormal
    inputs written by outer products leave none; N >> d random ones leave singular values of the order of N/d.

    >>> e = torch.eye(3)
    >>> interference_spectrum(e, e, e, torch.arange(3)).values
    tensor([0., 0., 0.])
    """
    check_one_type(weights=weight, inputs=inputs, outputs=outputs)
    return Spectrum(values=torch.linalg.svdvals(inputs @ weight.mT - select(outputs, targets)))

"""Truncating weights: a matrix cut to low rank, after one decomposition for all ranks.

Sharma, Ash & Misra (2024), LASER: W is replaced by its best approximation of rank r = floor(rho min(m, n)), where
rho is the share of the rank that is kept. Letters: `m`, `n` the sides of W, k = min(m, n).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """W = U S V^T, or the leading part of it.

    Arguments:
        left: U, orthonormal columns.
        values: S, falling.
        right: V^T, orthonormal rows.
        total: |W|^2, Frobenius; more than the values' squares where only a part was decomposed.
    """

    left: Float[Tensor, "m r"]
    values: Float[Tensor, " r"]
    right: Float[Tensor, "r n"]
    total: float

    def at_rank(self, rank: int) -> Float[Tensor, "m n"]:
        """The best approximation of this rank; zero at rank 0.

        Raises:
            SimonidesError: when more was asked for than was decomposed.
        """
        left, right = self.factors(rank)
        return left @ right

    def factors(self, rank: int) -> tuple[Float[Tensor, "m rank"], Float[Tensor, "rank n"]]:
        """The same as a product of two narrow matrices: rank (m + n) numbers in place of m n."""
        check_at_least("rank", rank, 0)
        if rank > len(self.values):
            raise SimonidesError(f"rank = {rank}, but {len(self.values)} directions are decomposed; give fewer.")
        return self.left[:, :rank] * self.values[:rank], self.right[:rank]

    def rest(self, rank: int) -> Float[Tensor, "m n"]:
        """What `at_rank` leaves out.

        Raises:
            SimonidesError: when only the leading part was decomposed, or the rank is none.
        """
        self._check_count("rank", rank)
        return (self.left[:, rank:] * self.values[rank:]) @ self.right[rank:]

    def error(self, rank: int) -> float:
        """|W - W_r|/|W|, Frobenius."""
        check_at_least("rank", rank, 0)
        if not self.total:
            return 0.0
        squares = self.values.double().square()
        if len(squares) == min(self.left.shape[0], self.right.shape[1]):
            return (
                float(squares[rank:].sum() / squares.sum()) ** 0.5
            )  # a difference of near numbers would be noise
        return max(0.0, 1 - float(squares[:rank].sum()) / self.total) ** 0.5

    def rank_of_share(self, share: float) -> int:
        """floor(rho k), with no slip where rho k is a whole number up to rounding.

        >>> decompose(torch.eye(100)).rank_of_share(0.29)
        29
        """
        if not 0 <= share <= 1:
            raise SimonidesError(f"share = {share} is no share of the rank; give a number in [0, 1].")
        return self.rank_of(share, min(self.left.shape[0], self.right.shape[1]))

    @staticmethod
    def rank_of(share: float, whole: int) -> int:
        """floor(rho k) of k directions, before a matrix of as many is decomposed."""
        return int(share * whole + 1e-9)

    def rank_of_energy(self, energy: float) -> int:
        """The least rank that keeps this share of |W|^2."""
        if not 0 <= energy <= 1:
            raise SimonidesError(f"energy = {energy} is no share of |W|^2; give a number in [0, 1].")
        kept = self.values.double().square().cumsum(0)
        return int((kept < energy * self.total * (1 - 1e-12)).sum()) + (energy > 0)

    def without_random(self, count: int, generator: torch.Generator) -> Float[Tensor, "m n"]:
        """W less `count` of its directions, chosen at random: the control of a truncation that removes as many.

        Raises:
            SimonidesError: when only the leading part was decomposed, or there are not so many directions.
        """
        self._check_count("count", count)
        keep = torch.randperm(len(self.values), generator=generator)[count:].sort().values
        return (self.left[:, keep] * self.values[keep]) @ self.right[keep]

    def _check_count(self, name: str, count: int) -> None:
        whole = min(self.left.shape[0], self.right.shape[1])
        check_at_least(name, count, 0)
        if len(self.values) < whole:
            raise SimonidesError(
                f"only {len(self.values)} of {whole} directions are decomposed, which this needs all; use decompose."
            )
        if count > whole:
            raise SimonidesError(f"{name} = {count}, but there are {whole} directions; give fewer.")


def decompose(weight: Float[Tensor, "m n"]) -> Decomposition:
    """The exact decomposition, in float32 or better, on the weight's own device.

    Raises:
        SimonidesError: when the weight is not finite.

    >>> whole = decompose(torch.diag(torch.tensor([3.0, 2.0, 1.0])))
    >>> whole.at_rank(2).diagonal()
    tensor([3., 2., 0.])
    """
    exact = _checked(weight)
    left, values, right = torch.linalg.svd(exact, full_matrices=False)
    return Decomposition(left=left, values=values, right=right, total=float(exact.double().square().sum()))


def decompose_leading(
    weight: Float[Tensor, "m n"], rank: int, generator: torch.Generator, extra: int = 10, rounds: int = 4
) -> Decomposition:
    """The leading `rank` directions by random projection (Halko, Martinsson & Tropp 2011), for large matrices.

    Its `error(rank)` is measured against all of W, so it says what was lost, of the best as of this approximation.

    Arguments:
        weight: W.
        rank: how many directions.
        generator: draws the projection.
        extra: directions that are followed beside them.
        rounds: multiplications by W W^T, which part close values.
    """
    check_at_least("rank", rank, 1)
    exact = _checked(weight)
    width = min(rank + extra, *exact.shape)
    start = torch.randn(exact.shape[1], width, generator=generator).to(exact)
    basis = torch.linalg.qr(exact @ start).Q
    for _ in range(rounds):
        basis = torch.linalg.qr(exact @ torch.linalg.qr(exact.mT @ basis).Q).Q
    inner, values, right = torch.linalg.svd(basis.mT @ exact, full_matrices=False)
    kept = min(rank, len(values))
    return Decomposition(
        left=(basis @ inner)[:, :kept],
        values=values[:kept],
        right=right[:kept],
        total=float(exact.double().square().sum()),
    )


def _checked(weight: Tensor) -> Tensor:
    if not bool(weight.isfinite().all()):
        raise SimonidesError("the weight holds NaN or infinite numbers, which have no singular values.")
    return weight.to(torch.promote_types(weight.dtype, torch.float32))

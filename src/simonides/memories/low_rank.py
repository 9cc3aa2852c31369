"""Low-rank memories: a linear memory squeezed through m directions, F(e) = A B e."""

from numbers import Integral

import torch
from jaxtyping import Float
from torch import Tensor, nn

from simonides.base import Generators, SimonidesError, check_name
from simonides.memories.embeddings import gaussian, orthonormal
from simonides.memories.memory import Memory

SIDES = ("input", "output")
FACTORS = ("gaussian", "orthonormal")


class LowRankMemory(Memory):
    """A memory F(e) = A B e of rank m, with A in R^{d_out x m} and B in R^{m x d_in}.

    Arguments:
        left: A.
        right: B.
    """

    left: nn.Parameter
    right: nn.Parameter

    def __init__(self, left: Float[Tensor, "*runs d_out m"], right: Float[Tensor, "*runs m d_in"]) -> None:
        super().__init__()
        self.left = nn.Parameter(left.contiguous(), requires_grad=False)
        self.right = nn.Parameter(right.contiguous(), requires_grad=False)

    @classmethod
    def project(
        cls,
        weight: Float[Tensor, "*runs d_out d_in"],
        rank: int,
        generators: Generators,
        side: str = "input",
        factor: str = "orthonormal",
    ) -> "LowRankMemory":
        """`weight` seen through m random directions v_i: W sum_i v_i v_i^T, or sum_i v_i v_i^T W.

        On the input side this is the rank-m construction of Nichani, Lee & Bietti (2025, section 3); on the
        output side it is what one gradient step on the second factor of W_1^T W_2 writes when W_1 is random.

        Arguments:
            weight: the full matrix, as `LinearMemory.weight`.
            rank: m, between 1 and the width of the side.
            generators: one for all, or one for each run.
            side: "input" or "output".
            factor: "orthonormal", scaled by width/m so that the sum is I on average; or "gaussian", v_i ~ N(0, I/m)
                as in the paper, which stores less: their lengths and overlaps are noise of their own.

        Raises:
            SimonidesError: when the rank does not fit, or a name is unknown.
        """
        check_name("side", side, SIDES)
        check_name("factor", factor, FACTORS)
        width = weight.shape[-1] if side == "input" else weight.shape[-2]
        _check_rank(rank, width)
        sample = gaussian if factor == "gaussian" else orthonormal
        directions = sample(rank, width, generators).to(weight) * (width / rank) ** 0.5
        if side == "input":
            return cls(weight @ directions.mT, directions)
        return cls(directions.mT, directions @ weight)

    @classmethod
    def truncate(cls, weight: Float[Tensor, "*runs d_out d_in"], rank: int) -> "LowRankMemory":
        """The rank-m matrix nearest to `weight` (Eckart & Young 1936), by singular value decomposition."""
        _check_rank(rank, min(weight.shape[-2:]))
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
        return cls(left[..., :, :rank] * values[..., None, :rank], right[..., :rank, :])

    def forward(self, queries: Float[Tensor, "*runs Q d_in"]) -> Float[Tensor, "*runs Q d_out"]:
        """A B e for every query e, without forming A B."""
        self._check_queries(self.right, queries)
        return (queries @ self.right.mT) @ self.left.mT

    @property
    def parameter_count(self) -> int:
        """Numbers one memory keeps: m (d_out + d_in)."""
        return self.left.shape[-1] * (self.left.shape[-2] + self.right.shape[-1])


def _check_rank(rank: int, width: int) -> None:
    if isinstance(rank, bool) or not isinstance(rank, Integral) or not 1 <= rank <= width:
        raise SimonidesError(
            f"rank = {rank!r} does not fit a width of {width}; give a whole number, 1 <= rank <= {width}."
        )

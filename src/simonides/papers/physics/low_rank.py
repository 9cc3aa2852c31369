"""Updates of low rank for the matrices of a module, trained while the matrices stay (Hu et al. 2022, LoRA)."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from simonides.base import check_at_least

_MATRICES = ("W_in", "W_out")


class LowRank(nn.Module):
    """W -> W + up down, with up zero at first.

    Arguments:
        matrix: W.
        rank: of the update.
        generator: draws `down`.
    """

    def __init__(self, matrix: Float[Tensor, "m k"], rank: int, generator: Generator) -> None:
        super().__init__()
        rows, columns = matrix.shape
        drawn = torch.randn(rank, columns, generator=generator) / columns**0.5
        self.down = nn.Parameter(drawn.to(matrix))
        self.up = nn.Parameter(torch.zeros(rows, rank).to(matrix))

    def forward(self, matrix: Float[Tensor, "m k"]) -> Float[Tensor, "m k"]:
        """The matrix with its update."""
        return matrix + self.up @ self.down


def add_low_rank(model: nn.Module, rank: int, generator: Generator) -> None:
    """Give every matrix W_in and W_out within a module an update of low rank.

    Raises:
        SimonidesError: when the rank is below 1.
    """
    check_at_least("rank", rank, 1)
    for module in list(model.modules()):
        for name in _MATRICES:
            matrix = module._parameters.get(name)
            if matrix is not None:
                parametrize.register_parametrization(module, name, LowRank(matrix.detach(), rank, generator))


def merge_low_rank(model: nn.Module) -> None:
    """Put the updates into the matrices, which are plain parameters again."""
    for module in list(model.modules()):
        for name in _MATRICES:
            if parametrize.is_parametrized(module, name):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)

"""What every memory is: a module that maps input vectors to output vectors and knows its size."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from simonides.base import SimonidesError, check_one_type, check_vectors


class Memory(nn.Module, ABC):
    """A memory F: R^{d_in} -> R^{d_out}, or R of them stacked in front; `recall` reads its answers.

    What it keeps is parameters, so it moves between devices and formats, and is saved, like any module.
    """

    @abstractmethod
    def forward(self, queries: Float[Tensor, "*runs Q d_in"]) -> Float[Tensor, "*runs Q d_out"]:
        """F(e) for every query e."""

    @property
    @abstractmethod
    def parameter_count(self) -> int:
        """Numbers one memory keeps."""

    @staticmethod
    def _check_queries(weight: Float[Tensor, "*runs rows d_in"], queries: Float[Tensor, "*runs Q d_in"]) -> None:
        """Raise `SimonidesError` unless queries are vectors of the width and type that a memory takes."""
        check_vectors(queries=queries)
        check_one_type(weights=weight, queries=queries)
        if queries.shape[-1] != weight.shape[-1]:
            raise SimonidesError(
                f"queries have width {queries.shape[-1]}, and the memory was written with inputs of width "
                f"{weight.shape[-1]}; they must agree."
            )

    @property
    def bits(self) -> int:
        """Bits one memory takes in the format it is kept in."""
        return self.parameter_count * 8 * next(self.parameters()).element_size()

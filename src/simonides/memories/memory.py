"""What every memory is: a module that maps input vectors to output vectors and knows its size."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


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

    @property
    def bits(self) -> int:
        """Bits one memory takes in the format it is kept in."""
        return self.parameter_count * 8 * next(self.parameters()).element_size()

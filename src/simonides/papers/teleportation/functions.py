"""Test functions of two variables, and quadratics, for stacks of points.

Letters: `R` points, `p` variables.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least

Function = Callable[[Float[Tensor, "R p"]], Float[Tensor, " R"]]


def booth(x: Float[Tensor, "R 2"]) -> Float[Tensor, " R"]:
    """(a + 2b - 7)^2 + (2a + b - 5)^2: a quadratic with eigenvalues 2 and 18, least at (1, 3).

    >>> booth(torch.tensor([[1.0, 3.0]]))
    tensor([0.])
    """
    a, b = x.unbind(-1)
    return (a + 2 * b - 7) ** 2 + (2 * a + b - 5) ** 2


def goldstein_price(x: Float[Tensor, "R 2"]) -> Float[Tensor, " R"]:
    """Goldstein & Price (1971): several minima, the least, 3, at (0, -1).

    >>> goldstein_price(torch.tensor([[0.0, -1.0]]))
    tensor([3.])
    """
    a, b = x.unbind(-1)
    first = 1 + (a + b + 1) ** 2 * (19 - 14 * a + 3 * a**2 - 14 * b + 6 * a * b + 3 * b**2)
    second = 30 + (2 * a - 3 * b) ** 2 * (18 - 32 * a + 12 * a**2 + 48 * b - 36 * a * b + 27 * b**2)
    return first * second


def rosenbrock(x: Float[Tensor, "R p"]) -> Float[Tensor, " R"]:
    """sum_i 100 (x_(i+1) - x_i^2)^2 + (1 - x_i)^2, least at (1, ..., 1).

    >>> rosenbrock(torch.ones(1, 3))
    tensor([0.])
    """
    return (100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2).sum(-1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Quadratic:
    """f(x) = x^T A x / 2, with eigenvalues from 1/condition to 1 evenly on a logarithmic axis.

    Arguments:
        matrix: A, symmetric and positive.
    """

    matrix: Float[Tensor, "p p"]

    @classmethod
    def draw(cls, p: int, condition: float, generator: torch.Generator) -> "Quadratic":
        """With eigenvectors at random, in float64.

        Raises:
            SimonidesError: when the condition number is below 1.
        """
        check_at_least("p", p, 2)
        if not condition >= 1:
            raise SimonidesError(f"condition = {condition} is below 1.")
        turned, upper = torch.linalg.qr(torch.randn(p, p, generator=generator, dtype=torch.float64))
        turned = turned * upper.diagonal().sign()
        values = torch.logspace(0, -float(torch.tensor(condition).log10()), p, dtype=torch.float64)
        return cls(matrix=turned * values @ turned.mT)

    def __call__(self, x: Float[Tensor, "R p"]) -> Float[Tensor, " R"]:
        """f."""
        return 0.5 * ((x @ self.matrix) * x).sum(-1)

    def largest_gradient(self, f: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
        """The largest |g| on a level set: sqrt(2 f lambda_max), along the top eigenvector."""
        return (2 * f * torch.linalg.eigvalsh(self.matrix)[-1]).sqrt()

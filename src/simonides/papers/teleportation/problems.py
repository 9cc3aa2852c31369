"""Problems on tables: logistic regression and small networks, as functions of stacked parameter vectors.

Letters: `n` rows, `d` columns, `R` parameter vectors, `p` parameters, `m` hidden units.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_name

TABLES = ("breast cancer", "wine", "iris", "diabetes", "digits 3 or 8", "digits odd", "ill-conditioned")


@dataclass(frozen=True, kw_only=True, eq=False)
class BinaryTable:
    """Rows x, standardised, and classes y of -1 and 1; `constant` names columns that do not vary and were left out."""

    x: Float[Tensor, "n d"]
    y: Float[Tensor, " n"]
    name: str
    constant: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        x: Float[np.ndarray, "n d"],
        positive: Bool[np.ndarray, " n"],
        name: str,
        columns: Sequence[str] | None = None,
    ) -> "BinaryTable":
        """Standardise columns, leaving out those that do not vary.

        Raises:
            SimonidesError: when numbers are not finite, no column varies, or there is one class.
        """
        values = torch.as_tensor(np.asarray(x, dtype=float))
        chosen = torch.as_tensor(np.asarray(positive, dtype=bool))
        if not bool(values.isfinite().all()):
            raise SimonidesError(f"{name} holds numbers that are not finite; leave such rows out.")
        if not bool(chosen.any()) or bool(chosen.all()):
            raise SimonidesError(f"{name} has one class alone; give a target with two.")
        varying = values.amax(0) > values.amin(0)
        if not bool(varying.any()):
            raise SimonidesError(f"{name} has no column that varies.")
        # shares of the largest first, so that neither sums nor squares overflow or vanish
        kept = values[:, varying] / values[:, varying].abs().amax(0)
        kept = kept - kept.mean(0)
        kept = kept / kept.abs().amax(0)
        scaled = (kept - kept.mean(0)) / kept.std(0, correction=0)
        named = columns or [f"column {number + 1}" for number in range(values.shape[1])]
        return cls(
            x=scaled,
            y=torch.where(chosen, 1.0, -1.0).double(),
            name=name,
            constant=tuple(one for one, fine in zip(named, varying.tolist(), strict=True) if not fine),
        )


def packaged_table(name: str, generator: torch.Generator | None = None, condition: float = 1e4) -> BinaryTable:
    """A table of scikit-learn as a question of two classes, or Gaussian rows of a covariance with a given condition.

    Breast cancer is the set of Wisconsin, 569 x 30.

    Arguments:
        name: one of `TABLES`.
        generator: of "ill-conditioned".
        condition: of its covariance.

    Raises:
        SimonidesError: when there is no such table, or scikit-learn is not installed.
    """
    check_name("table", name, TABLES)
    if name == "ill-conditioned":
        return _ill_conditioned(generator or torch.Generator().manual_seed(0), condition)
    try:
        from sklearn import datasets
    except ModuleNotFoundError:
        raise SimonidesError(
            "this table comes from scikit-learn, which is not installed; run: pip install 'simonides[images]'"
        ) from None
    if name == "breast cancer":
        found = datasets.load_breast_cancer()
        return BinaryTable.of(found.data, found.target == 1, name)
    if name == "wine":
        found = datasets.load_wine()
        return BinaryTable.of(found.data, found.target == 1, name)
    if name == "iris":
        found = datasets.load_iris()
        return BinaryTable.of(found.data, found.target == 1, name)
    if name == "diabetes":
        found = datasets.load_diabetes()
        return BinaryTable.of(found.data, found.target > np.median(found.target), name)
    found = datasets.load_digits()
    if name == "digits odd":
        return BinaryTable.of(found.data, found.target % 2 == 1, name)
    chosen = (found.target == 3) | (found.target == 8)
    return BinaryTable.of(found.data[chosen], found.target[chosen] == 8, name)


def _ill_conditioned(generator: torch.Generator, condition: float, n: int = 400, d: int = 20) -> BinaryTable:
    """Gaussian rows, not standardised, of covariance eigenvalues 1 to 1/condition; labels by a noisy plane."""
    turned, _ = torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))
    scales = torch.logspace(0, -0.5 * float(np.log10(condition)), d, dtype=torch.float64)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64) * scales @ turned.mT
    plane = turned @ (torch.randn(d, generator=generator, dtype=torch.float64) / scales)
    noise = torch.randn(n, generator=generator, dtype=torch.float64)
    margins = x @ plane / plane.norm() / x.std() + 0.5 * noise
    return BinaryTable(x=x, y=torch.where(margins > 0, 1.0, -1.0).double(), name=f"condition {condition:g}")


Function = Callable[[Float[Tensor, "R p"]], Float[Tensor, " R"]]


def logistic(table: BinaryTable, penalty: float) -> Function:
    """mean log(1 + e^(-y w^T x)) + penalty |w|^2, with a bias that is penalised too; p = d + 1."""
    x = torch.cat([table.x, torch.ones(len(table.x), 1, dtype=table.x.dtype)], 1)

    def f(w: Float[Tensor, "R p"]) -> Float[Tensor, " R"]:
        return torch.nn.functional.softplus(-(w @ x.mT) * table.y).mean(1) + penalty * w.square().sum(1)

    return f


def network(table: BinaryTable, hidden: int, penalty: float, activation: str = "softplus") -> tuple[Function, int]:
    """The same loss of a network with one hidden layer, and how many parameters it has.

    Raises:
        SimonidesError: when the activation is neither "softplus" nor "relu".
    """
    check_at_least("hidden", hidden, 1)
    check_name("activation", activation, ("softplus", "relu"))
    d = table.x.shape[1]
    act = torch.nn.functional.softplus if activation == "softplus" else torch.relu
    sizes = (hidden * d, hidden, hidden, 1)

    def f(w: Float[Tensor, "R p"]) -> Float[Tensor, " R"]:
        inner, bias, outer, last = w.split(sizes, 1)
        units = act(torch.einsum("nd,rmd->rnm", table.x, inner.unflatten(1, (hidden, d))) + bias[:, None])
        logits = torch.einsum("rnm,rm->rn", units, outer) + last
        return torch.nn.functional.softplus(-logits * table.y).mean(1) + penalty * w.square().sum(1)

    return f, sum(sizes)


def start_of_network(table: BinaryTable, hidden: int, generator: torch.Generator) -> Float[Tensor, " p"]:
    """Weights and biases uniform within 1/sqrt(fan-in), in float64."""
    d = table.x.shape[1]
    inner = (2 * torch.rand(hidden * d + hidden, generator=generator, dtype=torch.float64) - 1) / d**0.5
    outer = (2 * torch.rand(hidden + 1, generator=generator, dtype=torch.float64) - 1) / hidden**0.5
    return torch.cat([inner, outer])

"""Functions of q Gaussian variables by their Hermite coefficients, and what averaging them over noise leaves.

Letters: `q` variables, `k` degree, `R` stacked matrices. h_k are orthonormal Hermite polynomials, H_beta products.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least
from simonides.base.hermite import hermite

# coefficients below this are taken as zero
_NOTHING = 1e-12
# of a tensor, at most
_ENTRIES = 2**20


@dataclass(frozen=True, kw_only=True)
class HermiteTarget:
    """f = sum_beta a_beta H_beta(z), z ~ N(0, I_q).

    Arguments:
        coefficients: a_beta by beta, a tuple of q degrees; the constant may be left out.

    Raises:
        SimonidesError: when there is none, or degrees are not whole numbers, of one length, and not negative.
    """

    coefficients: Mapping[tuple[int, ...], float]

    def __post_init__(self) -> None:
        if not self.coefficients:
            raise SimonidesError("a target needs coefficients, such as {(1, 0): 1.0, (0, 2): 1.0}.")
        lengths = {len(beta) for beta in self.coefficients}
        fine = all(isinstance(k, int) and k >= 0 for beta in self.coefficients for k in beta)
        if len(lengths) != 1 or not fine or min(lengths) < 1:
            raise SimonidesError(
                f"degrees {list(self.coefficients)[:4]}: give tuples of one length, of whole numbers from 0."
            )
        if not all(math.isfinite(value) for value in self.coefficients.values()):
            raise SimonidesError("a coefficient is not finite.")
        if not any(abs(value) > _NOTHING and any(beta) for beta, value in self.coefficients.items()):
            raise SimonidesError("the target is a constant, from which nothing can be learned.")

    @property
    def q(self) -> int:
        """How many variables."""
        return len(next(iter(self.coefficients)))

    @property
    def degree(self) -> int:
        """The highest total degree."""
        return max(sum(beta) for beta, value in self.coefficients.items() if abs(value) > _NOTHING)

    @property
    def variance(self) -> float:
        """sum of a_beta^2 without the constant."""
        return sum(value**2 for beta, value in self.coefficients.items() if any(beta))

    @cached_property
    def active(self) -> dict[tuple[int, ...], float]:
        """Coefficients that are not zero, without the constant."""
        return {beta: value for beta, value in self.coefficients.items() if abs(value) > _NOTHING and any(beta)}

    def __call__(self, z: Float[Tensor, "*rows q"]) -> Float[Tensor, "*rows"]:
        """The values."""
        if z.shape[-1] != self.q:
            raise SimonidesError(f"points have {z.shape[-1]} variables, the target {self.q}.")
        total = torch.zeros(z.shape[:-1], dtype=z.dtype, device=z.device)
        for beta, value in self.coefficients.items():
            term = torch.full_like(total, value)
            for variable, degree in enumerate(beta):
                if degree:
                    term = term * hermite(degree, z[..., variable])
            total = total + term
        return total

    @cached_property
    def tensors(self) -> dict[int, Float[Tensor, "..."]]:
        """For each degree k the symmetric tensor with entries a_beta sqrt(beta!/k!), in float64.

        Its squares sum to those of the coefficients of degree k.
        """
        found: dict[int, Tensor] = {}
        for beta, value in self.active.items():
            k = sum(beta)
            if self.q**k > _ENTRIES:
                raise SimonidesError(
                    f"degree {k} of {self.q} variables has tensors of {self.q**k:,} entries; lower it."
                )
            tensor = found.setdefault(k, torch.zeros((self.q,) * k, dtype=torch.float64))
            entry = value * math.sqrt(math.prod(map(math.factorial, beta)) / math.factorial(k))
            for place in itertools.product(range(self.q), repeat=k):
                if all(place.count(variable) == degree for variable, degree in enumerate(beta)):
                    tensor[place] = entry
        return found


def from_function(
    function: Callable[[Float[Tensor, "n q"]], Float[Tensor, " n"]], q: int, degree: int, nodes: int = 40
) -> HermiteTarget:
    """The Hermite expansion of a function up to a total degree, by Gauss-Hermite quadrature.

    Exact for polynomials whose degree and `degree` add up to less than twice the nodes; a kink costs accuracy.

    Arguments:
        function: of stacked points, in float64.
        q: variables, at most four.
        degree: up to which.
        nodes: of the quadrature, for each variable.

    Raises:
        SimonidesError: when q is above four, or the function is not finite.

    >>> target = from_function(lambda z: z[:, 0] * z[:, 1], q=2, degree=3)
    >>> {beta: round(value, 6) for beta, value in target.active.items()}
    {(1, 1): 1.0}
    """
    check_at_least("q", q, 1)
    check_at_least("degree", degree, 1)
    if not degree < nodes <= 100 or degree > 30:
        raise SimonidesError(
            f"degree = {degree}, nodes = {nodes}: give a degree up to 30, and more nodes, up to 100."
        )
    if q > 4:
        raise SimonidesError(f"q = {q}: quadrature on a grid is for at most four variables; give coefficients.")
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights = weights / weights.sum()
    grid = torch.from_numpy(np.array(list(itertools.product(points, repeat=q))))
    mass = torch.from_numpy(np.array([math.prod(w) for w in itertools.product(weights, repeat=q)]))
    values = function(grid)
    if not isinstance(values, Tensor) or values.shape != (len(grid),):
        came = f"shape {list(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise SimonidesError(
            f"the function gave {came} for {len(grid)} points; give a tensor of one number a point."
        )
    if not bool(values.isfinite().all()):
        raise SimonidesError("the function is not finite everywhere.")
    found: dict[tuple[int, ...], float] = {}
    for beta in itertools.product(range(degree + 1), repeat=q):
        if sum(beta) <= degree:
            basis = torch.ones_like(mass)
            for variable, k in enumerate(beta):
                basis = basis * hermite(k, grid[:, variable])
            value = float((mass * basis * values).sum())
            if abs(value) > 1e-10:
                found[beta] = value
    return HermiteTarget(coefficients=found)


def staircase(q: int) -> HermiteTarget:
    """z_1 + z_1 z_2 + ... + z_1 ... z_q: each step leads to the next."""
    check_at_least("q", q, 1)
    return HermiteTarget(coefficients={tuple([1] * k + [0] * (q - k)): 1.0 for k in range(1, q + 1)})


def parity(q: int) -> HermiteTarget:
    """z_1 ... z_q."""
    check_at_least("q", q, 1)
    return HermiteTarget(coefficients={(1,) * q: 1.0})


def harmonic(degrees: Mapping[int, float]) -> HermiteTarget:
    """sum_l c_l Re (z_1 + i z_2)^l, each term normalised: cos(l theta) times r^l in polar coordinates.

    Arguments:
        degrees: c_l by l.
    """
    found: dict[tuple[int, ...], float] = {}
    for degree, size in degrees.items():
        check_at_least("degree", degree, 1)
        terms = {
            (degree - j, j): math.comb(degree, j)
            * (-1) ** (j // 2)
            * math.sqrt(math.factorial(degree - j) * math.factorial(j))
            for j in range(0, degree + 1, 2)
        }
        norm = math.sqrt(sum(value**2 for value in terms.values()))
        for beta, value in terms.items():
            found[beta] = found.get(beta, 0.0) + size * value / norm
    return HermiteTarget(coefficients=found)


def radial(q: int, degree: int) -> HermiteTarget:
    """The part of that degree of |z|^degree, normalised: it looks the same from all sides.

    Raises:
        SimonidesError: when the degree is odd.
    """
    check_at_least("q", q, 1)
    check_at_least("degree", degree, 2)
    if degree % 2:
        raise SimonidesError(f"degree = {degree}: a radial function has even degrees.")
    half = degree // 2
    found = {}
    for parts in itertools.product(range(half + 1), repeat=q):
        if sum(parts) == half:
            beta = tuple(2 * part for part in parts)
            # |z|^(2 half) has the multinomial of the parts before z^beta, whose leading Hermite part is sqrt(beta!)
            multinomial = math.factorial(half) / math.prod(map(math.factorial, parts))
            found[beta] = multinomial * math.sqrt(math.prod(map(math.factorial, beta)))
    norm = math.sqrt(sum(value**2 for value in found.values()))
    return HermiteTarget(coefficients={beta: value / norm for beta, value in found.items()})


def pulled(target: HermiteTarget, m: Float[Tensor, "R q q"]) -> Float[Tensor, "R q q"]:
    """sum_k k (T_k, contracted over all but one slot with m applied to those of another T_k): d<A_m f, f>/dm.

    <A_m f, f> = sum_k <T_k, m^(x k) T_k>; A_m averages f over the noise that m leaves (Mehler's semigroup).
    """
    q = target.q
    total = torch.zeros_like(m)
    for k, tensor in target.tensors.items():
        flat = tensor.to(m).reshape(q, -1)
        applied = tensor.to(m).expand(len(m), *tensor.shape)
        for slot in range(1, k):
            applied = torch.einsum("rab,rb...->ra...", m, applied.movedim(slot + 1, 1)).movedim(1, slot + 1)
        total = total + k * torch.einsum("iJ,rjJ->rij", flat, applied.reshape(len(m), q, -1))
    return total


def kept(target: HermiteTarget, m: Float[Tensor, "R q q"]) -> Float[Tensor, " R"]:
    """<A_m f, f> without the constant: what a noisy look at f keeps of its variance."""
    total = torch.zeros(len(m), dtype=m.dtype, device=m.device)
    for tensor in target.tensors.values():
        applied = tensor.to(m).expand(len(m), *tensor.shape)
        for slot in range(tensor.dim()):
            applied = torch.einsum("rab,rb...->ra...", m, applied.movedim(slot + 1, 1)).movedim(1, slot + 1)
        total = total + (applied.reshape(len(m), -1) * tensor.to(m).reshape(-1)).sum(1)
    return total

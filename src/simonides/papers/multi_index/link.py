"""Links in products of Hermite polynomials: features, their gradients, and the ridge fit for given directions.

Letters: `n` samples, `d` features, `r` directions, `F` products of total degree at most `degree`.
"""

import itertools
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from simonides.base import check_at_least


@cache
def exponents(r: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """Degrees of every product, the constant first, by total degree."""
    check_at_least("r", r, 1)
    check_at_least("degree", degree, 1)
    every = (beta for beta in itertools.product(range(degree + 1), repeat=r) if sum(beta) <= degree)
    return tuple(sorted(every, key=lambda beta: (sum(beta), beta)))


def tables(z: Float[np.ndarray, "n r"], degree: int) -> Float[np.ndarray, "degrees n r"]:
    """h_0(z) ... h_degree(z), orthonormal under N(0, 1)."""
    found = np.empty((degree + 1, *z.shape))
    found[0] = 1.0
    found[1] = z
    for k in range(1, degree):
        found[k + 1] = (z * found[k] - k**0.5 * found[k - 1]) / (k + 1) ** 0.5
    return found


def features(table: Float[np.ndarray, "degrees n r"], degree: int) -> Float[np.ndarray, "n F"]:
    """The products H_beta(z)."""
    r = table.shape[2]
    out = np.ones((table.shape[1], len(exponents(r, degree))))
    for place, beta in enumerate(exponents(r, degree)):
        for variable, k in enumerate(beta):
            if k:
                out[:, place] *= table[k, :, variable]
    return out


def gradients(
    table: Float[np.ndarray, "degrees n r"], coefficients: Float[np.ndarray, " F"], degree: int
) -> Float[np.ndarray, "n r"]:
    """d/dz of sum_beta b_beta H_beta(z): h_k' = sqrt(k) h_(k-1)."""
    r = table.shape[2]
    out = np.zeros(table.shape[1:])
    for value, beta in zip(coefficients, exponents(r, degree), strict=True):
        for variable, k in enumerate(beta):
            if not k:
                continue
            term = value * k**0.5 * table[k - 1, :, variable]
            for other, power in enumerate(beta):
                if power and other != variable:
                    term = term * table[power, :, other]
            out[:, variable] += term
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """The best link for some directions.

    Arguments:
        loss: half the mean squared residual, without the ridge's term.
        coefficients: b.
        slope: the gradient of the loss in the directions, along the Grassmannian.
        energy: E[grad f grad f^T] over the samples.
    """

    loss: float
    coefficients: Float[np.ndarray, " F"]
    slope: Float[np.ndarray, "d r"]
    energy: Float[np.ndarray, "r r"]


def fit_link(
    x: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    w: Float[np.ndarray, "d r"],
    degree: int,
    ridge: float,
    slope: bool = True,
) -> Fit:
    """Ridge regression of y on the products, and the slope of its loss in w.

    The link's own change does not enter the slope: it is the best one, up to the ridge (the envelope theorem).
    """
    n = len(x)
    table = tables(x @ w, degree)
    psi = features(table, degree)
    gram = psi.T @ psi / n
    gram[np.diag_indices(len(gram))] += ridge * (np.arange(len(gram)) > 0) + 1e-12
    b = np.linalg.solve(gram, psi.T @ y / n)
    residual = psi @ b - y
    loss = 0.5 * float(residual @ residual) / n
    if not slope:
        return Fit(loss=loss, coefficients=b, slope=np.zeros_like(w), energy=np.zeros((w.shape[1],) * 2))
    inner = gradients(table, b, degree)
    g = x.T @ (residual[:, None] * inner) / n
    return Fit(loss=loss, coefficients=b, slope=g - w @ (w.T @ g), energy=inner.T @ inner / n)

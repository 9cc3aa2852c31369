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


def tables(z: Float[np.ndarray, "n r"], degree: int) -> Float[np.ndarray, "degrees r n"]:
    """h_0(z) ... h_degree(z), orthonormal under N(0, 1); samples last, so that each is one piece of memory."""
    columns = np.ascontiguousarray(z.T)
    found = np.empty((degree + 1, *columns.shape))
    found[0] = 1.0
    found[1] = columns
    for k in range(1, degree):
        np.multiply(columns, found[k], out=found[k + 1])
        found[k + 1] -= k**0.5 * found[k - 1]
        found[k + 1] /= (k + 1) ** 0.5
    return found


def features(table: Float[np.ndarray, "degrees r n"], degree: int) -> Float[np.ndarray, "F n"]:
    """The products H_beta(z)."""
    r, n = table.shape[1:]
    out = np.empty((len(exponents(r, degree)), n))
    for place, beta in enumerate(exponents(r, degree)):
        factors = [table[k, variable] for variable, k in enumerate(beta) if k]
        if not factors:
            out[place] = 1.0
        elif len(factors) == 1:
            out[place] = factors[0]
        else:
            np.multiply(factors[0], factors[1], out=out[place])
            for factor in factors[2:]:
                out[place] *= factor
    return out


def gradients(
    table: Float[np.ndarray, "degrees r n"], coefficients: Float[np.ndarray, " F"], degree: int
) -> Float[np.ndarray, "r n"]:
    """d/dz of sum_beta b_beta H_beta(z): h_k' = sqrt(k) h_(k-1)."""
    return _lowered(coefficients, table.shape[1], degree) @ features(table, degree)


def _lowered(coefficients: Float[np.ndarray, " F"], r: int, degree: int) -> Float[np.ndarray, "r F"]:
    """Coefficients of each derivative, which is a sum of the same products."""
    places = {beta: place for place, beta in enumerate(exponents(r, degree))}
    lowered = np.zeros((r, len(places)))
    for beta, place in places.items():
        for variable, k in enumerate(beta):
            if k:
                lower = tuple(power - (other == variable) for other, power in enumerate(beta))
                lowered[variable, places[lower]] += coefficients[place] * k**0.5
    return lowered


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
    psi = features(tables(x @ w, degree), degree)
    gram = psi @ psi.T / n
    gram[np.diag_indices(len(gram))] += ridge * (np.arange(len(gram)) > 0) + 1e-12
    b = np.linalg.solve(gram, psi @ y / n)
    residual = b @ psi - y
    loss = 0.5 * float(residual @ residual) / n
    if not slope:
        return Fit(loss=loss, coefficients=b, slope=np.zeros_like(w), energy=np.zeros((w.shape[1],) * 2))
    inner = _lowered(b, w.shape[1], degree) @ psi
    g = x.T @ (residual * inner).T / n
    return Fit(loss=loss, coefficients=b, slope=g - w @ (w.T @ g), energy=inner @ inner.T / n)

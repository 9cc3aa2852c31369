"""Classical ways to find the directions that a response depends on, to be compared with, and moments as a start.

Letters: `n` samples, `d` whitened features, `r` directions.
"""

import numpy as np
from jaxtyping import Float

# third moments are formed up to this many features: d^3 numbers
THIRD_MOST = 64


def sliced_inverse_regression(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], r: int, slices: int = 10
) -> Float[np.ndarray, "d r"]:
    """Top directions of the means of x in slices of y (Li 1991): blind where E[x | y] is zero, as for even links."""
    means = np.array([x[part].mean(0) for part in _slices(y, slices)])
    weights = np.array([len(part) for part in _slices(y, slices)]) / len(y)
    return _top((means * weights[:, None]).T @ means, r)


def sliced_average_variance(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], r: int, slices: int = 10
) -> Float[np.ndarray, "d r"]:
    """Top directions of (I - Cov[x | slice])^2 (Cook & Weisberg 1991)."""
    d = x.shape[1]
    total = np.zeros((d, d))
    for part in _slices(y, slices):
        apart = np.eye(d) - np.cov(x[part], rowvar=False, bias=True).reshape(d, d)
        total += len(part) / len(y) * apart @ apart
    return _top(total, r)


def principal_hessian_directions(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], r: int
) -> Float[np.ndarray, "d r"]:
    """Directions of the largest eigenvalues, by size, of E[(y - mean) x x^T] (Li 1992): blind to odd links."""
    second = (x * (y - y.mean())[:, None]).T @ x / len(y)
    return _top(second @ second, r)


def moment_directions(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], r: int, degree: int
) -> Float[np.ndarray, "d r"]:
    """Top directions of the k-th Hermite moments E[y H_k(x)], unfolded to d x d^(k-1), k = 1, 2 or 3."""
    centred = y - y.mean()
    n, d = x.shape
    first = x.T @ centred / n
    if degree == 1:
        return _top(np.outer(first, first), r)
    second = (x * centred[:, None]).T @ x / n
    if degree == 2:
        return _top(second @ second, r)
    third = np.zeros((d, d * d))
    for rows in np.array_split(np.arange(n), max(1, n * d * d // 20_000_000)):
        part = x[rows]
        third += (part * centred[rows, None]).T @ (part[:, :, None] * part[:, None, :]).reshape(len(rows), -1)
    cube = (third / n).reshape(d, d, d)
    eye = np.eye(d)
    # He_3(x) = x x x less x_i 1{j = k} in each of three ways
    cube -= (
        first[:, None, None] * eye
        + first[None, :, None] * eye[:, None, :]
        + first[None, None, :] * eye[:, :, None]
    )
    flat = cube.reshape(d, -1)
    return _top(flat @ flat.T, r)


def _slices(y: np.ndarray, count: int) -> list[np.ndarray]:
    """Rows in slices of about equal size by y."""
    parts = np.array_split(np.argsort(y, kind="stable"), min(count, max(2, len(y) // 2)))
    return [part for part in parts if len(part)]


def _top(matrix: np.ndarray, r: int) -> Float[np.ndarray, "d r"]:
    """Eigenvectors of the largest eigenvalues."""
    return np.linalg.eigh(0.5 * (matrix + matrix.T))[1][:, ::-1][:, :r].copy()

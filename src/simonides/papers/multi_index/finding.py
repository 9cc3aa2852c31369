"""Directions of a table, with scores on rows held out beside those of a line and of classical directions."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Num
from scipy.stats import kurtosis

from simonides.base import SimonidesError, check_seed
from simonides.papers.multi_index.classical import sliced_average_variance, sliced_inverse_regression
from simonides.papers.multi_index.estimator import MultiIndexRegressor
from simonides.papers.multi_index.link import features, fit_link, tables

_HELD_OUT = 0.25
# excess kurtosis beyond which a column is far from Gaussian
_HEAVY = 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What was found of a table.

    Arguments:
        model: fitted on all rows but those held out.
        columns: names.
        rows: how many there are.
        x, y: the held-out rows.
        scores: R^2 on them, by method.
        warning: of columns far from Gaussian; empty where there is none.
    """

    model: MultiIndexRegressor
    columns: tuple[str, ...]
    rows: int
    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    scores: dict[str, float]
    warning: str

    @property
    def weights(self) -> Float[np.ndarray, "r d"]:
        """By how much a standard deviation of each column moves each index."""
        return (self.model.projection_ * self.model.scale_[:, None]).T

    def told(self) -> dict[str, Any]:
        """As a dictionary of plain values."""
        return {
            "rows": self.rows,
            "columns": list(self.columns),
            "components": self.model.components_.tolist(),
            "weights": self.weights.tolist(),
            "mean_squared_slopes": self.model.eigenvalues_.tolist(),
            "scores": self.scores,
            "may_hide": self.model.may_hide(),
            "warning": self.warning,
        }


def find_directions(
    x: Num[np.ndarray, "n d"],
    y: Num[np.ndarray, " n"],
    columns: Sequence[str],
    components: int | str = "auto",
    degree: int = 3,
    seed: int = 0,
) -> Found:
    """Fit on three quarters of the rows, and score on the rest.

    Arguments:
        x: columns of numbers.
        y: what is to be predicted.
        columns: names of x.
        components: how many directions, or "auto".
        degree: of the link.
        seed: of random starts and the rows held out.

    Raises:
        SimonidesError: when there are fewer than 20 rows, or the target does not vary.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 2 or y.shape != (len(x),) or len(columns) != x.shape[1]:
        raise SimonidesError(
            f"x has shape {list(x.shape)}, y {list(y.shape)}, with {len(columns)} names; give (n, d), (n,) and d names."
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise SimonidesError("the table holds numbers that are not finite.")
    check_seed(seed)
    if len(x) < 20:
        raise SimonidesError(f"{len(x)} rows; give at least 20, a quarter of which are held out.")
    if not np.ptp(y) > 0:
        raise SimonidesError("the target is always the same; there is nothing to predict.")
    if not (np.ptp(x, axis=0) > 1e-13 * np.abs(x).max(0)).any():
        raise SimonidesError("no column varies; there is nothing to predict from.")
    order = np.random.default_rng(seed).permutation(len(x))
    held = int(_HELD_OUT * len(x))
    test, train = order[:held], order[held:]
    if not np.ptp(y[train]) > 0 or not np.ptp(y[test]) > 0:
        raise SimonidesError("the target hardly ever varies; give more rows, or another seed.")
    try:
        model = MultiIndexRegressor(components, degree=degree, random_state=seed % 2**32).fit(x[train], y[train])
    except ValueError as error:  # in scikit-learn's words
        raise SimonidesError(str(error)) from None
    scores = {f"a polynomial of degree {degree} in {len(model.components_)}": float(model.score(x[test], y[test]))}
    line = np.linalg.lstsq(_one(x[train]), y[train], rcond=None)[0]
    scores["a line"] = _r_squared(_one(x[test]) @ line, y[test])
    white = (x - model.mean_) @ model._unwhiten
    aim = (y - model.target_mean_) / model.target_scale_
    for name, method in (
        ("sliced inverse regression", sliced_inverse_regression),
        ("SAVE", sliced_average_variance),
    ):
        w = method(white[train], y[train], len(model.components_))
        link = fit_link(white[train], aim[train], w, degree, model.ridge, slope=False).coefficients
        z = white @ w
        inside = np.clip(z[test], z[train].min(0), z[train].max(0))
        values = link @ features(tables(inside, degree), degree)
        scores[f"{name}'s directions, the same link"] = _r_squared(values, aim[test])
    with warnings.catch_warnings():  # of columns that do not vary
        warnings.simplefilter("ignore")
        far = [name for name, value in zip(columns, kurtosis(x, axis=0), strict=True) if abs(value) > _HEAVY]
    told = f"far from Gaussian, for which the theory is: {', '.join(far[:6])}" if far else ""
    return Found(
        model=model, columns=tuple(columns), rows=len(x), x=x[test], y=y[test], scores=scores, warning=told
    )


def _one(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d_and_1"]:
    return np.concatenate([x, np.ones((len(x), 1))], 1)


def _r_squared(values: np.ndarray, y: np.ndarray) -> float:
    return 1 - float(np.mean((values - y) ** 2) / np.var(y))

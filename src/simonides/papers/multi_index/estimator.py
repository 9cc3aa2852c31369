"""`MultiIndexRegressor`: a scikit-learn estimator that finds the few directions a response depends on.

Letters: `n` samples, `d` features, `r` directions.
"""

from math import comb
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from simonides.base import SimonidesError
from simonides.papers.multi_index.classical import THIRD_MOST, moment_directions
from simonides.papers.multi_index.link import Fit, features, fit_link, tables

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, RegressorMixin, TransformerMixin
    from sklearn.utils import check_random_state
    from sklearn.utils._param_validation import Interval, StrOptions
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError:
    raise SimonidesError(
        "MultiIndexRegressor is an estimator of scikit-learn, which is not installed; run: "
        "pip install 'simonides[tabular]'"
    ) from None

# directions that "auto" tries, and what share of the variance the next one must explain on rows held out
_MOST, _GAIN, _HELD_OUT = 4, 0.01, 0.25
# of a link, at most
_PRODUCTS = 3000
# steps, and rows at least, of the trial of each start
_TRIAL, _FEW, _LARGEST_STEP = 8, 5000, 1e3


class MultiIndexRegressor(ClassNamePrefixFeaturesOutMixin, TransformerMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regression of y on a polynomial of a few linear combinations of the features, found by gradient descent.

    The directions W follow the gradient of the loss on the Grassmannian; the link is the ridge fit in products of
    Hermite polynomials for the W of every step (two time scales; Bietti, Bruna & Pillaud-Vivien 2023). Features are
    whitened, as the theory asks for Gaussian ones. Starts are the leading directions of the Hermite moments of the data
    and random ones; the best after a few steps goes on.

    What may stay hidden: a polynomial of degree p sees no direction of exponent above p, and one of exponent s takes
    about d^s rows to be seen; `may_hide()` says what that means for the data it was fitted on.

    Arguments:
        n_components: how many directions; "auto" adds one as long as it explains a hundredth more of the variance of
            rows held out, up to four.
        degree: total degree of the link.
        ridge: penalty on the link's coefficients, y having unit variance.
        max_iter: steps of descent.
        tol: descent ends when `patience` steps lower the loss by less than this share of the variance.
        patience: steps that a plateau may last.
        n_init: random starts beside those from moments.
        random_state: of the random starts and the rows held out; as scikit-learn has it.

    Attributes:
        `components_`: (n_components, n_features), an orthonormal basis of the directions, the most important first.
        `projection_`: (n_features, n_components), what `transform` multiplies centred features with: indices of unit
            variance, uncorrelated.
        `eigenvalues_`: (n_components,), mean squared slope of the link along each index, y having unit variance.
        `link_`: coefficients of the products of Hermite polynomials of the indices, y having unit variance.
        `trajectory_`: share of the variance that is not explained, along descent.
        `n_iter_`: steps that were made.
        `mean_`, `scale_`, `target_mean_`, `target_scale_`: of the training data.

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 8))
    >>> model = MultiIndexRegressor(n_components=2, random_state=0).fit(X, X[:, 0] * X[:, 1])
    >>> bool(model.score(X, X[:, 0] * X[:, 1]) > 0.99)
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "degree": [Interval(Integral, 1, 10, closed="both")],
        "ridge": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "n_init": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int | str = 2,
        *,
        degree: int = 3,
        ridge: float = 1e-4,
        max_iter: int = 300,
        tol: float = 1e-4,
        patience: int = 20,
        n_init: int = 4,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.degree = degree
        self.ridge = ridge
        self.max_iter = max_iter
        self.tol = tol
        self.patience = patience
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "MultiIndexRegressor":
        """Find the directions and the link.

        Arguments:
            X: (n_samples, n_features).
            y: (n_samples,).
        """
        self._validate_params()
        X, y = validate_data(self, X, y, y_numeric=True, dtype=np.float64, ensure_min_samples=2)
        y = np.asarray(y, dtype=np.float64)
        most = _MOST if self.n_components == "auto" else int(self.n_components)
        if comb(most + int(self.degree), most) > _PRODUCTS:
            raise ValueError(
                f"a link of degree {self.degree} in {most} directions has more than {_PRODUCTS:,} products; lower one."
            )
        random = check_random_state(self.random_state)
        white, self._unwhiten = self._whitened(X)
        rank = white.shape[1]
        if self.n_components != "auto" and self.n_components > max(rank, 1):
            raise ValueError(
                f"n_components={self.n_components} directions do not fit into {X.shape[1]} feature(s) of rank {rank} "
                f"(n_features = {X.shape[1]}, n_samples = {len(X)}); give at most {max(rank, 1)}."
            )
        with np.errstate(over="ignore"):  # told below
            self.target_mean_, spread = float(y.mean()), float(y.std())
        if not np.isfinite(spread) or (spread == 0 and np.ptp(y) > 0):
            raise ValueError("the spread of y is beyond double precision; rescale y.")
        self.target_scale_ = spread if spread > 0 else 1.0
        aim = (y - self.target_mean_) / self.target_scale_
        count = self._auto(white, aim, random) if self.n_components == "auto" else int(self.n_components)
        w, found, losses = self._descend(white, aim, count, random)
        self._finish(white, aim, w, found, losses)
        return self

    def transform(self, X: Any) -> Float[np.ndarray, "n r"]:
        """The indices of each row."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return (X - self.mean_) @ self.projection_

    def predict(self, X: Any) -> Float[np.ndarray, " n"]:
        """The link at the indices of each row, which are kept within the range of the training data."""
        return self.link(self.transform(X))

    def link(self, z: Float[np.ndarray, "n r"]) -> Float[np.ndarray, " n"]:
        """The prediction at given indices, which are kept within the range of the training data."""
        check_is_fitted(self)
        values = self.link_ @ features(tables(np.clip(z, *self._range), self._degree), self._degree)
        return self.target_mean_ + self.target_scale_ * values

    def may_hide(self) -> str:
        """What kind of directions the fit cannot have seen, from the numbers of rows and features and the degree."""
        check_is_fitted(self)
        d, n = self.n_features_in_, self._rows
        seen = max((s for s in range(1, self._degree + 1) if d**s <= n), default=1)
        needed = ", ".join(f"{d**s:,} for s = {s}" for s in range(1, 5))
        return (
            f"{n:,} rows of {d} features: directions of exponent above {seen} may be hidden (one of exponent s takes "
            f"about d^s rows: {needed}); a link of degree {self._degree} sees none above {self._degree}."
        )

    @property
    def _n_features_out(self) -> int:
        return int(self.components_.shape[0])

    def _whitened(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features of mean zero, uncorrelated, of unit variance, without directions that do not vary."""
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            self.mean_ = X.mean(0)
            centred = X - self.mean_
            spread, range_ = centred.std(0), np.ptp(X, axis=0)
        if not np.isfinite(spread).all() or ((spread == 0) & (range_ > 0)).any():
            raise ValueError("the spread of a column is beyond double precision; rescale it.")
        varies = range_ > 1e-13 * np.abs(X).max(0)
        self.scale_ = np.where(varies, spread, 1.0)
        centred = np.where(varies, centred, 0.0)
        values, vectors = np.linalg.eigh((centred / self.scale_).T @ (centred / self.scale_) / len(X))
        kept = values > 1e-10 * max(values[-1], 1e-10)
        # no more directions than rows allow
        unwhiten = (vectors[:, kept] / np.sqrt(values[kept])) / self.scale_[:, None]
        return centred @ unwhiten, unwhiten

    def _auto(self, x: np.ndarray, y: np.ndarray, random: np.random.RandomState) -> int:
        """How many directions explain more of rows held out."""
        order = random.permutation(len(x))
        held = max(1, int(_HELD_OUT * len(x)))
        test, train = order[:held], order[held:]
        if len(train) < 10 or x.shape[1] < 1:
            return 1
        best, best_score = 1, -np.inf
        for count in range(1, min(_MOST, x.shape[1]) + 1):
            w, found, _ = self._descend(x[train], y[train], count, random)
            values = found.coefficients @ features(tables(x[test] @ w, self.degree), self.degree)
            score = 1 - float(np.mean((values - y[test]) ** 2))
            if score < best_score + _GAIN:
                break
            best, best_score = count, score
        return best

    def _descend(
        self, x: np.ndarray, y: np.ndarray, count: int, random: np.random.RandomState
    ) -> tuple[np.ndarray, Fit, list[float]]:
        """From the best of several starts to a minimum."""
        d = x.shape[1]
        if d == 0:  # nothing varies: the mean is all there is
            w = np.zeros((0, count))
            return w, fit_link(x, y, w, self.degree, self.ridge), [float(np.mean(y**2))]
        count = min(count, d)
        starts = [moment_directions(x, y, count, k) for k in (1, 2, 3) if k < 3 or d <= THIRD_MOST]
        # the leading direction of each moment together
        leading = np.concatenate([start[:, :1] for start in starts], 1)
        starts.append(self._filled(leading[:, :count], count, random))
        starts += [self._filled(np.zeros((d, 0)), count, random) for _ in range(self.n_init)]
        # which start is best shows on some of the rows
        few = max(_FEW, 10 * d * d)
        rows = random.permutation(len(x))[:few] if len(x) > few else slice(None)
        tried = [self._run(x[rows], y[rows], start, min(_TRIAL, self.max_iter)) for start in starts]
        w = min(tried, key=lambda one: one[1].loss)[0]
        return self._run(x, y, w, self.max_iter)

    @staticmethod
    def _filled(w: np.ndarray, count: int, random: np.random.RandomState) -> np.ndarray:
        """Orthonormal directions that begin with those given; the others are drawn at random."""
        drawn = random.standard_normal((len(w), count - w.shape[1]))
        return np.linalg.qr(np.concatenate([w, drawn], 1))[0]

    def _run(self, x: np.ndarray, y: np.ndarray, w: np.ndarray, steps: int) -> tuple[np.ndarray, Fit, list[float]]:
        """Descent with Armijo's rule; each step begins at twice the last size."""
        here = fit_link(x, y, w, self.degree, self.ridge)
        losses, size = [2 * here.loss], 1.0
        for _ in range(steps):
            square = float((here.slope**2).sum())
            if square < 1e-20:
                break
            moved = False
            for _ in range(30):
                trial = np.linalg.qr(w - size * here.slope)[0]
                there = fit_link(x, y, trial, self.degree, self.ridge)
                if there.loss <= here.loss - 1e-4 * size * square:
                    w, here, moved = trial, there, True
                    break
                size *= 0.5
            if not moved:
                break
            losses.append(2 * here.loss)
            size = min(2 * size, _LARGEST_STEP)
            if len(losses) > self.patience and losses[-self.patience - 1] - losses[-1] < self.tol:
                break
        return w, here, losses

    def _finish(self, x: np.ndarray, y: np.ndarray, w: np.ndarray, found: Fit, losses: list[float]) -> None:
        """Turn the indices so that the link's slopes are uncorrelated, the steepest first, and keep what was found."""
        energies, turn = np.linalg.eigh(found.energy)
        w = w @ turn[:, ::-1]
        # the same sign for the same data, whichever way eigenvectors point
        projection = self._unwhiten @ w
        sign = np.sign(projection[np.abs(projection).argmax(0), np.arange(projection.shape[1])])
        w, projection = w * sign, projection * sign
        final = fit_link(x, y, w, self.degree, self.ridge, slope=False)
        z = x @ w
        self.projection_ = projection
        self.components_ = _orthonormal(projection)
        self.eigenvalues_ = energies[::-1].copy()
        self.link_ = final.coefficients
        self.trajectory_ = np.array(losses)
        self.n_iter_ = max(1, len(losses) - 1)
        self._range = (z.min(0), z.max(0))
        self._rows, self._degree = len(x), self.degree


def _orthonormal(projection: Float[np.ndarray, "d r"]) -> Float[np.ndarray, "r d"]:
    """Rows that span what the columns do, the first along the first."""
    q, upper = np.linalg.qr(projection)
    return (q * np.where(np.diag(upper) < 0, -1.0, 1.0)).T.copy()

"""The estimator as scikit-learn has them, on directions that it must find, and the command."""

import json

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from simonides.base import SimonidesError

pytest.importorskip("sklearn")
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from simonides.papers.multi_index.classical import (
    moment_directions,
    principal_hessian_directions,
    sliced_average_variance,
    sliced_inverse_regression,
)
from simonides.papers.multi_index.estimator import MultiIndexRegressor
from simonides.papers.multi_index.finding import find_directions
from simonides.papers.multi_index.link import exponents, features, fit_link, gradients, tables


@parametrize_with_checks([MultiIndexRegressor(max_iter=20, n_init=1, random_state=0)])
def test_it_is_an_estimator(estimator, check, unchecked):
    check(estimator)


def h2(z):
    return (z**2 - 1) / 2**0.5


def h3(z):
    return (z**3 - 3 * z) / 6**0.5


LINKS = {
    "z1 z2": lambda a, b: a * b,
    "h1 + h2": lambda a, b: a + h2(b),
    "h2 + h3": lambda a, b: h2(a) + h3(b),
    "h3 + h3": lambda a, b: h3(a) + h3(b),
}


def problem(name, n=3000, d=8, seed=0, noise=0.1):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, d)) @ random.normal(size=(d, d)) + random.normal(size=d)
    w = random.normal(size=(d, 2))
    white = np.linalg.cholesky(np.linalg.inv(w.T @ np.cov(x, rowvar=False) @ w))
    z = (x - x.mean(0)) @ w @ white
    return x, LINKS[name](z[:, 0], z[:, 1]) + noise * random.normal(size=n), w


@pytest.mark.parametrize("name", LINKS)
def test_directions_of_every_exponent_are_found(name):
    x, y, w = problem(name)
    model = MultiIndexRegressor(2, random_state=0).fit(x, y)
    assert np.degrees(subspace_angles(w, model.components_.T)).max() < 3
    assert model.score(x, y) > 0.95
    assert np.allclose(model.components_ @ model.components_.T, np.eye(2), atol=1e-9)
    z = model.transform(x)
    assert np.allclose(np.cov(z, rowvar=False, bias=True), np.eye(2), atol=1e-6)
    assert (np.diff(model.trajectory_) <= 1e-12).all() and model.eigenvalues_[0] >= model.eigenvalues_[1]


def test_auto_finds_how_many():
    x, y, _ = problem("h1 + h2")
    assert len(MultiIndexRegressor("auto", random_state=0).fit(x, y).components_) == 2
    assert len(MultiIndexRegressor("auto", random_state=0).fit(x, x[:, 0]).components_) == 1


def test_pipelines_searches_and_frames():
    pandas = pytest.importorskip("pandas")
    x, y, _ = problem("z1 z2", n=400, d=4)
    pipe = make_pipeline(StandardScaler(), MultiIndexRegressor(2, max_iter=40, n_init=1, random_state=0))
    search = GridSearchCV(pipe, {"multiindexregressor__degree": [1, 2]}, cv=2).fit(x, y)
    assert search.best_params_ == {"multiindexregressor__degree": 2}
    frame = pandas.DataFrame(x, columns=list("abcd"))
    model = MultiIndexRegressor(1, max_iter=5, random_state=0).set_output(transform="pandas").fit(frame, y)
    assert list(model.transform(frame).columns) == ["multiindexregressor0"]
    assert list(model.feature_names_in_) == list("abcd")


def test_what_may_hide_is_said():
    x, y, _ = problem("z1 z2", n=400, d=8)
    said = MultiIndexRegressor(2, max_iter=5, random_state=0).fit(x, y).may_hide()
    assert "exponent above 2 may be hidden" in said and "512 for s = 3" in said


def test_collinear_and_constant_columns_are_no_trouble():
    x, y, _ = problem("z1 z2", n=500, d=4)
    wide = np.concatenate([x, x[:, :1] * 2, np.full((500, 1), 7.0)], 1)
    model = MultiIndexRegressor(2, random_state=0).fit(wide, y)
    assert model.score(wide, y) == pytest.approx(
        MultiIndexRegressor(2, random_state=0).fit(x, y).score(x, y), abs=0.02
    )
    with pytest.raises(ValueError, match="do not fit"):
        MultiIndexRegressor(5).fit(wide, y)


def test_links_and_their_gradients():
    random = np.random.default_rng(0)
    z = random.normal(size=(200_000, 2))
    psi = features(tables(z, 3), 3)
    assert np.allclose(psi @ psi.T / psi.shape[1], np.eye(len(exponents(2, 3))), atol=0.06)
    b = random.normal(size=len(psi))
    found = gradients(tables(z[:5], 3), b, 3)
    for variable in range(2):
        step = np.zeros(2)
        step[variable] = 1e-6
        ahead, behind = (b @ features(tables(z[:5] + sign * step, 3), 3) for sign in (1, -1))
        assert np.allclose(found[variable], (ahead - behind) / 2e-6, atol=1e-5)


def test_the_slope_is_that_of_the_loss():
    random = np.random.default_rng(1)
    x, y = random.normal(size=(300, 5)), random.normal(size=300)
    w = np.linalg.qr(random.normal(size=(5, 2)))[0]
    fit = fit_link(x, y, w, 3, 0.0)
    direction = random.normal(size=(5, 2))
    direction -= w @ (w.T @ direction)
    ahead, behind = (fit_link(x, y, np.linalg.qr(w + s * direction)[0], 3, 0.0).loss for s in (1e-5, -1e-5))
    assert (ahead - behind) / 2e-5 == pytest.approx(float((fit.slope * direction).sum()), rel=1e-4)


def test_classical_methods_see_what_they_should():
    random = np.random.default_rng(0)
    x = random.normal(size=(20_000, 6))
    for method, y in (
        (sliced_inverse_regression, x[:, 0] ** 3 + x[:, 0]),
        (sliced_average_variance, x[:, 0] ** 2),
        (principal_hessian_directions, x[:, 0] ** 2),
    ):
        assert abs(method(x, y, 1)[0, 0]) > 0.98
    assert abs(moment_directions(x, h3(x[:, 2]), 1, 3)[2, 0]) > 0.97
    statsmodels = pytest.importorskip("statsmodels.regression.dimred")
    theirs = statsmodels.SlicedInverseReg(x[:, 0] ** 3, x).fit(slice_n=2000).params[:, 0]
    ours = sliced_inverse_regression(x, x[:, 0] ** 3, 1)[:, 0]
    assert abs(theirs @ ours) / np.linalg.norm(theirs) > 0.99


def test_the_command_finds_directions_of_a_table(tmp_path, simonides):
    x, y, _ = problem("z1 z2", n=400, d=3)
    rows = "\n".join(",".join(f"{v:.6f}" for v in (*row, value)) for row, value in zip(x, y, strict=True))
    (tmp_path / "t.csv").write_text(f"a,b,c,y\n{rows}\n")
    words = ("directions", tmp_path / "t.csv", "--target", "y")
    code, out, _ = simonides(*words, "--out", tmp_path / "page")
    assert code == 0 and "directions: 2" in out and "a line: " in out and "may be hidden" in out
    assert (tmp_path / "page" / "index.html").read_text().count("<svg") == 2
    code, out, _ = simonides(*words, "--components", 1, "--json")
    told = json.loads(out)
    assert code == 0 and len(told["components"]) == 1 and max(told["scores"].values()) <= 1
    for words, message in (
        (("directions", tmp_path / "t.csv"), "give --target"),
        (("directions", tmp_path / "t.csv", "--target", "z"), "no column"),
        (("directions", tmp_path / "t.csv", "--target", "y", "--components", 9), "at most 3"),
        (("directions", tmp_path / "t.csv", "--target", "y", "--degree", 40), "degree"),
        (("directions", "diabetes", "--target", "y"), "is of a file"),
    ):
        code, _, err = simonides(*words)
        assert code == 2 and message in err


def test_too_little_is_refused():
    with pytest.raises(SimonidesError, match="at least 20"):
        find_directions(np.zeros((5, 2)), np.zeros(5), ["a", "b"])
    with pytest.raises(SimonidesError, match="always the same"):
        find_directions(np.random.default_rng(0).normal(size=(50, 2)), np.ones(50), ["a", "b"])


def test_scales_integers_and_settings_changed_afterwards():
    x, y, _ = problem("z1 z2", n=400, d=3)
    numbers = (1000 * y / np.abs(y).max()).astype(np.int16)
    assert find_directions(x, numbers, "abc").scores["a line"] < 1
    for bad in (np.full((400, 3), 0.1), x * np.nan):
        with pytest.raises(SimonidesError, match=r"(no column varies)|(not finite)"):
            find_directions(bad, y, "abc")
    with pytest.raises(SimonidesError, match="beyond double precision"):
        find_directions(x, y * 1e200, "abc")
    with pytest.raises(ValueError, match="products"):
        MultiIndexRegressor(10, degree=10).fit(np.zeros((30, 12)), np.arange(30.0))
    model = MultiIndexRegressor(1, max_iter=3, random_state=0).fit(x, y)
    before = model.predict(x)
    assert np.array_equal(model.set_params(degree=5).predict(x), before)

"""Rules on tables whose truth is known."""

import numpy as np
import polars as pl
import pytest

from simonides.base import SimonidesError
from simonides.lab import Crossing, Equal, Exponent, Ordered, Threshold, Within, check_rule


def table(function, noise=0.01, seeds=8, **axes):
    """Rows of value = function(cell) + noise, with the function as prediction."""
    rng = np.random.default_rng(1)
    names = list(axes)
    grid = [
        dict(zip(names, values, strict=True))
        for values in zip(*(a.ravel() for a in np.meshgrid(*axes.values())), strict=True)
    ]
    return pl.DataFrame(
        [
            {
                **{f"cell {name}": value.item() for name, value in cell.items()},
                "seed": seed,
                "row": 0,
                "value": float(function(**cell) + noise * rng.standard_normal()),
                "other": float(function(**cell) + noise * rng.standard_normal()),
                "predicted value": float(function(**cell)),
            }
            for cell in grid
            for seed in range(seeds)
        ]
    )


X = [1.0, 2.0, 4.0, 8.0]
QUADRATIC = table(lambda x: x**2, x=X)


def verdicts(rule, data=QUADRATIC):
    return rule.judge(data).verdict


def test_within():
    assert verdicts(Within(column="value", band=0.1)) == "holds"
    off = QUADRATIC.with_columns(pl.col("predicted value") + 1)
    judged = Within(column="value", band=0.1).judge(off)
    assert judged.verdict == "fails"
    assert judged.effect == pytest.approx(1, abs=0.02)
    edge = Within(column="value", band=0.1).judge(off.with_columns(pl.col("predicted value") - 0.905))
    assert edge.verdict == "undecided"
    assert edge.interval[0] < 0.1 < edge.interval[1]


def test_exponent():
    judged = Exponent(of="value", against="x", low=1.9, high=2.1).judge(QUADRATIC)
    assert judged.verdict == "holds"
    assert judged.effect == pytest.approx(2, abs=0.02)
    assert verdicts(Exponent(of="value", against="x", low=0.9, high=1.1)) == "fails"


def test_exponent_in_a_product():
    data = table(lambda x, y: (x * y) ** 0.5, noise=0.001, x=[1.0, 2.0, 4.0], y=[3.0, 5.0])
    assert verdicts(Exponent(of="value", against=("x", "y"), low=0.49, high=0.51), data) == "holds"


def test_exponent_of_a_crossing():
    """1 - n/(10 d^2) falls through 0.9 at n = d^2."""
    data = table(lambda d, n: 1 - n / (10 * d**2), noise=0.001, d=[2.0, 4.0, 8.0], n=np.geomspace(0.5, 640, 40))
    crossing = Crossing(column="value", axis="n", level=0.9)
    assert verdicts(Exponent(of=crossing, against="d", low=1.9, high=2.1), data) == "holds"
    x, draws = crossing.curve(data, "d")
    np.testing.assert_allclose(draws[0], x**2, rtol=0.06)


def test_a_curve_that_never_crosses_is_undecided():
    data = table(lambda d, n: 1.0 + 0 * d * n, d=[2.0, 4.0], n=X)
    judged = Exponent(of=Crossing(column="value", axis="n", level=0.5), against="d", low=0, high=3).judge(data)
    assert judged.verdict == "undecided"


def test_threshold():
    assert verdicts(Threshold(column="value", at_least=0.9)) == "holds"
    assert verdicts(Threshold(column="value", at_least=2.0)) == "fails"
    assert verdicts(Threshold(column="value", at_most=64.5)) == "holds"
    assert verdicts(Threshold(column="value", at_most=64.0)) == "undecided"


def test_ordered():
    assert verdicts(Ordered(column="value", by="x", order=tuple(X))) == "holds"
    assert verdicts(Ordered(column="value", by="x", order=(4.0, 2.0))) == "fails"
    assert verdicts(Ordered(column="value", by="x", order=(1.0, 2.0), least=3.0)) == "undecided"


def test_equal():
    assert verdicts(Equal(column="value", other="other", tolerance=0.05)) == "holds"
    apart = QUADRATIC.with_columns(pl.col("other") + 1)
    assert verdicts(Equal(column="value", other="other", tolerance=0.05), apart) == "fails"


def test_where_selects_cells():
    judged = Threshold(column="value", at_most=1.5, where={"x": 1.0}).judge(QUADRATIC)
    assert judged.verdict == "holds"
    assert "where x = 1.0" in judged.rule


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Ten seeds; percentile intervals of so few are narrow, so 95 % becomes about 90 %."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        values = rng.standard_normal(10)
        data = pl.DataFrame({"cell x": [1] * 10, "seed": range(10), "row": [0] * 10, "value": values})
        low, high = Threshold(column="value", at_least=-9).judge(data).interval
        covered += low <= 0 <= high
    assert 0.84 <= covered / 200 <= 0.96


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Within(column="absent", band=1), "measure does not return"),
        (Within(column="other", band=1), "predictions do not give"),
        (Threshold(column="value", at_most=1, where={"z": 1}), "grid does not have"),
        (Threshold(column="value", at_most=1, where={"x": 77.0}), "selects no row"),
        (Ordered(column="value", by="x", order=(1.0, 99.0)), "99.0 is missing"),
        (Ordered(column="value", by="y", order=(1.0, 2.0)), "'y' is unknown"),
        (Exponent(of="value", against="width", low=0, high=1), "'width' is unknown"),
        (Exponent(of="value", against="x", low=0, high=1, where={"x": 1.0}), "needs two values"),
    ],
)
def test_rules_that_do_not_fit_say_so(rule, message):
    with pytest.raises(SimonidesError, match=message):
        rule.judge(QUADRATIC)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Exponent(of="value", against="x", low=1.0, high=0.5),
        lambda: Exponent(of="value", against="x", low=float("nan"), high=0.5),
        lambda: Within(column="value", band=-0.1),
        lambda: Within(column="value", band=float("nan")),
        lambda: Equal(column="value", other="value", tolerance=-1),
        lambda: Ordered(column="value", by="x", order=(1.0, 2.0), least=float("nan")),
        lambda: Ordered(column="value", by="x", order=(1.0,)),
        lambda: Ordered(column="value", by="x", order=(1.0, 1.0)),
        lambda: Threshold(column="value", at_least=float("nan")),
    ],
)
def test_rules_that_can_never_hold_are_refused(make):
    with pytest.raises(SimonidesError, match=r"can never hold|two different values|a finite number"):
        make()


def test_a_missing_prediction_is_told_before_work_starts():
    with pytest.raises(SimonidesError, match=r"prediction of value.*did you mean 'valve'"):
        check_rule(Within(column="value", band=1), [{"x": 1}], {"valve": None})


def test_threshold_takes_one_side():
    with pytest.raises(SimonidesError, match="one of at_least and at_most"):
        Threshold(column="value")


def test_a_crossing_of_two_mingled_curves_is_refused():
    data = table(lambda d, n, kind: 1 - n / (10 * d**2 * kind), d=[2.0, 4.0], n=X, kind=[1.0, 5.0])
    rule = Exponent(of=Crossing(column="value", axis="n", level=0.9), against="d", low=0, high=9)
    with pytest.raises(SimonidesError, match="several cells for one n"):
        rule.judge(data)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Within(column="v", band=1, where={"e": 1}), "'e' is unknown"),
        (Within(column="v", band=1, where={"d": 7}), "selects no cell"),
        (Ordered(column="v", by="d", order=(1, 3)), "d is never 3; it is"),
        (Ordered(column="v", by="e", order=(1, 2)), "'e' is unknown"),
        (Exponent(of=Crossing(column="v", axis="m", level=1), against="d", low=0, high=1), "'m' is unknown"),
        (Exponent(of="v", against=("d", "m"), low=0, high=1), "'m' is unknown"),
    ],
)
def test_rules_are_held_against_the_grid_before_work_starts(rule, message):
    with pytest.raises(SimonidesError, match=message):
        check_rule(rule, [{"d": 1, "n": 1}, {"d": 2, "n": 1}], {"v": None})

"""Rules on tables whose truth is known."""

import numpy as np
import polars as pl
import pytest

from simonides.base import SimonidesError, holm, mean_estimate
from simonides.lab import (
    Crossing,
    Equal,
    Exponent,
    Ordered,
    Reported,
    Threshold,
    Within,
    check_controls,
    check_rule,
    judge_rules,
)
from simonides.lab.cell_values import CellValues, cell_values


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


def judged_by(rule, data=QUADRATIC):
    (judgement,) = judge_rules([rule], data, data["seed"].n_unique())
    return judgement


def verdicts(rule, data=QUADRATIC):
    return judged_by(rule, data).verdict


def test_within():
    assert verdicts(Within(column="value", band=0.1)) == "holds"
    off = QUADRATIC.with_columns(pl.col("predicted value") + 1)
    judged = judged_by(Within(column="value", band=0.1), off)
    assert judged.verdict == "fails"
    assert judged.effect == pytest.approx(-1, abs=0.02)
    edge = judged_by(Within(column="value", band=0.1), off.with_columns(pl.col("predicted value") - 0.905))
    assert edge.verdict == "undecided"
    assert edge.interval[0] < -0.1 < edge.interval[1] and edge.needed is not None


def test_exponent():
    judged = judged_by(Exponent(of="value", against="x", low=1.9, high=2.1), QUADRATIC)
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
    for x, log_crossing, _, _ in crossing.curve(cell_values(data, "value"), "d"):
        assert np.exp(log_crossing) == pytest.approx(x**2, rel=0.06)


def test_a_curve_that_never_crosses_is_undecided():
    data = table(lambda d, n: 1.0 + 0 * d * n, d=[2.0, 4.0], n=X)
    judged = judged_by(
        Exponent(of=Crossing(column="value", axis="n", level=0.5), against="d", low=0, high=3), data
    )
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
    judged = judged_by(Threshold(column="value", at_most=1.5, where={"x": 1.0}), QUADRATIC)
    assert judged.verdict == "holds"
    assert "where x = 1.0" in judged.rule


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Within(column="absent", band=1), "which the claim does not give"),
        (Equal(column="absent", other="value", tolerance=1), "which measure does not return"),
        (Within(column="other", band=1), "which the claim does not give"),
        (Threshold(column="value", at_most=1, where={"z": 1}), "the grid has no parameter 'z'"),
        (Threshold(column="value", at_most=1, where={"x": 77.0}), "selects no row"),
        (Ordered(column="value", by="x", order=(1.0, 99.0)), "99.0 is missing"),
        (Ordered(column="value", by="y", order=(1.0, 2.0)), "'y' is unknown"),
        (Exponent(of="value", against="width", low=0, high=1), "'width' is unknown"),
        (Exponent(of="value", against="x", low=0, high=1, where={"x": 1.0}), "needs two values"),
    ],
)
def test_rules_that_do_not_fit_say_so(rule, message):
    with pytest.raises(SimonidesError, match=message):
        judged_by(rule)


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
    with pytest.raises(SimonidesError, match=r"never hold|two different values|finite numbers|ratio and band"):
        make()


def test_a_missing_prediction_is_told_before_work_starts():
    with pytest.raises(SimonidesError, match=r"prediction of value.*did you mean 'valve'"):
        check_rule(Within(column="value", band=1), [{"x": 1}], {"valve": None})


def test_threshold_takes_a_side():
    with pytest.raises(SimonidesError, match="at_least, at_most or both"):
        Threshold(column="value")


def test_a_crossing_of_two_mingled_curves_is_refused():
    data = table(lambda d, n, kind: 1 - n / (10 * d**2 * kind), d=[2.0, 4.0], n=X, kind=[1.0, 5.0])
    rule = Exponent(of=Crossing(column="value", axis="n", level=0.9), against="d", low=0, high=9)
    with pytest.raises(SimonidesError, match="several cells for one n"):
        judged_by(rule, data)


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


@pytest.mark.parametrize("seeds", [5, 8, 16])
def test_sizes_of_false_verdicts_are_those_stated(seeds):
    """A number on the edge of its band holds in 5 % of draws; one of twenty right cells fails in no more than 5 %."""
    rng = np.random.default_rng(7)
    held = [mean_estimate(row).inside(0.0, np.inf) for row in rng.standard_normal((20_000, seeds))]
    assert np.mean(held) == pytest.approx(0.05, abs=0.01)
    failed = 0
    for _ in range(1000):
        cells = 0.9 + rng.standard_normal((20, seeds)) * np.sqrt(seeds) / 10
        failed += min(holm([mean_estimate(row).p_outside(-0.9, 0.9) for row in cells])) < 0.05
    assert failed / 1000 == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("seeds", [5, 8, 16])
def test_slopes_are_covered_as_often_as_they_say(seeds):
    rng = np.random.default_rng(8)
    x, covered = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]), []
    rule = Exponent(of="value", against="x", low=0.0, high=9.0)
    for _ in range(2000):
        # the scatter grows from one cell to the next
        runs = x[:, None] ** 1.5 * (1 + 0.01 * np.arange(1, 7)[:, None] * rng.standard_normal((6, seeds)))
        values = CellValues(cells=tuple({"x": one} for one in x), runs=runs, groups=tuple(range(6)))
        low, high = rule.fitted_to(values).interval()
        covered.append(low <= 1.5 <= high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.012)


def test_a_slope_tells_its_range_and_when_it_is_none():
    straight = judged_by(Exponent(of="value", against="x", low=1.9, high=2.1))
    assert straight.note.startswith("over a factor 8 in x, local slopes") and "one line" not in straight.note
    bent = table(lambda x: x + x**3, noise=0.001, x=X)
    assert "do not lie on one line" in judged_by(Exponent(of="value", against="x", low=0.0, high=9.0), bent).note


def test_an_exponent_at_fixed_values_of_another_parameter():
    """In the product m d an N ~ m^1.5 d^.5 looks like exponent one; at fixed d it is told apart."""
    data = table(lambda m, d: m**1.5 * d**0.5, noise=0.001, m=[2.0, 4.0, 8.0], d=[2.0, 4.0, 8.0])
    assert judged_by(Exponent(of="value", against=("m", "d"), low=0.9, high=1.1), data).verdict == "holds"
    alone = judged_by(Exponent(of="value", against="m", given=("d",), low=0.9, high=1.1), data)
    assert alone.verdict == "fails" and alone.effect == pytest.approx(1.5, abs=0.01)


def test_rows_of_a_run_are_not_taken_for_independent():
    """A shift that all rows of a run share is in the slope's error once, not once a row."""
    rng = np.random.default_rng(0)
    rows, seeds = 40, 6
    shift = rng.standard_normal(seeds)
    data = pl.DataFrame(
        {
            "cell x": [1.0] * (rows * seeds),
            "seed": np.repeat(np.arange(seeds), rows),
            "row": np.tile(np.arange(rows), seeds),
            "value": np.repeat(shift, rows) + 1e-3 * rng.standard_normal(rows * seeds),
        }
    )
    values = cell_values(data, "value")
    error = values.estimate(np.full(rows, 1 / rows), 0.0).error
    assert error == pytest.approx(shift.std(ddof=1) / seeds**0.5, rel=0.01)


def test_counts_at_the_ceiling_have_an_interval():
    data = pl.DataFrame(
        {"cell x": [1] * 5, "seed": range(5), "row": [0] * 5, "value": [1.0] * 5, "asked": [20.0] * 5}
    )
    judged = judged_by(Threshold(column="value", at_least=0.98, trials="asked"), data)
    assert judged.verdict == "undecided" and judged.interval == pytest.approx((0.9638, 1.0), abs=1e-4)
    more = data.with_columns(pl.lit(2000.0).alias("asked"))
    assert verdicts(Threshold(column="value", at_least=0.98, trials="asked"), more) == "holds"
    wrong = more.with_columns(pl.lit(0.9).alias("value"))
    assert verdicts(Threshold(column="value", at_least=0.98, trials="asked"), wrong) == "fails"


def test_the_number_of_runs_that_would_decide_does():
    rng = np.random.default_rng(5)

    def run(seeds):
        values = 0.05 + 0.2 * rng.standard_normal(seeds)
        return pl.DataFrame({"cell x": [1] * seeds, "seed": range(seeds), "row": [0] * seeds, "value": values})

    rule = Threshold(column="value", at_least=0.0)
    few = judged_by(rule, run(8))
    assert few.verdict == "undecided" and few.needed is not None and "runs a cell would decide" in few.reason
    decided = [verdicts(rule, run(100)) for _ in range(20)]
    assert decided.count("holds") >= 12


GROWING = [{"d": d} for d in (16, 32, 64, 128)]


@pytest.mark.parametrize(
    ("rule", "prediction", "what"),
    [
        (Within(column="v", ratio=0.3), lambda d: float(d), "the prediction times 1.2"),
        (Within(column="v", band=0.5), lambda d: 1.0, "the prediction times 1.2"),
        (Exponent(of="v", against="d", low=0.5, high=1.5), lambda d: float(d), "with an exponent 0.25 off"),
    ],
)
def test_a_rule_that_a_wrong_theory_passes_is_refused(rule, prediction, what):
    with pytest.raises(SimonidesError, match=what):
        check_controls(rule, GROWING, {"v": prediction})
    check_controls(Within(column="v", ratio=0.1), GROWING, {"v": lambda d: float(d)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Threshold(column=3, at_least=1.0), "expected a text"),
        (lambda: Threshold(column="v", at_least="1"), "expected a number"),
        (lambda: Threshold(column="v", at_least=1.0, where=[1]), "expected a dictionary"),
        (lambda: Threshold(column="v", at_least=1.0, paper=0.5), "expected Reported"),
        (lambda: Reported(value="2", where="theorem 1"), "give the paper's number"),
        (lambda: Reported(value=2.0, where=""), "give its place"),
    ],
)
def test_fields_of_other_kinds_are_named(make, message, unchecked):
    with pytest.raises(SimonidesError, match=message):
        make()

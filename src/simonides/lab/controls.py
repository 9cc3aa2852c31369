"""Before work starts: a rule names what there is, and could tell its theory from a wrong one.

A rule that the prediction times or divided by 1.2 would pass as well, or that might pass with an exponent
0.25 off, decides nothing and is refused; at smoke scale, which only looks whether all runs, it is let through. (A
constant that passes for a prediction which changes by more than 1.2^2 is among them.)
"""

import math
from collections.abc import Collection, Mapping, Sequence

from simonides.base import SimonidesError, check_name, suggest
from simonides.lab.grid import Value
from simonides.lab.plan import Plan
from simonides.lab.prediction import Predictions, needed, predict
from simonides.lab.rules import Crossing, Exponent, Ordered, Rule, Within, factors

# an exponent this far away has to be told apart
_NEIGHBOUR = 0.25
# a prediction that is wrong by this factor has to be told apart
_FACTOR = 1.2


def check_plan(plan: Plan) -> None:
    """Raise `SimonidesError` where a claim's rules at a scale cannot be judged, or decide nothing."""
    for rule in plan.claim.rules_at(plan.scale):
        check_rule(rule, plan.grid.cells, plan.claim.predictions)
        if plan.scale != "smoke":
            check_controls(rule, plan.grid.cells, plan.claim.predictions)


def check_rule(rule: Rule, cells: Sequence[Mapping[str, Value]], predicted: Collection[str] = ()) -> None:
    """Raise `SimonidesError` where a rule names parameters, values or predictions that a claim does not have."""
    if isinstance(rule, Within) and rule.column not in predicted:
        raise SimonidesError(
            f"rule '{rule}' asks for a prediction of {rule.column}, which the claim's predictions do not give; "
            + suggest(rule.column, predicted)
        )
    what = f"rule '{rule}' asks for a parameter, and"
    names = [*rule.where, *factors(getattr(rule, "against", ())), *getattr(rule, "given", ())]
    if isinstance(rule, Ordered):
        names.append(rule.by)
    if isinstance(of := getattr(rule, "of", None), Crossing):
        names.append(of.axis)
    for name in names:
        check_name(what, name, cells[0])
    chosen = chosen_cells(rule, cells)
    if not chosen:
        raise SimonidesError(f"rule '{rule}' selects no cell of the grid; look at its where={{...}}.")
    if isinstance(rule, Ordered):
        known = {cell[rule.by] for cell in chosen}
        if missing := [value for value in rule.order if value not in known]:
            raise SimonidesError(
                f"rule '{rule}': {rule.by} is never {missing[0]!r}; it is {sorted(known, key=str)}."
            )


def chosen_cells(rule: Rule, cells: Sequence[Mapping[str, Value]]) -> list[Mapping[str, Value]]:
    """The cells that a rule is about."""
    return [cell for cell in cells if all(cell[name] == value for name, value in rule.where.items())]


def check_controls(rule: Rule, cells: Sequence[Mapping[str, Value]], predictions: Predictions) -> None:
    """Raise `SimonidesError` where a wrong theory would pass a rule as well.

    Of a prediction that asks for measured columns nothing is known before, and nothing is checked.
    """
    if isinstance(rule, Exponent) and rule.high - rule.low >= _NEIGHBOUR:
        raise SimonidesError(
            f"rule '{rule}' might pass with an exponent {_NEIGHBOUR} off; give a band narrower than {_NEIGHBOUR}."
        )
    if not isinstance(rule, Within) or needed(predictions[rule.column]) - set(cells[0]):
        return
    values = [predict(predictions[rule.column], cell) for cell in chosen_cells(rule, cells)]
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return
    for name, control in _wrong(values).items():
        if all(_passes(rule, wrong, right) for wrong, right in zip(control, values, strict=True)):
            raise SimonidesError(
                f"rule '{rule}' decides nothing: {name} passes it too; give a narrower band, or a ratio."
            )


def _wrong(values: Sequence[float]) -> dict[str, list[float]]:
    return {
        f"the prediction times {_FACTOR:g}": [value * _FACTOR for value in values],
        f"the prediction divided by {_FACTOR:g}": [value / _FACTOR for value in values],
    }


def _passes(rule: Within, wrong: float, right: float) -> bool:
    if rule.band:
        return abs(wrong - right) <= rule.band
    return right != 0 and 1 / (1 + rule.ratio) <= wrong / right <= 1 + rule.ratio

"""Rules: how a table of measurements becomes a verdict.

Each rule reduces the table to one number, the effect, with a bootstrap interval over seeds, and compares the
interval with a band that was fixed before: inside it the claim holds, outside it fails, across its edge it is
undecided. Resampling takes whole seeds. The bootstrap percentile interval is too narrow with few seeds (five
give about 85 % where 95 % is meant); the largest of many deviations is biased upwards, so `Within` errs
towards undecided and fails.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import polars as pl
from jaxtyping import Float

from simonides.base import SimonidesError, check_name, log_slope, percentile_interval, resampled_means, suggest
from simonides.lab.grid import Value

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
Where = Mapping[str, Value]
# a parameter, or several whose product is meant
Against = str | tuple[str, ...]
Means = Float[np.ndarray, "draws cells"]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One rule applied to a table."""

    rule: str
    verdict: str
    effect: float
    interval: tuple[float, float]
    meaning: str  # what the effect is
    place: str = ""  # the cell it is of, where it is of one
    reason: str = ""  # why it is undecided


@dataclass(frozen=True, kw_only=True)
class Within:
    """The mean of `column` stays within `band` of its prediction in every cell.

    The effect is the largest |mean - prediction| over the cells.
    """

    column: str
    band: float
    where: Where = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_band(self, 0.0, self.band)

    effect: ClassVar[str] = "largest distance"

    def __str__(self) -> str:
        return f"{self.column} within {self.band:g} of its prediction in every cell{_clause(self.where)}"

    def judge(self, table: pl.DataFrame) -> Judgement:
        """Judge a table that holds the column and its prediction."""
        chosen = _select(table, self.where, self)
        cells, means = _means(chosen, self.column)
        predicted = _cell_values(chosen, cells, f"predicted {self.column}")
        far = np.abs(means - predicted)
        return _judge(self, far.max(1), -np.inf, self.band, _place(cells, far[0].argmax()))


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Where the mean of `column` falls through `level` along `axis`: a capacity, by log-linear interpolation.

    The first cell below the level counts; a curve that starts below it or never falls to it has no crossing,
    and a rule built on it stays undecided.
    """

    column: str
    axis: str
    level: float

    def __str__(self) -> str:
        return f"the {self.axis} at which {self.column} falls to {self.level:g}"

    def curve(
        self, table: pl.DataFrame, against: Against
    ) -> tuple[Float[np.ndarray, " x"], Float[np.ndarray, "draws x"]]:
        """The crossing at each setting of `against`, for the sample and every resample."""
        cells, means = _means(table, self.column)
        _check_parameters(cells, self.axis)
        along = np.array([cell[self.axis] for cell in cells], dtype=float)
        settings = _settings(cells, against)
        places = {
            setting: np.array([other == setting for other in settings])
            for setting in sorted(set(settings), key=lambda setting: float(np.prod(setting)))
        }
        for setting, place in places.items():
            if len(np.unique(along[place])) < place.sum():
                raise SimonidesError(
                    f"{self} at {product_name(against)} = {setting} has several cells for one {self.axis}; "
                    "restrict the rule or figure to one curve by where={...}."
                )
        x = np.array([np.prod(setting) for setting in places])
        return x, np.stack(
            [_crossings(along[place], means[:, place], self.level) for place in places.values()], axis=1
        )


@dataclass(frozen=True, kw_only=True)
class Exponent:
    """The slope of log(of) in log(against), by least squares, lies in [low, high].

    `of` is a column, whose means are used, or a `Crossing`. Several parameters in `against` are multiplied.
    """

    of: str | Crossing
    against: Against
    low: float
    high: float
    where: Where = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_band(self, self.low, self.high)

    effect: ClassVar[str] = "slope"

    def __str__(self) -> str:
        band = f"between {self.low:g} and {self.high:g}"
        return f"exponent of {self.of} in {product_name(self.against)} {band}{_clause(self.where)}"

    def judge(self, table: pl.DataFrame) -> Judgement:
        """Judge a table with at least two values of `against`."""
        chosen = _select(table, self.where, self)
        if isinstance(self.of, Crossing):
            x, y = self.of.curve(chosen, self.against)
        else:
            cells, y = _means(chosen, self.of)
            x = np.array([np.prod(setting) for setting in _settings(cells, self.against)])
        if len(np.unique(x)) < 2:
            raise SimonidesError(
                f"rule '{self}' needs two values of {product_name(self.against)}, the table has fewer."
            )
        return _judge(self, log_slope(x, y), self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The mean of `column` is at least, or at most, a number in every cell.

    The effect is the mean of the cell nearest to breaking the rule.
    """

    column: str
    at_least: float = -np.inf
    at_most: float = np.inf
    where: Where = field(default_factory=dict)

    def __post_init__(self) -> None:
        if np.isfinite(self.at_least) == np.isfinite(self.at_most):
            raise SimonidesError("a Threshold takes one of at_least and at_most, a finite number.")
        _check_band(self, self.at_least, self.at_most)

    effect: ClassVar[str] = "mean of the cell closest to the limit"

    def __str__(self) -> str:
        side = f"at least {self.at_least:g}" if np.isfinite(self.at_least) else f"at most {self.at_most:g}"
        return f"{self.column} {side} in every cell{_clause(self.where)}"

    def judge(self, table: pl.DataFrame) -> Judgement:
        """Judge a table that holds the column."""
        cells, means = _means(_select(table, self.where, self), self.column)
        room = means if np.isfinite(self.at_least) else -means
        nearest = means.min(1) if np.isfinite(self.at_least) else means.max(1)
        return _judge(self, nearest, self.at_least, self.at_most, _place(cells, room[0].argmin()))


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """The mean of `column` rises along the values `order` of the parameter `by`, all else equal.

    The effect is the smallest rise between neighbours, over all settings of the other parameters; it must be
    above `least`.
    """

    column: str
    by: str
    order: tuple[Value, ...]
    least: float = 0.0
    where: Where = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_band(self, self.least, np.inf)
        if len(self.order) < 2 or len(set(self.order)) != len(self.order):
            raise SimonidesError(f"rule '{self}' needs at least two different values in its order.")

    effect: ClassVar[str] = "smallest rise"

    def __str__(self) -> str:
        steps = " < ".join(str(value) for value in self.order)
        more = f" by more than {self.least:g}" if self.least else ""
        return f"{self.column} rises along {self.by}: {steps}{more}{_clause(self.where)}"

    def judge(self, table: pl.DataFrame) -> Judgement:
        """Judge a table that has all values of the order in every setting."""
        cells, means = _means(_select(table, self.where, self), self.column)
        _check_parameters(cells, self.by)
        groups: dict[tuple[object, ...], dict[object, int]] = {}
        for place, cell in enumerate(cells):
            rest = tuple(value for name, value in cell.items() if name != self.by)
            groups.setdefault(rest, {})[cell[self.by]] = place
        lacking = [value for group in groups.values() for value in self.order if value not in group]
        if lacking or len(self.order) < 2:
            raise SimonidesError(
                f"rule '{self}' needs at least two values of {self.by} and all of them in every setting; "
                f"{lacking[0] if lacking else 'a second one'!r} is missing. Restrict it by where={{...}}."
            )
        steps = [
            (group[low], group[high])
            for group in groups.values()
            for low, high in zip(self.order, self.order[1:], strict=False)
        ]
        rises = np.stack([means[:, high] - means[:, low] for low, high in steps], 1)
        smallest = _place(cells, steps[rises[0].argmin()][1])
        return _judge(self, rises.min(1), self.least, np.inf, smallest)


@dataclass(frozen=True, kw_only=True)
class Equal:
    """Two measured columns have the same mean in every cell, up to a tolerance.

    The effect is the largest |mean difference| over the cells.
    """

    column: str
    other: str
    tolerance: float
    where: Where = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_band(self, 0.0, self.tolerance)

    effect: ClassVar[str] = "largest difference"

    def __str__(self) -> str:
        return f"{self.column} equals {self.other} within {self.tolerance:g} in every cell{_clause(self.where)}"

    def judge(self, table: pl.DataFrame) -> Judgement:
        """Judge a table that holds both columns."""
        chosen = _select(table, self.where, self)
        cells, first = _means(chosen, self.column)
        far = np.abs(first - _means(chosen, self.other)[1])
        return _judge(self, far.max(1), -np.inf, self.tolerance, _place(cells, far[0].argmax()))


Rule = Within | Exponent | Threshold | Ordered | Equal


def product_name(against: Against) -> str:
    """How a product of parameters is written."""
    return " × ".join(_factors(against))


def _factors(against: Against) -> tuple[str, ...]:
    return (against,) if isinstance(against, str) else against


def _check_band(rule: "Rule", low: float, high: float) -> None:
    """Raise `SimonidesError` where nothing could lie in a rule's band."""
    if not low <= high:  # a NaN is neither
        raise SimonidesError(f"rule '{rule}' can never hold: its band reaches from {low:g} to {high:g}.")


def columns_of(rule: Rule) -> list[str]:
    """The measured columns that a rule reads."""
    of = getattr(rule, "of", None)
    named = [getattr(rule, "column", None), getattr(rule, "other", None)]
    named.append(of.column if isinstance(of, Crossing) else of)
    return [name for name in named if name is not None]


def check_rule(rule: Rule, cells: Sequence[Mapping[str, Value]], predicted: Collection[str] = ()) -> None:
    """Raise `SimonidesError` where a rule names parameters, values or predictions that a claim does not have."""
    if isinstance(rule, Within) and rule.column not in predicted:
        raise SimonidesError(
            f"rule '{rule}' asks for a prediction of {rule.column}, which the claim's predictions do not give; "
            + suggest(rule.column, predicted)
        )
    what = f"rule '{rule}' asks for a parameter, and"
    names = [*rule.where, *_factors(getattr(rule, "against", ()))]
    if isinstance(rule, Ordered):
        names.append(rule.by)
    if isinstance(of := getattr(rule, "of", None), Crossing):
        names.append(of.axis)
    for name in names:
        check_name(what, name, cells[0])
    chosen = [cell for cell in cells if all(cell[name] == value for name, value in rule.where.items())]
    if not chosen:
        raise SimonidesError(f"rule '{rule}' selects no cell of the grid; look at its where={{...}}.")
    if isinstance(rule, Ordered):
        known = {cell[rule.by] for cell in chosen}
        if missing := [value for value in rule.order if value not in known]:
            raise SimonidesError(
                f"rule '{rule}': {rule.by} is never {missing[0]!r}; it is {sorted(known, key=str)}."
            )


def cell_columns(table: pl.DataFrame) -> list[str]:
    """The columns that tell one cell from another: parameters, and the row inside a point where it has many."""
    names = [name for name in table.columns if name.startswith("cell ")]
    return names + (["row"] if table["row"].max() else [])


def measured_columns(table: pl.DataFrame) -> list[str]:
    """The columns that `measure` returned."""
    return [n for n in table.columns if not n.startswith(("cell ", "predicted ")) and n not in ("seed", "row")]


def _means(table: pl.DataFrame, column: str) -> tuple[list[dict[str, Any]], Means]:
    if column not in table.columns:
        raise SimonidesError(
            f"a rule asks for the column {column!r}, which measure does not return; "
            + suggest(column, measured_columns(table))
        )
    keys = cell_columns(table)
    wide = (
        table.select([*keys, "seed", pl.col(column).cast(pl.Float64)])
        .pivot("seed", index=keys, values=column, sort_columns=False)
        .sort(keys)
    )
    cells = [
        {name.removeprefix("cell "): value for name, value in row.items()}
        for row in wide.select(keys).iter_rows(named=True)
    ]
    return cells, resampled_means(wide.drop(keys).fill_null(np.nan).to_numpy())


def _check_parameters(cells: list[dict[str, Any]], *names: str) -> None:
    for name in names:
        check_name("a rule or figure: parameter", name, cells[0])


def _settings(cells: list[dict[str, Any]], against: Against) -> list[tuple[float, ...]]:
    names = _factors(against)
    _check_parameters(cells, *names)
    return [tuple(float(cell[name]) for name in names) for cell in cells]


def _cell_values(table: pl.DataFrame, cells: list[dict[str, Any]], column: str) -> Float[np.ndarray, " cells"]:
    if column not in table.columns:
        raise SimonidesError(f"a rule asks for '{column}', which the claim's predictions do not give.")
    keys = cell_columns(table)
    grouped = table.group_by(keys).agg(pl.col(column).mean()).sort(keys)
    return grouped[column].to_numpy()


def _select(table: pl.DataFrame, where: Where, rule: object) -> pl.DataFrame:
    for name, value in where.items():
        if f"cell {name}" not in table.columns:
            raise SimonidesError(f"rule '{rule}' names the parameter {name!r}, which the grid does not have.")
        table = table.filter(pl.col(f"cell {name}") == value)
    if table.is_empty():
        raise SimonidesError(f"rule '{rule}' selects no row of the table.")
    return table


def _crossings(along: Float[np.ndarray, " cells"], means: Means, level: float) -> Float[np.ndarray, " draws"]:
    order = np.argsort(along)
    along, means = np.log(along[order]), means[:, order]
    below = means < level
    first = below.argmax(1)
    known = below.any(1) & (first > 0)
    rows = np.arange(len(means))
    previous = np.maximum(first - 1, 0)
    high, low = means[rows, previous], means[rows, first]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (high - level) / (high - low)
        crossings = np.exp(along[previous] + share * (along[first] - along[previous]))
    return np.where(known, crossings, np.nan)


def _place(cells: list[dict[str, Any]], index: Any) -> str:
    """A cell by those of its parameters that are not the same in all."""
    telling = [name for name in cells[0] if len({cell[name] for cell in cells}) > 1]
    return ", ".join(f"{name} = {cells[int(index)][name]}" for name in telling)


def _judge(rule: Rule, values: Float[np.ndarray, " draws"], low: float, high: float, place: str = "") -> Judgement:
    what = {"rule": str(rule), "meaning": rule.effect, "place": place}
    if not np.isfinite(values).all():
        finite = values[np.isfinite(values)]
        bounds = (float(finite.min()), float(finite.max())) if len(finite) else (-np.inf, np.inf)
        return Judgement(
            **what,
            verdict=UNDECIDED,
            effect=float(values[0]),
            interval=bounds,
            reason=f"'{rule}' has no value in some resamples: a curve without a crossing, or a missing prediction",
        )
    bottom, top = percentile_interval(values)
    reason = ""
    if low <= bottom and top <= high:
        verdict = HOLDS
    elif top < low or bottom > high:
        verdict = FAILS
    else:
        verdict, reason = UNDECIDED, f"the interval of '{rule}' reaches over the edge of its band"
    return Judgement(**what, verdict=verdict, effect=float(values[0]), interval=(bottom, top), reason=reason)


def _clause(where: Where) -> str:
    return " where " + ", ".join(f"{name} = {value}" for name, value in where.items()) if where else ""

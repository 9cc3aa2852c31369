"""Rules: what has to be true of a table of measurements, as numbers that have to lie in bands.

A rule gives its parts: for each cell, slope or difference an estimate, and the band that it has to lie in.
`simonides.lab.judging` makes a verdict of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from simonides.base import UNKNOWN, Estimate, SimonidesError, check_name, lack_of_fit, share_interval
from simonides.lab.cell_values import CellValues, Where, cell_values, check_column, selected
from simonides.lab.grid import Value

# a parameter, or several whose product is meant
Against = str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What a paper says of a rule's number.

    Arguments:
        value: the number, or the end of a band.
        where: its place, such as "theorem 1" or "figure 2".
    """

    value: float
    where: str

    def __post_init__(self) -> None:
        if (
            isinstance(self.value, bool)
            or not isinstance(self.value, (int, float))
            or not math.isfinite(self.value)
        ):
            raise SimonidesError(f"Reported(value={self.value!r}): give the paper's number.")
        if not isinstance(self.where, str) or not self.where.strip():
            raise SimonidesError(
                f"Reported(where={self.where!r}): give its place in the paper, such as 'figure 2'."
            )


@dataclass(frozen=True, kw_only=True)
class Part:
    """One number that has to lie in [low, high]; `count` of `total` where it is a share that was counted.

    `note` says more of it, such as how straight the line is whose slope it is.
    """

    estimate: Estimate
    low: float
    high: float
    place: str = ""
    counted: tuple[float, int] | None = None
    note: str = ""

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Of the number."""
        return (
            self.estimate.interval(confidence)
            if self.counted is None
            else share_interval(*self.counted, confidence)
        )

    @property
    def holds(self) -> bool:
        """Whether its 90 % interval lies in the band."""
        if self.counted is None:
            return self.estimate.inside(self.low, self.high)
        bottom, top = self.interval(0.90)
        return self.low <= bottom and top <= self.high

    @property
    def p_value(self) -> float:
        """Of the hypothesis that it lies in the band."""
        if self.counted is None:
            return self.estimate.p_outside(self.low, self.high)
        from scipy.special import bdtr

        count, total = self.counted
        below = float(bdtr(count, total, self.low)) if math.isfinite(self.low) and self.low > 0 else 1.0
        above = 1 - float(bdtr(count - 1, total, self.high)) if math.isfinite(self.high) and self.high < 1 else 1.0
        return min(below, above)


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """What all rules have.

    Arguments:
        says: what is asked, in words with unit, such as "copy accuracy of two layers"; by default made of the columns.
        paper: the paper's own number, where there is one; a rule without is about our finite-size theory, or a check.
        where: the cells it is about.
    """

    says: str = ""
    paper: Reported | None = None
    where: Where = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            kind = _KINDS.get(str(entry.type))
            if kind is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                wanted = _NAMES.get(str(entry.type), entry.type)
                raise SimonidesError(f"{type(self).__name__}({entry.name}={value!r}): expected {wanted}.")

    @property
    def clause(self) -> str:
        """The cells it is about, in words."""
        return (
            " where " + ", ".join(f"{name} = {value}" for name, value in self.where.items()) if self.where else ""
        )


# what the fields of a rule hold, by their annotation
_KINDS: dict[str, Any] = {
    "<class 'str'>": str,
    "<class 'float'>": (int, float),
    str(Where): Mapping,
    str(Reported | None): (Reported, type(None)),
    str(tuple[str, ...]): tuple,
    str(tuple[Value, ...]): tuple,
    str(Against): (str, tuple),
}
_NAMES = {
    "<class 'str'>": "a text",
    "<class 'float'>": "a number",
    str(Where): "a dictionary of parameters",
    str(Reported | None): "Reported(value=..., where=...)",
}


@dataclass(frozen=True, kw_only=True)
class Within(_Rule):
    """The mean of `column` lies within `ratio` of its prediction, as a share of it, or within `band`, in every cell.

    With `ratio` = 0.1 measured over predicted lies between 1/1.1 and 1.1. Values of a run are compared with the
    prediction for that run.
    """

    column: str
    ratio: float = 0.0
    band: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.ratio > 0) == (self.band > 0) or not (self.ratio >= 0 and self.band >= 0):
            raise SimonidesError(f"{self!r}: give one of ratio and band, above zero.")

    def __str__(self) -> str:
        how = f"{100 * self.ratio:g} %" if self.ratio else f"{self.band:g}"
        return f"{self.column} within {how} of its prediction in every cell{self.clause}"

    @property
    def quantity(self) -> str:
        """What its parts are."""
        return (
            f"{self.column}, measured over predicted" if self.ratio else f"{self.column}, measured less predicted"
        )

    def parts(self, table: pl.DataFrame) -> list[Part]:
        """One for each cell that has a prediction."""
        chosen = selected(table, self.where)
        if f"predicted {self.column}" not in chosen.columns:
            raise SimonidesError(f"rule '{self}' asks for a prediction, which the claim does not give.")
        predicted = pl.col(f"predicted {self.column}")
        if self.ratio and chosen.select((predicted == 0).any()).item():
            raise SimonidesError(f"rule '{self}': a prediction is zero, of which nothing is a share; give a band.")
        apart = pl.col(self.column) / predicted if self.ratio else pl.col(self.column) - predicted
        low, high = (1 / (1 + self.ratio), 1 + self.ratio) if self.ratio else (-self.band, self.band)
        return _per_cell(_derived(chosen, apart, self.column), low, high)


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Where the mean of `column` falls through `level` along `axis`: a capacity, by log-linear interpolation.

    The first cell below the level counts; a curve that starts below it or never falls to it has no crossing,
    and a rule built on it stays undecided. With `times_log` it is N log N of what was read off, N.
    """

    column: str
    axis: str
    level: float
    times_log: bool = False

    def __str__(self) -> str:
        return f"the {self.name} at which {self.column} falls to {self.level:g}"

    @property
    def name(self) -> str:
        """What is read off: N, or N log N."""
        return f"{self.axis} × log {self.axis}" if self.times_log else self.axis

    def curve(
        self, values: CellValues, against: Against, given: tuple[str, ...] = ()
    ) -> list[tuple[float, float, Float[np.ndarray, " cells"], dict[str, Any]]]:
        """For each setting of the other parameters: the product of `against`, the logarithm of the crossing, how that
        changes with the cells' means, and a cell of the setting.

        Raises:
            SimonidesError: when `against` and `given` do not tell the settings apart.
        """
        names = [name for name in values.cells[0] if name != self.axis]
        told = (*factors(against), *given)
        check_parameters(values, self.axis, *told)
        groups: dict[tuple[Any, ...], list[int]] = {}
        for place, cell in enumerate(values.cells):
            groups.setdefault(tuple(cell[name] for name in names), []).append(place)
        seen: set[tuple[Any, ...]] = set()
        found = []
        for places in groups.values():
            cell = values.cells[places[0]]
            x = math.prod(float(cell[name]) for name in factors(against))
            key = tuple(cell[name] for name in told)
            if key in seen:
                raise SimonidesError(
                    f"{self} at {product_name(against)} = {x:g} has several cells for one {self.axis}; restrict the "
                    "rule or figure to one curve by where={...}."
                )
            seen.add(key)
            log_crossing, change = _crossing(values, places, self.axis, self.level)
            if self.times_log and log_crossing > 0:
                log_crossing, change = log_crossing + math.log(log_crossing), change * (1 + 1 / log_crossing)
            found.append((x, log_crossing, change, cell))
        return sorted(found, key=lambda entry: entry[0])


@dataclass(frozen=True, kw_only=True)
class Exponent(_Rule):
    """The slope of log(of) in log(against), by least squares, lies in [low, high].

    `of` is a column, whose means are used, or a `Crossing`. Several parameters in `against` are multiplied. With
    `given` the slope is that within each setting of these parameters, common to all.
    """

    of: str | Crossing
    against: Against
    low: float
    high: float
    given: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_band(self, self.low, self.high)

    def __str__(self) -> str:
        held = f" at fixed {', '.join(self.given)}" if self.given else ""
        band = f"between {self.low:g} and {self.high:g}"
        return f"exponent of {self.of} in {product_name(self.against)}{held} {band}{self.clause}"

    @property
    def quantity(self) -> str:
        """What its part is."""
        of = f"{self.of.name} at {self.of.column} {self.of.level:g}" if isinstance(self.of, Crossing) else self.of
        return f"exponent of {of} in {product_name(self.against)}"

    def parts(self, table: pl.DataFrame) -> list[Part]:
        """The slope."""
        column = self.of.column if isinstance(self.of, Crossing) else self.of
        return [self.fitted_to(cell_values(selected(table, self.where), column))]

    def fitted_to(self, values: CellValues) -> Part:
        """The slope, and how straight the line is, from the values of the cells that it is about."""
        x, y, changes, settings = self._points(values)
        weights = _within(np.log(x), settings)
        square = float(weights @ weights)
        if square <= 0:
            raise SimonidesError(
                f"rule '{self}' needs two values of {product_name(self.against)}; the table has fewer."
            )
        if not np.all(np.isfinite(y)):
            return Part(estimate=UNKNOWN, low=self.low, high=self.high)
        slope = float(weights @ y / square)
        return Part(
            estimate=values.estimate((weights / square) @ changes, slope),
            low=self.low,
            high=self.high,
            note=self._straightness(values, x, y, changes, settings, slope),
        )

    def _points(self, values: CellValues) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[Any, ...]]]:
        """log y at x, how it changes with the cells' means, and the setting of `given`."""
        check_parameters(values, *factors(self.against), *self.given)
        if isinstance(self.of, Crossing):
            curves = self.of.curve(values, self.against, self.given)
            cells = [cell for *_, cell in curves]
            y, changes = np.array([c[1] for c in curves]), np.array([c[2] for c in curves])
        else:
            cells, means = list(values.cells), values.means
            with np.errstate(invalid="ignore", divide="ignore"):
                y, changes = np.where(means > 0, np.log(np.abs(means)), np.nan), np.diag(1 / means)
        x = np.array([math.prod(float(cell[name]) for name in factors(self.against)) for cell in cells])
        return x, y, changes, [tuple(cell[name] for name in self.given) for cell in cells]

    def _straightness(
        self,
        values: CellValues,
        x: np.ndarray,
        y: np.ndarray,
        changes: np.ndarray,
        settings: list[Any],
        slope: float,
    ) -> str:
        """Over which range, between which local slopes, and whether the points lie on the line."""
        reach = max(max(x[p]) / min(x[p]) for p in _places(settings))
        local = [
            (y[b] - y[a]) / math.log(x[b] / x[a])
            for places in _places(settings)
            for a, b in pairwise(places)
            if x[b] > x[a]
        ]
        text = f"over a factor {reach:.3g} in {product_name(self.against)}"
        if len(local) > 1:
            text += f", local slopes {min(local):.2f} to {max(local):.2f}"
            estimates = [values.estimate(change, 0.0) for change in changes]
            errors = np.array([one.error for one in estimates])
            residuals = _within(y, settings) - slope * _within(np.log(x), settings)
            p = lack_of_fit(residuals, errors, 1 + len(set(settings)), sum(one.freedom for one in estimates))
            if p < 0.01:
                text += "; the points do not lie on one line (p < 0.01), so the slope is of this range"
        return text


@dataclass(frozen=True, kw_only=True)
class Located(_Rule):
    """A crossing lies in [low, high], at every setting of the other parameters."""

    of: Crossing
    low: float
    high: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.of, Crossing) or not self.low > 0:
            raise SimonidesError(f"{self!r}: give of=Crossing(...), and a band above zero.")
        _check_band(self, self.low, self.high)

    def __str__(self) -> str:
        return f"{self.of} between {self.low:g} and {self.high:g}{self.clause}"

    @property
    def quantity(self) -> str:
        """What its parts are."""
        return str(self.of)

    def parts(self, table: pl.DataFrame) -> list[Part]:
        """One for each setting; its error is that of the logarithm."""
        values = cell_values(selected(table, self.where), self.of.column)
        names = tuple(name for name in values.cells[0] if name not in (self.of.axis, "row"))
        parts = []
        for _, log_crossing, change, cell in self.of.curve(values, (), names):
            crossing = math.exp(log_crossing)
            estimate = values.estimate(change * crossing, crossing)
            place = ", ".join(f"{name} = {cell[name]}" for name in names)
            parts.append(Part(estimate=estimate, low=self.low, high=self.high, place=place))
        return parts


@dataclass(frozen=True, kw_only=True)
class Threshold(_Rule):
    """The mean of `column` is at least, or at most, a number in every cell.

    With `trials`, the measured column that tells of how many independent draws each run's share is, shares are
    counts: their intervals are Clopper's and Pearson's, also where all runs agree.
    """

    column: str
    at_least: float = -math.inf
    at_most: float = math.inf
    trials: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.at_least) or math.isfinite(self.at_most)):
            raise SimonidesError("a Threshold takes at_least, at_most or both, finite numbers.")
        _check_band(self, self.at_least, self.at_most)

    def __str__(self) -> str:
        sides = [f"at least {self.at_least:g}"] * math.isfinite(self.at_least)
        sides += [f"at most {self.at_most:g}"] * math.isfinite(self.at_most)
        return f"{self.column} {' and '.join(sides)} in every cell{self.clause}"

    @property
    def quantity(self) -> str:
        """What its parts are."""
        return self.column

    def parts(self, table: pl.DataFrame) -> list[Part]:
        """One for each cell."""
        chosen = selected(table, self.where)
        values = cell_values(chosen, self.column, whole=bool(self.trials))
        parts = _per_cell(values, self.at_least, self.at_most)
        if not self.trials:
            return parts
        totals = cell_values(chosen, self.trials, whole=True).runs
        return [
            replace(part, counted=(float((shares * total).sum().round()), int(total.sum())))
            for part, shares, total in zip(parts, values.runs, totals, strict=True)
        ]


@dataclass(frozen=True, kw_only=True)
class Ordered(_Rule):
    """The mean of `column` rises along the values `order` of `by`, by more than `least`, all else equal."""

    column: str
    by: str
    order: tuple[Value, ...]
    least: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_band(self, self.least, math.inf)
        if len(self.order) < 2 or len(set(self.order)) != len(self.order):
            raise SimonidesError(f"rule '{self}' needs at least two different values in its order.")

    def __str__(self) -> str:
        steps = " < ".join(str(value) for value in self.order)
        more = f" by more than {self.least:g}" if self.least else ""
        return f"{self.column} rises along {self.by}: {steps}{more}{self.clause}"

    @property
    def quantity(self) -> str:
        """What its parts are."""
        return f"rise of {self.column} along {self.by}"

    def parts(self, table: pl.DataFrame) -> list[Part]:
        """One for each step of the order, at each setting of the other parameters."""
        values = cell_values(selected(table, self.where), self.column)
        check_parameters(values, self.by)
        groups: dict[tuple[object, ...], dict[object, int]] = {}
        for place, cell in enumerate(values.cells):
            rest = tuple(value for name, value in cell.items() if name != self.by)
            groups.setdefault(rest, {})[cell[self.by]] = place
        lacking = [value for group in groups.values() for value in self.order if value not in group]
        if lacking:
            raise SimonidesError(
                f"rule '{self}' needs all values of {self.by} in every setting; {lacking[0]!r} is missing. Restrict it "
                "by where={...}."
            )
        parts, means = [], values.means
        for group in groups.values():
            for below, above in zip(self.order, self.order[1:], strict=False):
                coefficients = np.zeros(len(means))
                coefficients[group[above]], coefficients[group[below]] = 1.0, -1.0
                estimate = values.estimate(coefficients, float(coefficients @ np.nan_to_num(means, nan=math.nan)))
                where = values.place(group[above])
                parts.append(Part(estimate=estimate, low=self.least, high=math.inf, place=where))
        return parts


@dataclass(frozen=True, kw_only=True)
class Equal(_Rule):
    """Two measured columns have the same mean in every cell, up to a tolerance; compared run by run."""

    column: str
    other: str
    tolerance: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_band(self, 0.0, self.tolerance)

    def __str__(self) -> str:
        return f"{self.column} equals {self.other} within {self.tolerance:g} in every cell{self.clause}"

    @property
    def quantity(self) -> str:
        """What its parts are."""
        return f"{self.column} less {self.other}"

    def parts(self, table: pl.DataFrame) -> list[Part]:
        """One for each cell."""
        chosen = selected(table, self.where)
        apart = pl.col(self.column) - pl.col(self.other)
        return _per_cell(_derived(chosen, apart, self.column, self.other), -self.tolerance, self.tolerance)


Rule = Within | Exponent | Located | Threshold | Ordered | Equal


def product_name(against: Against) -> str:
    """How a product of parameters is written."""
    return " × ".join(factors(against))


def factors(against: Against) -> tuple[str, ...]:
    """The parameters of a product."""
    return (against,) if isinstance(against, str) else against


def columns_of(rule: Rule) -> list[str]:
    """The measured columns that a rule reads."""
    of = getattr(rule, "of", None)
    named = [getattr(rule, "column", None), getattr(rule, "other", None), getattr(rule, "trials", None)]
    named.append(of.column if isinstance(of, Crossing) else of)
    return [name for name in named if name]


def check_parameters(values: CellValues, *names: str) -> None:
    """Raise `SimonidesError` where a rule or figure names a parameter that the grid does not have."""
    for name in names:
        check_name("a rule or figure: parameter", name, values.cells[0])


def _derived(table: pl.DataFrame, expression: pl.Expr, *columns: str) -> CellValues:
    """What is computed of columns, run by run."""
    for column in columns:
        check_column(table, column)
    return cell_values(table.with_columns(expression.cast(pl.Float64).alias("derived")), "derived")


def _per_cell(values: CellValues, low: float, high: float) -> list[Part]:
    return [
        Part(estimate=estimate, low=low, high=high, place=values.place(index))
        for index, estimate in enumerate(values.mean_estimates())
    ]


def _places(settings: list[Any]) -> list[list[int]]:
    """The points of each setting, in order."""
    return [[n for n, other in enumerate(settings) if other == one] for one in dict.fromkeys(settings)]


def _within(logs: np.ndarray, settings: list[Any]) -> np.ndarray:
    """Logarithms less their mean within each setting."""
    centred = logs.astype(float)
    for places in _places(settings):
        centred[places] -= centred[places].mean()
    return centred


def _crossing(values: CellValues, places: list[int], axis: str, level: float) -> tuple[float, np.ndarray]:
    """The logarithm of where the means of some cells fall through a level, and how it changes with them."""
    order = sorted(places, key=lambda place: float(values.cells[place][axis]))
    means = values.means[order]
    along = np.log([float(values.cells[place][axis]) for place in order])
    change = np.zeros(len(values.cells))
    below = np.flatnonzero(means < level)
    if len(below) == 0 or below[0] == 0 or not np.all(np.isfinite(means[: below[0] + 1])):
        return math.nan, change * math.nan
    last, first = below[0] - 1, below[0]
    high, low, step = means[last], means[first], along[first] - along[last]
    change[order[last]] = step * (level - low) / (high - low) ** 2
    change[order[first]] = step * (high - level) / (high - low) ** 2
    return float(along[last] + step * (high - level) / (high - low)), change


def _check_band(rule: Any, low: float, high: float) -> None:
    """Raise `SimonidesError` where nothing could lie in a rule's band."""
    if not low <= high:  # a NaN is neither
        raise SimonidesError(f"rule '{rule}' can never hold: its band reaches from {low:g} to {high:g}.")

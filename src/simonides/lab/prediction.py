"""Predictions: functions that are called with the values they name, from a cell or from a row of the table."""

import inspect
import math
from collections.abc import Callable, Mapping
from functools import cache, lru_cache

import polars as pl

from simonides.base import SimonidesError

Predictions = Mapping[str, Callable[..., float]]


def predict(function: Callable[..., float], values: Mapping[str, object]) -> float:
    """The prediction for a cell, or a row: called with every value that it has a parameter for."""
    chosen = {name: values[name] for name in _asked(function) if name in values}
    try:
        return _value(function, tuple((name, type(value), value) for name, value in chosen.items()))
    except SimonidesError:
        raise
    except Exception as error:
        raise SimonidesError(f"the prediction for {chosen} raised {type(error).__name__}: {error}") from error


@cache
def _asked(function: Callable[..., float]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


# plan, verdict and figures ask for the same cells; the types keep 2 apart from 2.0 and from True
@lru_cache(maxsize=100_000)
def _value(function: Callable[..., float], chosen: tuple[tuple[str, type, object], ...]) -> float:
    return float(function(**{name: value for name, _, value in chosen}))


def needed(function: Callable[..., float]) -> set[str]:
    """The names of the values a prediction cannot do without."""
    parameters = inspect.signature(function).parameters.items()
    return {name for name, parameter in parameters if parameter.default is parameter.empty}


def with_predictions(table: pl.DataFrame, predictions: Predictions, forgiving: bool = False) -> pl.DataFrame:
    """The table with a column "predicted <name>" for every prediction.

    A `forgiving` table has NaN where a prediction refuses its arguments, as it may for settings made by hand.

    Raises:
        SimonidesError: when a prediction asks for what neither the grid nor `measure` gives.
    """
    plain = {name.removeprefix("cell "): name for name in table.columns}
    for column, function in predictions.items():
        missing = sorted(needed(function) - set(plain))
        if missing:
            raise SimonidesError(
                f"the prediction of {column!r} asks for {missing}, which are neither parameters nor columns."
            )
        wanted = [name for name in inspect.signature(function).parameters if name in plain]
        settings = list(zip(*(table[plain[name]].to_list() for name in wanted), strict=True))
        settings = settings or [()] * len(table)
        known: dict[tuple[object, ...], float] = {}
        for row in dict.fromkeys(settings):
            try:
                known[row] = predict(function, dict(zip(wanted, row, strict=True)))
            except SimonidesError as error:
                if not forgiving:
                    raise SimonidesError(f"column {column!r}: {error}") from error
                known[row] = math.nan
        values = [known[row] for row in settings]
        table = table.with_columns(pl.Series(f"predicted {column}", values, dtype=pl.Float64))
    return table

"""Temperatures from files of one's own: NetCDF of a grid, such as ERA5's t2m, or a table of stations.

Both become samples of random stations and steps in the form of the paper's data (Golkar et al. 2023, appendix).
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator

from simonides.base import SimonidesError, check_at_least, suggest
from simonides.data import read_documents
from simonides.papers.numbers.temperature import Weather

_NAMES = {
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon"),
    "time": ("valid_time", "time", "date", "datetime"),
    "temperature": ("t2m", "2t", "tas", "air_temperature", "temperature", "temp"),
}
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_HDF5 = b"\x89HDF\r\n\x1a\n"
# colder or warmer than anywhere on Earth, in degrees Celsius: another unit than was told
_COLDEST, _WARMEST = -100.0, 70.0


@dataclass(frozen=True, kw_only=True, eq=False)
class TemperatureRecord:
    """Temperatures at places and equal steps of time.

    Arguments:
        latitude, longitude: of each place, in radians.
        start: of the first time, in UTC.
        hours: between two times.
        celsius: of each place at each time; NaN where it is missing.
    """

    latitude: Float[np.ndarray, " places"]
    longitude: Float[np.ndarray, " places"]
    start: datetime
    hours: float
    celsius: Float[np.ndarray, "places times"]

    def sample(self, count: int, stations: int, times: int, generator: Generator) -> Weather:
        """Samples of stations without a missing value, at steps that follow each other.

        Arguments:
            count: B.
            stations: S of each, drawn without repetition.
            times: T of each.
            generator: draws stations and starts.

        Raises:
            SimonidesError: when there are fewer places or times, or no start has enough places without a gap.
        """
        for name, value, most in (
            ("stations", stations, len(self.latitude)),
            ("times", times, self.celsius.shape[1]),
        ):
            check_at_least(name, value, 1)
            if value > most:
                raise SimonidesError(f"{name} = {value}; the record has {most}.")
        check_at_least("count", count, 1)
        known = np.isfinite(self.celsius)
        windows = np.asarray(np.lib.stride_tricks.sliding_window_view(known, times, axis=1).all(-1))
        starts = np.flatnonzero(windows.sum(0) >= stations)
        if not len(starts):
            raise SimonidesError(f"no start has {stations} places with {times} values that follow each other.")
        chosen = starts[torch.randint(len(starts), (count,), generator=generator).numpy()]
        keys = torch.rand(count, len(self.latitude), generator=generator).numpy()
        keys[~windows[:, chosen].T] = 2.0
        places = keys.argsort(1)[:, :stations]
        steps = chosen[:, None] + np.arange(times)
        year = [
            (moment - datetime(moment.year, 1, 1, tzinfo=UTC)).total_seconds() / 3600
            for moment in (self.start + timedelta(hours=float(self.hours * step)) for step in chosen)
        ]
        return Weather(
            latitude=torch.tensor(self.latitude[places]),
            longitude=torch.tensor(self.longitude[places]),
            start=torch.tensor(year, dtype=torch.float64),
            celsius=torch.tensor(self.celsius[places[:, :, None], steps[:, None]]),
        )


def read_temperatures(path: Path | str) -> TemperatureRecord:
    """A record from a `.nc` of a grid, or from a table of stations.

    A NetCDF has one-dimensional latitude, longitude and time, and a temperature over the three (or time and place), in
    kelvin or degrees Celsius as its units say; packed values and fill values are understood. A table, of any kind that
    `read_documents` reads, has the columns time (ISO 8601), latitude, longitude (degrees) and temperature (degrees
    Celsius). Files of NetCDF 4 need h5py.

    Raises:
        SimonidesError: when the file cannot be read, a name or unit is not known, times are not equally spaced, or
            values are none of temperatures on Earth.
    """
    path = Path(path)
    record = _of_netcdf(path) if path.suffix.lower() in (".nc", ".nc4", ".cdf") else _of_table(path)
    known = record.celsius[np.isfinite(record.celsius)]
    if not len(known):
        raise SimonidesError(f"{path} has no temperature that is not missing.")
    if known.min() < _COLDEST or known.max() > _WARMEST:
        raise SimonidesError(
            f"{path} has temperatures from {known.min():g} to {known.max():g} degrees Celsius; check its units."
        )
    return record


def _of_table(path: Path) -> TemperatureRecord:
    rows = read_documents(path)
    columns = {wanted: _named(path, wanted, rows[0]) for wanted in _NAMES}
    places: dict[tuple[float, float], int] = {}
    values: dict[tuple[int, float], float] = {}
    for number, row in enumerate(rows, start=1):
        try:
            lat, lon = (float(row[columns[name]]) for name in ("latitude", "longitude"))
            moment = datetime.fromisoformat(str(row[columns["time"]]))
            given = row[columns["temperature"]]
            value = math.nan if given is None else float(given)
        except (KeyError, TypeError, ValueError) as error:
            raise SimonidesError(
                f"{path}, row {number}: {error}; give time, latitude, longitude, temperature."
            ) from None
        if abs(lat) > 90 or abs(lon) > 360:
            raise SimonidesError(f"{path}, row {number}: ({lat:g}, {lon:g}) is no place; give degrees.")
        seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        key = (places.setdefault((lat, lon), len(places)), seconds)
        if key in values:
            raise SimonidesError(f"{path}, row {number}: this place has two values at {moment.isoformat()}.")
        values[key] = value
    start, hours, grid = _spaced(path, np.array(sorted({moment for _, moment in values})))
    celsius = np.full((len(places), len(grid)), np.nan)
    for (place, second), value in values.items():
        celsius[place, round((second - grid[0]) / (3600 * hours))] = value
    latitude, longitude = np.radians(np.array(list(places))).T
    return TemperatureRecord(latitude=latitude, longitude=longitude, start=start, hours=hours, celsius=celsius)


def _of_netcdf(path: Path) -> TemperatureRecord:
    variables = _variables(path)
    names = {wanted: _named(path, wanted, variables) for wanted in _NAMES}
    lat, lon, time = (variables[names[name]][0] for name in ("latitude", "longitude", "time"))
    values, attributes = variables[names["temperature"]]
    if any(one.ndim != 1 for one in (lat, lon, time)):
        raise SimonidesError(f"{path}: latitude, longitude and time have to be of one dimension each.")
    if values.shape == (len(time), len(lat), len(lon)):
        grid_lat, grid_lon = (one.ravel() for one in np.meshgrid(lat, lon, indexing="ij"))
    elif values.shape == (len(time), len(lat)) and len(lat) == len(lon):
        grid_lat, grid_lon = lat, lon
    else:
        raise SimonidesError(
            f"{path}: {names['temperature']} has shape {list(values.shape)}; expected time x latitude x longitude, "
            f"{[len(time), len(lat), len(lon)]}."
        )
    celsius = _unpacked(values, attributes).reshape(len(time), -1).T
    unit = str(attributes.get("units", "")).strip()
    if unit.lower() in ("k", "kelvin"):
        celsius = celsius - 273.15
    elif unit.lower() not in ("c", "degc", "deg_c", "celsius", "degrees_celsius", "degree_celsius", "°c"):
        raise SimonidesError(f"{path}: the unit of {names['temperature']} is {unit!r}; K and degC are known.")
    moments = _moments(path, time, variables[names["time"]][1])
    start, hours, grid = _spaced(path, moments)
    if len(grid) != len(moments):
        raise SimonidesError(f"{path}: times are not equally spaced; fill the gaps with missing values.")
    return TemperatureRecord(
        latitude=np.radians(grid_lat), longitude=np.radians(grid_lon), start=start, hours=hours, celsius=celsius
    )


def _variables(path: Path) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Arrays of a NetCDF file with their attributes."""
    if not path.is_file():
        raise SimonidesError(f"{path} does not exist, or is no file; check the path.")
    with path.open("rb") as file:
        head = file.read(8)
    try:
        if head == _HDF5:
            return _of_hdf5(path)
        from scipy.io import netcdf_file

        with netcdf_file(path, "r", mmap=False) as found:
            return {
                name: (np.array(one[:]), {key: _text(value) for key, value in one._attributes.items()})
                for name, one in found.variables.items()
            }
    except SimonidesError:
        raise
    except Exception as error:  # whatever a damaged file does to the reader is told with its place
        line = " ".join(str(error).split())[:200] or type(error).__name__
        raise SimonidesError(f"{path} cannot be read as NetCDF: {line}.") from None


def _of_hdf5(path: Path) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    try:
        import h5py
    except ModuleNotFoundError:
        raise SimonidesError(
            f"{path} is NetCDF 4, which needs h5py; run: pip install h5py, or save the file as NetCDF 3."
        ) from None
    with h5py.File(path, "r") as found:
        return {
            name: (np.array(one[...]), {key: _text(value) for key, value in one.attrs.items()})
            for name, one in found.items()
            if isinstance(one, h5py.Dataset) and one.dtype.kind in "fiu"
        }


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _unpacked(values: np.ndarray, attributes: dict[str, Any]) -> Float[np.ndarray, "..."]:
    """Values as numbers, missing ones as NaN: value * scale_factor + add_offset (the CF conventions, section 8.1)."""
    found = values.astype(np.float64)
    for name in ("_FillValue", "missing_value"):
        if name in attributes:
            found[values == np.asarray(attributes[name]).ravel()[0]] = np.nan
    scale, offset = (
        float(np.asarray(attributes.get(n, d)).ravel()[0]) for n, d in (("scale_factor", 1), ("add_offset", 0))
    )
    return found * scale + offset


def _moments(path: Path, time: np.ndarray, attributes: dict[str, Any]) -> Float[np.ndarray, " times"]:
    """Seconds since 1970, in UTC, of times such as "hours since 1900-01-01"."""
    unit = str(attributes.get("units", ""))
    word, _, since = unit.partition(" since ")
    seconds = _SECONDS.get(word.strip().lower().rstrip("s"))
    calendar = str(attributes.get("calendar", "standard")).lower()
    try:
        origin = datetime.fromisoformat(since.strip().replace(" UTC", "").removesuffix(".0"))
    except ValueError:
        origin = None
    if seconds is None or origin is None or calendar not in ("standard", "gregorian", "proleptic_gregorian"):
        raise SimonidesError(
            f"{path}: times are {unit!r} in the calendar {calendar!r}; expected such as 'hours since 1900-01-01'."
        )
    return origin.replace(tzinfo=origin.tzinfo or UTC).timestamp() + seconds * time.astype(np.float64)


def _spaced(path: Path, moments: np.ndarray) -> tuple[datetime, float, Float[np.ndarray, " times"]]:
    """The first moment, the hours between two, and all moments from first to last at these hours."""
    if len(moments) < 2:
        raise SimonidesError(f"{path} has {len(moments)} times; give at least two.")
    gaps = np.diff(moments)
    step = float(gaps.min())
    counts = gaps / step
    if step <= 0 or np.abs(counts - counts.round()).max() > 1e-3:
        raise SimonidesError(f"{path}: times are not at equal steps, or not in order.")
    grid = moments[0] + step * np.arange(round(float(counts.sum())) + 1)
    return datetime.fromtimestamp(float(moments[0]), UTC), step / 3600, grid


def _named(path: Path, wanted: str, names: Any) -> str:
    folded = {str(name).casefold(): str(name) for name in names}
    found = next((folded[name] for name in _NAMES[wanted] if name in folded), None)
    if found is None:
        raise SimonidesError(
            f"{path} has no {wanted}, called {' or '.join(_NAMES[wanted])}; {suggest(wanted, folded)}"
        )
    return found

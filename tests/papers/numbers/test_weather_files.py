"""Temperatures from NetCDF, written by scipy and h5py, and from tables."""

import numpy as np
import pytest
import torch
from scipy.io import netcdf_file

from simonides.base import SimonidesError
from simonides.papers.numbers.weather_files import read_temperatures

KELVIN = 280.0 + np.arange(4 * 2 * 3, dtype=float).reshape(4, 2, 3)


def write(path, values=KELVIN, unit="K", times="hours since 2020-03-01 00:00:00", **attributes):
    with netcdf_file(path, "w") as file:
        for name, own in (
            ("time", np.arange(4) * 8.0),
            ("latitude", [60.0, 0.0]),
            ("longitude", [0.0, 90.0, 180.0]),
        ):
            file.createDimension(name, len(own))
            file.createVariable(name, "d", (name,))[:] = own
        file.variables["time"].units = times
        one = file.createVariable(
            "t2m", values.dtype.char if values.dtype.kind == "i" else "d", ("time", "latitude", "longitude")
        )
        one[:] = values
        one.units = unit
        for name, value in attributes.items():
            setattr(one, name, value)
    return path


def test_a_grid_is_read_and_sampled(tmp_path):
    record = read_temperatures(write(tmp_path / "t.nc"))
    assert record.hours == 8.0 and record.start.isoformat() == "2020-03-01T00:00:00+00:00"
    np.testing.assert_allclose(record.celsius, KELVIN.reshape(4, 6).T - 273.15)
    weather = record.sample(50, 4, 2, torch.Generator().manual_seed(0))
    assert weather.celsius.shape == (50, 4, 2)
    # each sampled value is that of its place and time
    for sample in range(50):
        step = round((float(weather.start[sample]) - 60 * 24) / 8)
        for station in range(4):
            lat, lon = (np.degrees(float(one[sample, station])) for one in (weather.latitude, weather.longitude))
            row, column = [60, 0].index(round(lat)), [0, 90, 180].index(round(lon))
            there = KELVIN[step : step + 2, row, column] - 273.15
            np.testing.assert_allclose(weather.celsius[sample, station], there)
    assert weather.sequences().symbols.shape[0] == 50


def test_packed_and_missing_values_are_understood(tmp_path):
    packed = np.arange(24, dtype=np.int16).reshape(4, 2, 3)
    packed[1, 0, 0] = -999
    path = write(tmp_path / "t.nc", packed, "degC", scale_factor=0.5, add_offset=-3.0, _FillValue=np.int16(-999))
    record = read_temperatures(path)
    assert np.isnan(record.celsius[0, 1]) and record.celsius[1, 1] == packed[1, 0, 1] * 0.5 - 3
    weather = record.sample(40, 6, 1, torch.Generator().manual_seed(0))
    assert bool(weather.celsius.isfinite().all())
    with pytest.raises(SimonidesError, match="no start has 6 places with 3 values"):
        record.sample(1, 6, 3, torch.Generator())
    with pytest.raises(SimonidesError, match="stations = 7; the record has 6"):
        record.sample(1, 7, 1, torch.Generator())


def test_netcdf_4_is_read_where_h5py_is(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "t.nc", "w") as file:
        file["valid_time"], file["latitude"], file["longitude"] = (
            np.arange(4) * 3600,
            [60.0, 0.0],
            [0.0, 90.0, 180.0],
        )
        file["valid_time"].attrs["units"] = "seconds since 1970-01-01"
        file["t2m"] = KELVIN.astype(np.float32)
        file["t2m"].attrs["units"] = "K"
    assert read_temperatures(tmp_path / "t.nc").hours == 1.0


def test_a_table_of_stations_is_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "time,lat,lon,temp\n2020-01-01T00:00,10,20,5\n2020-01-01T08:00,10,20,6\n2020-01-02T00:00,10,20,8\n"
        "2020-01-01T00:00,-10,20,\n"
    )
    record = read_temperatures(path)
    assert record.celsius.shape == (2, 4) and record.hours == 8.0
    np.testing.assert_allclose(record.celsius[0], [5, 6, np.nan, 8])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unit": "F"}, "the unit of t2m is 'F'"),
        ({"unit": "degC"}, "check its units"),
        ({"times": "fortnights since 2020-01-01"}, "times are 'fortnights"),
        ({"times": "hours"}, "times are 'hours'"),
    ],
)
def test_what_a_grid_may_not_say(tmp_path, change, said):
    with pytest.raises(SimonidesError, match=said):
        read_temperatures(write(tmp_path / "t.nc", **change))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("time,lat,lon\n2020-01-01,1,2\n", "has no temperature"),
        ("time,lat,lon,temp\n2020-01-01,100,2,3\n", "is no place"),
        ("time,lat,lon,temp\nyesterday,1,2,3\n", "row 1: Invalid isoformat"),
        ("time,lat,lon,temp\n2020-01-01,1,2,3\n", "give at least two"),
        ("time,lat,lon,temp\n2020-01-01,1,2,3\n2020-01-01,1,2,4\n", "two values"),
        (
            "time,lat,lon,temp\n2020-01-01T00:00,1,2,3\n2020-01-01T01:00,1,2,3\n2020-01-01T02:30,1,2,3\n",
            "equal steps",
        ),
    ],
)
def test_what_a_table_may_not_say(tmp_path, content, said):
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(SimonidesError, match=said):
        read_temperatures(tmp_path / "t.csv")


def test_what_is_no_file_of_this_kind(tmp_path):
    (tmp_path / "broken.nc").write_bytes(b"CDF\x01nonsense")
    for name in ("broken.nc", "none.nc"):
        with pytest.raises(SimonidesError, match=r"cannot be read as NetCDF|does not exist"):
            read_temperatures(tmp_path / name)

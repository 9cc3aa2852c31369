"""A user's own arrays: .npy, .npz, NetCDF 3 by scipy and NetCDF 4 by h5py."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import torch
from scipy.io import netcdf_file

from simonides.base import SimonidesError
from simonides.papers.physics.opening import open_sources

VALUES = np.random.default_rng(0).normal(size=(3, 5, 2, 6, 4))


def check(source, values=VALUES):
    for trajectory in range(len(values)):
        expected = torch.from_numpy(values[trajectory].astype(np.float32))
        assert torch.equal(source.read(trajectory, 0, source.steps), expected)
        assert torch.equal(source.read(trajectory, 1, source.steps, 2), expected[1::2])


@pytest.mark.parametrize("kind", [np.float64, np.float32, ">f8", np.int16])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_plain_array(kind, order, tmp_path):
    values = np.asarray(VALUES * 10, kind, order)
    np.save(tmp_path / "flow.npy", values)
    (source,) = open_sources(tmp_path / "flow.npy", boundaries="periodic")
    assert (source.system, source.fields, source.shape) == ("flow", ("field_0", "field_1"), (6, 4))
    assert source.times.tolist() == [0, 1, 2, 3, 4] and source.coordinates[1].tolist() == [0, 1, 2, 3]
    check(pickle.loads(pickle.dumps(source)), values)
    with pytest.raises(SimonidesError, match="does not tell its boundaries"):
        open_sources(tmp_path / "flow.npy")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_named_arrays(save, tmp_path):
    given = {
        "values": VALUES,
        "fields": np.array(["u", "v"]),
        "times": np.linspace(0, 1, 5),
        "boundaries": np.array([["periodic", "periodic"], ["wall", "open"]]),
        "x": np.linspace(0, 1, 6),
        "y": np.linspace(2, 3, 4),
    }
    save(tmp_path / "mine.npz", **given)
    (source,) = open_sources(tmp_path / "mine.npz", "swirl")
    assert (source.system, source.fields) == ("swirl", ("u", "v"))
    assert source.boundaries == (("periodic", "periodic"), ("wall", "open"))
    np.testing.assert_array_equal(source.times, given["times"])
    np.testing.assert_array_equal(source.coordinates[1], given["y"])
    check(source)
    save(tmp_path / "mine.npz", **{**given, "boundaries": np.array(["periodic", "wall"])})
    assert open_sources(tmp_path / "mine.npz")[0].boundaries[1] == ("wall", "wall")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": np.array(["u"])}, "1 names of fields for the 2 of values"),
        ({"fields": np.array(["u", "u"])}, "each once"),
        ({"times": np.arange(4.0)}, r"times has shape \[4\]; values need \[5\]"),
        ({"times": np.array([0.0, 1, 1, 2, 3])}, "times of the frames do not grow"),
        ({"velues": VALUES}, "velues is unknown; did you mean 'values'"),
        ({"boundaries": np.array([1, 2])}, "boundaries has to be one or two names"),
        ({"boundaries": np.array(["wall"])}, "2 axes of space; give the kinds of two faces for each"),
        ({"values": VALUES[0, 0]}, "values has shape .*; expected 4 or 5 or 6 dimensions"),
        ({"values": VALUES[:0]}, "holds nothing: 0 trajectories"),
        ({"values": VALUES.astype(complex)}, "values holds complex128"),
        ({"values": VALUES.astype(object)}, "holds Python objects"),
        ({"x": np.full(6, np.inf)}, "x holds NaN or infinite"),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_that_do_not_go_together_are_refused(save, change, message, tmp_path):
    save(tmp_path / "a.npz", **{"values": VALUES, **change})
    with pytest.raises(SimonidesError, match=message):
        open_sources(tmp_path / "a.npz", boundaries=None if "boundaries" in change else "open")


def test_files_that_are_cut_off_or_something_else_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    whole = (tmp_path / "a.npy").read_bytes()
    for length in (9, 100, len(whole) - 1):
        (tmp_path / "a.npy").write_bytes(whole[:length])
        with pytest.raises(SimonidesError, match="cannot be read as an array of NumPy"):
            open_sources(tmp_path / "a.npy", boundaries="open")
    np.savez(tmp_path / "a.npz", values=VALUES)
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[:-100])
    with pytest.raises(SimonidesError, match=r"a\.npz"):
        open_sources(tmp_path / "a.npz", boundaries="open")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as folder:
        folder.writestr("notes.txt", "nothing")
    with pytest.raises(SimonidesError, match=r"has notes.txt; expected a .npz with an array `values`"):
        open_sources(tmp_path / "b.zip", boundaries="open")


def test_a_missing_number_is_named(tmp_path):
    values = VALUES.copy()
    values[1, 3, 1, 2, 2] = np.nan
    np.savez(tmp_path / "a.npz", values=values, fields=np.array(["u", "v"]))
    (source,) = open_sources(tmp_path / "a.npz", boundaries="open")
    source.read(1, 0, 3)
    with pytest.raises(SimonidesError, match=r"a\.npz: field v is NaN .* trajectory 1, frame 3"):
        source.read(1, 1, 5, 2)
    values[1, 3, 1, 2, 2] = 1e300  # a number that float32 does not hold
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(SimonidesError, match="field_1 is NaN or infinite, as float32"):
        open_sources(tmp_path / "a.npy", boundaries="open")[0].read(1, 0, 5)


def test_a_large_packed_array_is_refused_before_it_fills_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("simonides.papers.physics.file_handles._MOST_UNPACKED", 1000)
    np.savez_compressed(tmp_path / "a.npz", values=VALUES)
    (source,) = open_sources(tmp_path / "a.npz", boundaries="open")
    with pytest.raises(SimonidesError, match=r"save it by np.savez, not by np.savez_compressed"):
        source.read(0, 0, 1)


def classic(path, variables, sizes, record=False):
    """NetCDF 3: arrays with their dimensions and attributes by name."""
    with netcdf_file(path, "w") as file:
        for name, size in sizes.items():
            file.createDimension(name, None if record and name == "time" else size)
        for name, (array, dimensions, attributes) in variables.items():
            one = file.createVariable(name, array.dtype, dimensions)
            one[:] = array
            for key, value in attributes.items():
                setattr(one, key, value)
    return path


def newer(path, variables, sizes, record=False):
    """NetCDF 4, whose dimensions are HDF5's dimension scales."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for name, size in sizes.items():
            array = variables[name][0] if name in variables else np.zeros(size, "f4")
            file[name] = array
            label = name if name in variables else f"This is a netCDF dimension but not a netCDF variable. {size}"
            file[name].make_scale(label)
        for name, (array, dimensions, attributes) in variables.items():
            if name not in sizes:
                file[name] = array
                for axis, dimension in enumerate(dimensions):
                    file[name].dims[axis].attach_scale(file[dimension])
            file[name].attrs.update(attributes)
    return path


WRITERS = pytest.mark.parametrize("write", [classic, newer])


@WRITERS
@pytest.mark.parametrize("record", [False, True])
def test_netcdf_over_time_and_space(write, record, tmp_path):
    rng = np.random.default_rng(1)
    u, v = rng.normal(size=(5, 4, 6)), rng.normal(size=(5, 6, 4)).astype(np.float32)
    variables = {
        "time": (np.arange(5.0) * 6, ("time",), {}),
        "lat": (np.linspace(-40, 40, 4), ("lat",), {}),
        "u": (u, ("time", "lat", "lon"), {}),
        "v": (v, ("time", "lon", "lat"), {}),
        "ground": (np.zeros((4, 6)), ("lat", "lon"), {}),
    }
    path = write(tmp_path / "wind.nc", variables, {"time": 5, "lat": 4, "lon": 6}, record)
    (source,) = open_sources(path, boundaries=(("periodic", "periodic"), ("open", "open")))
    assert (
        source.system == "wind" and sorted(source.fields) == ["u", "v"] and source.constant_fields == ("ground",)
    )
    assert (source.trajectories, source.steps, source.shape) == (1, 5, (6, 4))
    assert source.times.tolist() == [0, 6, 12, 18, 24]
    np.testing.assert_allclose(source.coordinates[1], np.linspace(-40, 40, 4))
    assert source.coordinates[0].tolist() == [0, 1, 2, 3, 4, 5]
    fields = {"u": u.transpose(0, 2, 1), "v": v}
    check(source, np.stack([fields[name] for name in source.fields], 1)[None])


@WRITERS
def test_netcdf_with_samples_that_are_packed(write, tmp_path):
    packed = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    attributes = {"scale_factor": 0.5, "add_offset": 10.0, "_FillValue": np.int16(-999)}
    sizes = {"sample": 2, "time": 3, "y": 4, "x": 5}
    path = write(tmp_path / "a.nc", {"h": (packed, tuple(sizes), attributes)}, sizes)
    (source,) = open_sources(path, boundaries="wall")
    check(source, (packed * 0.5 + 10).transpose(0, 1, 3, 2)[:, :, None])
    packed[1, 2, 0, 3] = -999
    path = write(tmp_path / "b.nc", {"h": (packed, tuple(sizes), attributes)}, sizes)
    (source,) = open_sources(path, boundaries="wall")
    source.read(1, 0, 2)
    with pytest.raises(SimonidesError, match=r"h has a missing value \(-999\) in trajectory 1, frame 2"):
        source.read(1, 0, 3, 2)


@WRITERS
def test_a_place_that_was_never_written_is_a_missing_value(write, tmp_path):
    values = np.zeros((3, 5), np.float32)
    values[1, 2] = 9.969209968386869e36
    path = write(tmp_path / "a.nc", {"h": (values, ("time", "x"), {})}, {"time": 3, "x": 5})
    with pytest.raises(SimonidesError, match=r"h has a missing value .* frame 1"):
        open_sources(path, boundaries="wall")[0].read(0, 0, 3)


@WRITERS
@pytest.mark.parametrize(
    ("dimensions", "other", "message"),
    [
        (("time", "depth", "x"), None, "expected fields over time, and x, or x and y"),
        (("time", "y", "band"), None, "known are sample/trajectory"),
        (("band", "y", "x"), None, "known are sample/trajectory"),
        (("time", "y", "x"), ("time", "x"), "the fields g do not have all of the axes"),
    ],
)
def test_netcdf_of_other_dimensions_is_refused(write, dimensions, other, message, tmp_path):
    sizes = {"time": 3, "depth": 4, "y": 4, "x": 5, "band": 2}
    used = {name: sizes[name] for name in dict.fromkeys((*dimensions, *(other or ())))}
    variables = {"h": (np.zeros(tuple(sizes[d] for d in dimensions)), dimensions, {})}
    if other:
        variables["g"] = (np.zeros(tuple(sizes[d] for d in other)), other, {})
    with pytest.raises(SimonidesError, match=message):
        open_sources(write(tmp_path / "a.nc", variables, used), boundaries="wall")


def test_a_netcdf_that_is_cut_off_is_refused(tmp_path):
    values = np.zeros((3, 50), np.float32)
    path = classic(tmp_path / "a.nc", {"h": (values, ("time", "x"), {})}, {"time": 3, "x": 50})
    whole = path.read_bytes()
    for length in (8, 60, len(whole) - 100):
        path.write_bytes(whole[:length])
        with pytest.raises(SimonidesError, match="is damaged, or cut off"):
            open_sources(path, boundaries="wall")


def test_pickles_are_never_loaded(tmp_path):
    class Harm:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    content = io.BytesIO()
    np.save(content, np.array([Harm()], dtype=object), allow_pickle=True)
    (tmp_path / "a.npy").write_bytes(content.getvalue())
    with pytest.raises(SimonidesError, match="holds Python objects"):
        open_sources(tmp_path / "a.npy", boundaries="open")

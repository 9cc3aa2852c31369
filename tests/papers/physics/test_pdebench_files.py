"""Layouts of PDEBench and PDEArena, written by h5py as their generators write them."""

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.opening import open_sources

h5py = pytest.importorskip("h5py")
RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def write(path, arrays, **attributes):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file.attrs.update(attributes)
    return path


def samples(channels, count=3, steps=4, shape=(6, 5)):
    arrays = {}
    for number in range(count):
        arrays[f"{number:04d}/data"] = numbers(steps, *shape, channels)
        arrays[f"{number:04d}/grid/t"] = np.linspace(0, 1, steps, dtype=np.float32)
        for axis, cells in zip("xyz", shape, strict=False):
            arrays[f"{number:04d}/grid/{axis}"] = np.linspace(-1, 1, cells, dtype=np.float32)
    return arrays


def channels_first(array):
    return torch.from_numpy(array).movedim(-1, 1)


@pytest.mark.parametrize(
    ("channels", "system", "fields", "face"),
    [(1, "shallow_water", ("height",), "open"), (2, "diffusion_reaction", ("activator", "inhibitor"), "wall")],
)
def test_a_group_a_sample(channels, system, fields, face, tmp_path):
    arrays = samples(channels)
    (source,) = open_sources(write(tmp_path / "any.name", arrays))
    assert (source.system, source.fields, source.boundaries) == (system, fields, ((face, face),) * 2)
    assert (source.trajectories, source.steps, source.shape, source.split) == (3, 4, (6, 5), "")
    for trajectory in range(3):
        assert torch.equal(source.read(trajectory, 0, 4), channels_first(arrays[f"{trajectory:04d}/data"]))
    assert torch.equal(source.read(1, 1, 4, 2), channels_first(arrays["0001/data"])[1::2])
    np.testing.assert_array_equal(source.coordinates[1], arrays["0000/grid/y"])
    np.testing.assert_array_equal(source.times, arrays["0000/grid/t"])


def test_a_sample_of_another_size_is_refused(tmp_path):
    arrays = samples(1, count=3)
    arrays["0001/data"] = numbers(3, 6, 5, 1)
    (source,) = open_sources(write(tmp_path / "a.h5", arrays))
    with pytest.raises(SimonidesError, match=r"0001/data has shape \[3, 6, 5, 1\]; expected \[4, 6, 5, 1\]"):
        source.read(1, 0, 2)
    arrays["0002/data"] = numbers(3, 6, 5, 1)
    with pytest.raises(SimonidesError, match="sizes of the fields do not agree"):
        open_sources(write(tmp_path / "b.h5", arrays))


def test_samples_of_one_dimension_need_boundaries(tmp_path):
    path = write(tmp_path / "a.h5", samples(1, shape=(7,)))
    with pytest.raises(SimonidesError, match="does not tell its boundaries; give boundaries, one of wall, open"):
        open_sources(path)
    (source,) = open_sources(path, "sorption", "wall")
    assert (source.system, source.shape, source.boundaries) == ("sorption", (7,), (("wall", "wall"),))
    with pytest.raises(SimonidesError, match="periodic on both faces or on none"):
        open_sources(path, boundaries=(("periodic", "open"),))


def incompressible():
    return {
        "velocity": numbers(2, 5, 4, 6, 2),
        "particles": numbers(2, 5, 4, 6, 1),
        "force": numbers(2, 4, 6, 2),
        "t": np.tile(np.arange(5, dtype=np.float32) * 0.005, (2, 1)),
    }


def test_incompressible_flow(tmp_path):
    arrays = incompressible()
    (source,) = open_sources(write(tmp_path / "ns.h5", arrays))
    assert source.fields == ("velocity_x", "velocity_y", "particles")
    assert source.constant_fields == ("force_x", "force_y") and source.boundaries[0] == ("wall", "wall")
    expected = np.concatenate((arrays["velocity"], arrays["particles"]), -1)
    assert torch.equal(source.read(1, 1, 4), channels_first(expected[1, 1:4]))
    np.testing.assert_array_equal(source.times, arrays["t"][0])
    np.testing.assert_allclose(source.coordinates[0], [0.125, 0.375, 0.625, 0.875])
    arrays["t"][1] *= 2
    with pytest.raises(SimonidesError, match="the grid of time differs between trajectories"):
        open_sources(write(tmp_path / "times.h5", arrays))
    with pytest.raises(SimonidesError, match="sizes of the fields do not agree"):
        open_sources(write(tmp_path / "other.h5", {**incompressible(), "particles": numbers(2, 5, 4, 5, 1)}))
    with pytest.raises(SimonidesError, match="expected 2 and 1"):
        open_sources(write(tmp_path / "other.h5", {**incompressible(), "velocity": numbers(2, 5, 4, 6, 3)}))


def compressible(dimensions):
    shape = (4, 6, 5)[:dimensions]
    arrays = {name: numbers(2, 3, *shape) for name in ("Vx", "Vy", "Vz")[:dimensions]}
    arrays |= {name: numbers(2, 3, *shape) for name in ("density", "pressure")}
    # one entry more than there are frames, as in the files
    arrays["t-coordinate"] = np.linspace(0, 1, 4, dtype=np.float32)
    for axis, cells in zip("xyz", shape, strict=False):
        arrays[f"{axis}-coordinate"] = np.arange(cells, dtype=np.float32)
    return arrays


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_compressible_flow(dimensions, tmp_path):
    arrays = compressible(dimensions)
    (source,) = open_sources(write(tmp_path / "CFD_M0.1_periodic_Train.hdf5", arrays, eta=1e-8, zeta=1e-8, M=0.1))
    velocities = ("velocity_x", "velocity_y", "velocity_z")[:dimensions]
    assert source.fields == (*velocities, "density", "pressure") and source.steps == 3
    assert source.boundaries == (("periodic", "periodic"),) * dimensions
    assert source.parameters["M"].tolist() == [0.1, 0.1] and source.parameters["eta"].tolist() == [1e-8] * 2
    names = [*("Vx", "Vy", "Vz")[:dimensions], "density", "pressure"]
    expected = np.stack([arrays[name][1] for name in names], 1)
    assert torch.equal(source.read(1, 0, 3), torch.from_numpy(expected))
    np.testing.assert_array_equal(source.times, arrays["t-coordinate"][:3])


def test_boundaries_of_compressible_flow_are_told_by_the_name_or_asked_for(tmp_path):
    arrays = compressible(1)
    (source,) = open_sources(write(tmp_path / "1D_CFD_Shock_trans_Train.hdf5", arrays))
    assert source.boundaries == (("open", "open"),)
    path = write(tmp_path / "1D_CFD.hdf5", arrays)
    with pytest.raises(SimonidesError, match="does not tell its boundaries"):
        open_sources(path)
    assert open_sources(path, boundaries="wall")[0].boundaries == (("wall", "wall"),)
    with pytest.raises(SimonidesError, match="'slip' is unknown"):
        open_sources(path, boundaries="slip")


def test_too_few_times_are_refused(tmp_path):
    arrays = {**compressible(2), "t-coordinate": np.arange(2.0)}
    with pytest.raises(SimonidesError, match="the grid of time has 2 values for 3"):
        open_sources(write(tmp_path / "a_periodic.h5", arrays))


def test_one_tensor(tmp_path):
    arrays = {
        "tensor": numbers(3, 4, 8),
        "x-coordinate": np.arange(8, dtype=np.float32),
        "t-coordinate": np.arange(5, dtype=np.float32),
    }
    (source,) = open_sources(write(tmp_path / "1D_Burgers_Sols_Nu0.01.hdf5", arrays))
    assert (source.system, source.fields, source.boundaries) == ("burgers", ("u",), (("periodic", "periodic"),))
    assert torch.equal(source.read(2, 0, 4), torch.from_numpy(arrays["tensor"][2][:, None]))
    assert source.times.tolist() == [0, 1, 2, 3]


def arena(splits=("train", "valid", "test")):
    arrays = {}
    for count, split in enumerate(splits, start=2):
        for name in ("u", "vx", "vy"):
            arrays[f"{split}/{name}"] = numbers(count, 4, 6, 5)
        arrays[f"{split}/buo_y"] = np.linspace(0.2, 0.5, count)
        for name, size in (("x", 6), ("y", 5), ("t", 4)):
            arrays[f"{split}/{name}"] = np.tile(np.arange(float(size)), (count, 1))
    return arrays


@pytest.mark.parametrize("splits", [("train", "valid", "test"), ("valid",)])
def test_pdearena(splits, tmp_path):
    arrays = arena(splits)
    sources = open_sources(write(tmp_path / "ns.h5", arrays))
    assert tuple(source.split for source in sources) == splits
    for source in sources:
        assert source.fields == ("scalar", "velocity_x", "velocity_y")
        split = source.split
        expected = np.stack([arrays[f"{split}/{name}"][1] for name in ("u", "vx", "vy")], 1)
        assert torch.equal(source.read(1, 0, 4), torch.from_numpy(expected))
        np.testing.assert_array_equal(source.parameters["buoyancy"], arrays[f"{split}/buo_y"])
        assert source.place.endswith(f"ns.h5:{split}")
    arrays[f"{splits[0]}/vx"] = numbers(9, 4, 6, 5)
    with pytest.raises(SimonidesError, match="sizes of the fields do not agree"):
        open_sources(write(tmp_path / "other.h5", arrays))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Vx": np.zeros((2, 3, 4, 6), np.complex64)}, "Vx holds complex64; expected real numbers"),
        ({"Vx": np.zeros((2, 3, 4, 6), "S3")}, r"Vx holds \|S3; expected real numbers"),
        ({"Vx": np.zeros((2, 3, 4, 6), bool)}, "Vx holds bool; expected real numbers"),
        ({"Vx": numbers(2, 3, 24)}, r"Vx has shape \[2, 3, 24\]; expected 4 dimensions"),
        ({"Vx": numbers(2, 3, 6, 4)}, "sizes of the fields do not agree"),
        ({n: numbers(0, 3, 4, 6) for n in ("Vx", "Vy", "density", "pressure")}, "holds nothing: 0 trajectories"),
        ({"x-coordinate": np.arange(3.0)}, "the grid of x has 3 values for 4"),
        ({"t-coordinate": np.zeros(4)}, "times of the frames do not grow"),
        ({"Vx/deeper": np.zeros(3)}, "breaks their layout"),
    ],
)
def test_a_broken_file_is_refused(change, message, tmp_path):
    arrays = compressible(2)
    for name in change:
        arrays.pop(name.split("/")[0])
    with pytest.raises(SimonidesError, match=message):
        open_sources(write(tmp_path / "a_periodic.h5", arrays | change))


def test_a_grid_that_lacks_is_named(tmp_path):
    arrays = compressible(2)
    del arrays["y-coordinate"]
    with pytest.raises(SimonidesError, match=r"breaks their layout.*y-coordinate"):
        open_sources(write(tmp_path / "a_periodic.h5", arrays))

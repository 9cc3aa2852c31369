"""Files that say one thing and hold another."""

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.opening import open_sources
from simonides.papers.physics.well_writing import write_well
from systems_at_hand import travelling

h5py = pytest.importorskip("h5py")


def well(tmp_path):
    return write_well(tmp_path, travelling("a", fields=("velocity_x", "velocity_y", "p")), "train")


def changed(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    return path


LIES = {
    "dimensions": (lambda f: f.attrs.modify("n_spatial_dims", 3), "n_spatial_dims is 3"),
    "count in words": (lambda f: f.attrs.__setitem__("n_trajectories", "abc"), "breaks the layout"),
    "no group": (lambda f: f.__delitem__("t2_fields"), "no group t2_fields"),
    "no name": (lambda f: f["t0_fields"].attrs.__setitem__("field_names", []), "not among its field_names"),
    "constant": (
        lambda f: f["t0_fields/p"].attrs.__setitem__("time_varying", False),
        "says that it does not vary with time",
    ),
    "few axes": (lambda f: f["t0_fields/p"].attrs.__setitem__("dim_varying", [True]), "an entry for each of"),
    "a number": (lambda f: f["t0_fields"].attrs.__setitem__("field_names", 3), "breaks the layout"),
}


@pytest.mark.parametrize("lie", LIES)
def test_the_well_with_attributes_that_contradict(lie, tmp_path):
    change, message = LIES[lie]
    with pytest.raises(SimonidesError, match=message):
        open_sources(changed(well(tmp_path), change))


def test_masks_of_another_size(tmp_path):
    def change(file):
        group = next(iter(file["boundary_conditions"].values()))
        del group["mask"]
        group["mask"] = np.ones(3, bool)

    with pytest.raises(SimonidesError, match="mask of"):
        open_sources(changed(well(tmp_path), change))


@pytest.mark.parametrize("kind", [np.float64, np.int64])
def test_changes_that_float32_cannot_hold(kind, tmp_path):
    values = np.random.default_rng(0).integers(-1000, 1000, (10, 3, 1, 8, 8)).astype(kind)
    np.save(tmp_path / "small.npy", values)
    (source,) = open_sources(tmp_path / "small.npy", boundaries="wall")
    assert torch.equal(source.read(0, 0, 3), torch.from_numpy(values[0]).float())
    np.save(tmp_path / "large.npy", values + kind(2**40))
    (source,) = open_sources(tmp_path / "large.npy", boundaries="wall")
    with pytest.raises(SimonidesError, match="less than float32 tells apart"):
        source.read(0, 0, 1)


def test_an_array_whose_fields_are_rather_an_axis(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((10, 3, 16, 16), np.float32))
    with pytest.raises(SimonidesError, match="read as trajectories x steps x fields x space, with 16 fields"):
        open_sources(tmp_path / "a.npy", boundaries="wall")


def test_times_and_grids_of_another_length(tmp_path):
    values = np.random.default_rng(0).normal(size=(10, 3, 1, 8, 8))
    for name in ("times", "x"):
        np.savez(tmp_path / "a.npz", values=values, **{name: np.arange(20.0)})
        with pytest.raises(SimonidesError, match=rf"{name} has shape \[20\]"):
            open_sources(tmp_path / "a.npz", boundaries="wall")


def test_boundaries_that_are_told_and_given(tmp_path):
    values = np.random.default_rng(0).normal(size=(10, 3, 1, 8, 8))
    np.savez(tmp_path / "a.npz", values=values, boundaries=np.array(["wall", "open"]))
    assert open_sources(tmp_path / "a.npz")[0].boundaries == (("wall", "wall"), ("open", "open"))
    with pytest.raises(SimonidesError, match="Leave them out"):
        open_sources(tmp_path / "a.npz", boundaries="periodic")
    with pytest.raises(SimonidesError, match="boundary 'nonsense'"):
        open_sources(tmp_path / "a.npz", boundaries="nonsense")


def test_a_packed_array_with_flipped_bytes(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, values=np.random.default_rng(0).normal(size=(10, 3, 1, 8, 8)))
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(SimonidesError):
        open_sources(path, boundaries="wall")[0].read(0, 0, 3)


@pytest.mark.parametrize(("name", "kind"), [("cns_nonperiodic_8.h5", None), ("2D_CFD_periodic_8.h5", "periodic")])
def test_boundaries_are_taken_from_whole_words_of_a_name(name, kind, tmp_path):
    with h5py.File(tmp_path / name, "w") as file:
        for field in ("Vx", "Vy", "density", "pressure"):
            file[field] = np.random.default_rng(0).normal(size=(10, 3, 8, 8)).astype(np.float32)
        file["x-coordinate"], file["y-coordinate"] = np.arange(8.0), np.arange(8.0)
        file["t-coordinate"] = np.arange(4.0)
    if kind is None:
        with pytest.raises(SimonidesError, match="does not tell its boundaries"):
            open_sources(tmp_path / name)
    else:
        assert open_sources(tmp_path / name)[0].boundaries == ((kind, kind),) * 2

"""Files and folders opened by what they contain, quickly, and what is refused."""

import os
import time

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.opening import open_sources
from simonides.papers.physics.simulations import Simulations, Source
from simonides.papers.physics.well_writing import write_well

h5py = pytest.importorskip("h5py")


def simulations(system="flow", count=2):
    return Simulations(
        system=system,
        fields=("u",),
        values=torch.arange(count * 3 * 4.0).reshape(count, 3, 1, 4),
        times=torch.arange(3.0),
        coordinates=(torch.arange(4.0),),
        boundaries=(("periodic", "periodic"),),
    )


def test_a_folder_of_the_well_keeps_its_splits(tmp_path):
    for split, count in (("train", 4), ("valid", 1), ("test", 2)):
        write_well(tmp_path, simulations(count=count), split)
    write_well(tmp_path, simulations(count=3), "train")
    for name in ("stats.yaml", "README.md", "README", ".hidden", "data/train/.flow_0002.hdf5.123"):
        (tmp_path / name).write_text("no data")
    (tmp_path / ".building-more").mkdir()
    (tmp_path / ".building-more" / "a.hdf5").write_text("not whole")
    sources = open_sources(tmp_path)
    assert all(isinstance(source, Source) for source in sources)
    found = [(source.split, source.trajectories) for source in sources]
    assert found == [("test", 2), ("train", 4), ("train", 3), ("valid", 1)]
    assert {source.system for source in open_sources(tmp_path, "other")} == {"other"}
    assert torch.equal(open_sources(tmp_path, "other")[1].read(3, 0, 3), simulations(count=4).values[3])


def test_endings_say_nothing(tmp_path):
    path = write_well(tmp_path, simulations(), "train").rename(tmp_path / "a.npy")
    np.save(tmp_path / "b", np.zeros((2, 3, 1, 4)))
    (tmp_path / "b.npy").rename(tmp_path / "b.h5")
    well, array = open_sources(tmp_path, boundaries="periodic")
    assert (well.system, well.split, array.system) == ("flow", "", "b")
    assert open_sources(str(path))[0].system == "flow"


def test_boundaries_that_contradict_the_file_are_refused(tmp_path):
    path = write_well(tmp_path, simulations(), "train")
    assert open_sources(path, boundaries="periodic")[0].boundaries == (("periodic", "periodic"),)
    with pytest.raises(SimonidesError, match=r"tells the boundaries .*'periodic'.*'wall'.* were given"):
        open_sources(path, boundaries="wall")


def sparse(path, layout, chunks):
    """A file of about 10 GB whose numbers were never written, and take no room."""
    shape = (100, 21, 1024, 1024)
    with h5py.File(path, "w") as file:
        if layout == "compressible":
            for name in ("Vx", "Vy", "density", "pressure"):
                file.create_dataset(name, shape, "f4", chunks=chunks)
            file["t-coordinate"] = np.arange(22.0)
            file["x-coordinate"] = file["y-coordinate"] = np.arange(1024.0)
        else:
            for number in range(250):
                file.create_dataset(f"{number:04d}/data", (101, 512, 512, 1), "f4", chunks=chunks)
                file[f"{number:04d}/grid/t"] = np.arange(101.0)
                file[f"{number:04d}/grid/x"] = file[f"{number:04d}/grid/y"] = np.arange(512.0)


@pytest.mark.parametrize("chunks", [None, True])
def test_hundreds_of_gigabytes_open_at_once(chunks, tmp_path):
    for number in range(4):
        sparse(tmp_path / f"a_periodic_{number}.hdf5", "compressible", chunks)
    for number in range(3):
        sparse(tmp_path / f"b_{number}.h5", "samples", chunks)
    start = time.perf_counter()
    sources = open_sources(tmp_path)
    took = time.perf_counter() - start
    cells = sum(s.trajectories * s.steps * len(s.fields) * s.shape[0] * s.shape[1] for s in sources)
    assert cells * 4 > 2e11 and took < 2
    assert float(sources[0].read(99, 20, 21).abs().sum()) == 0


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("a text")


def pipe(path):
    os.mkfifo(path)


def cut(path):
    with h5py.File(path, "w") as file:
        file["tensor"] = np.zeros((10, 10, 100))
    with path.open("r+b") as file:
        file.truncate(20000)


def head_alone(path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))


def broken_inside(path):
    with h5py.File(path, "w") as file:
        for name in ("tensor", "x-coordinate", "t-coordinate"):
            file[name] = np.zeros((3,) * (3 if name == "tensor" else 1))
    content = bytearray(path.read_bytes())
    place = content.index(b"HEAP")
    content[place : place + 4] = b"XXXX"
    path.write_bytes(content)


def other(path):
    with h5py.File(path, "w") as file:
        file["weather/rain"] = np.zeros((3, 4))
        file["weather/text"] = "a"


def nothing(path):
    h5py.File(path, "w").close()


REFUSED = pytest.mark.parametrize(
    ("make", "message"),
    [
        (empty, "is empty"),
        (text, "is no HDF5, NetCDF"),
        (pipe, "is no regular file"),
        (cut, "is damaged, or cut off"),
        (head_alone, "is damaged, or cut off"),
        (broken_inside, "is damaged, or cut off|breaks their layout"),
        (other, r"no known layout. It has weather/rain \[3, 4\], weather/text \[\]; known are The Well"),
        (nothing, "no known layout. It has no arrays"),
    ],
)


@REFUSED
@pytest.mark.parametrize("inside", [False, True])
def test_what_cannot_be_read_is_refused_by_name(make, message, inside, tmp_path):
    make(tmp_path / "strange.h5")
    with pytest.raises(SimonidesError, match=message) as caught:
        open_sources(tmp_path if inside else tmp_path / "strange.h5")
    assert "strange.h5" in str(caught.value)


def test_nothing_there(tmp_path):
    with pytest.raises(SimonidesError, match="holds no data; give a file or a folder"):
        open_sources(tmp_path)
    with pytest.raises(SimonidesError, match="does not exist"):
        open_sources(tmp_path / "none.h5")
    with pytest.raises(SimonidesError, match="cannot be read"):
        open_sources("a\0b")


def test_a_loop_of_links_ends(tmp_path):
    write_well(tmp_path, simulations(), "train")
    (tmp_path / "data" / "again").symlink_to(tmp_path)
    assert len(open_sources(tmp_path)) == 1
    (tmp_path / "data" / "gone.hdf5").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SimonidesError, match=r"gone.hdf5 does not exist"):
        open_sources(tmp_path)


def test_without_h5py_it_says_what_to_install(tmp_path, monkeypatch):
    path = write_well(tmp_path, simulations(), "train")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(SimonidesError, match=r"needs h5py; run: pip install simonides\[physics\]"):
        open_sources(path)
    with pytest.raises(SimonidesError, match="needs h5py"):
        write_well(tmp_path, simulations(), "train")

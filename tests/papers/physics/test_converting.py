"""Any layout written as The Well's: the same numbers, splits, statistics; nothing left where it fails."""

import shutil

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.converting import convert
from simonides.papers.physics.opening import open_sources
from simonides.papers.physics.splitting import split_trajectories
from simonides.papers.physics.statistics_files import measure_statistics, read_statistics

h5py = pytest.importorskip("h5py")
pytest.importorskip("yaml")


def arrays(path, count=12, shape=(4, 6), fields=("velocity_x", "velocity_y", "h"), seed=0, **more):
    values = np.random.default_rng(seed).normal(size=(count, 5, len(fields), *shape)).astype(np.float32)
    np.savez(
        path,
        values=values,
        fields=np.array(fields),
        times=np.linspace(0, 1, 5),
        boundaries=np.array(["periodic", "wall"]),
        **more,
    )
    return torch.from_numpy(values)


def by_split(folder):
    """All trajectories of each split, in order, with channels in order of their names."""
    found = {}
    for source in open_sources(folder):
        order = sorted(range(len(source.fields)), key=lambda c: source.fields[c])
        for trajectory in range(source.trajectories):
            found.setdefault(source.split, []).append(source.read(trajectory, 0, source.steps)[:, order])
    return {split: torch.stack(values) for split, values in found.items()}


def test_trajectories_are_split_and_kept_to_the_bit(tmp_path):
    values = arrays(tmp_path / "flow.npz")[:, :, [2, 0, 1]]
    out = convert(tmp_path / "flow.npz", tmp_path / "out", system="swirl")
    found = by_split(out)
    # .8 of 12, rounded up, .1 of 12, rounded up, the others
    for split, part in (("train", values[:10]), ("valid", values[10:])):
        assert torch.equal(found[split], part)
    assert "test" not in found
    sources = open_sources(out)
    assert {source.system for source in sources} == {"swirl"}
    assert sources[0].boundaries == (("periodic", "periodic"), ("wall", "wall"))
    np.testing.assert_array_equal(sources[0].times, np.linspace(0, 1, 5))
    statistics = read_statistics(out, channels=sources[0].fields)
    assert statistics == measure_statistics(sources)
    np.testing.assert_allclose(statistics.mean["h"], values[:10, :, 0].double().mean(), atol=1e-12)
    assert {path.name for path in tmp_path.iterdir()} == {"flow.npz", "out"}


@pytest.mark.parametrize(
    ("count", "sizes"), [(10, [8, 1, 1]), (20, [16, 2, 2]), (101, [81, 11, 9]), (1, [1, 0, 0])]
)
def test_sizes_of_the_splits(count, sizes, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((count, 2, 1, 2)))
    parts = split_trajectories(open_sources(tmp_path / "a.npy", boundaries="open"))
    found = {split: len(chosen) for _, split, chosen in parts}
    assert [found.get(split, 0) for split in ("train", "valid", "test")] == sizes


def test_small_files_are_split_together(tmp_path):
    for number in range(5):
        np.save(tmp_path / f"{number}.npy", np.full((4, 2, 1, 2), float(number)))
    parts = split_trajectories(open_sources(tmp_path, "a", "open"))
    found = [(source.place[-5], split, chosen) for source, split, chosen in parts]
    assert found == [
        *((str(number), "train", [0, 1, 2, 3]) for number in range(4)),
        ("4", "valid", [0, 1]),
        ("4", "test", [2, 3]),
    ]


def test_splits_of_the_files_are_kept(tmp_path):
    with h5py.File(tmp_path / "ns.h5", "w") as file:
        for count, split in enumerate(("train", "valid", "test"), start=2):
            for name in ("u", "vx", "vy"):
                file[f"{split}/{name}"] = np.full((count, 3, 4, 4), count + len(name), np.float32)
            for name, size in (("x", 4), ("y", 4), ("t", 3)):
                file[f"{split}/{name}"] = np.arange(float(size))
            file[f"{split}/buo_y"] = np.arange(float(count))
    out = convert(tmp_path / "ns.h5", tmp_path / "out")
    sources = {source.split: source for source in open_sources(out)}
    assert [sources[split].trajectories for split in ("train", "valid", "test")] == [2, 3, 4]
    assert sources["test"].parameters["buoyancy"].tolist() == [0, 1, 2, 3]
    assert sources["test"].fields == ("scalar", "velocity_x", "velocity_y")
    assert float(sources["test"].read(0, 0, 3)[:, 0].mean()) == 5
    # what was converted converts once more to the same
    again = by_split(convert(out, tmp_path / "again"))
    assert all(torch.equal(again[split], values) for split, values in by_split(out).items())


def test_different_systems_are_refused(tmp_path):
    for other, message in (
        ({"shape": (4, 4)}, "different shapes"),
        ({"fields": ("a", "b", "c")}, "different fields"),
    ):
        arrays(tmp_path / "data-a.npz")
        arrays(tmp_path / "data-b.npz", **other)
        with pytest.raises(SimonidesError, match=message):
            convert(tmp_path, tmp_path / "out", system="same")
    arrays(tmp_path / "data-b.npz")
    with pytest.raises(SimonidesError, match="different systems: data-a, data-b"):
        convert(tmp_path, tmp_path / "out")
    assert len(by_split(convert(tmp_path, tmp_path / "out", system="same"))["train"]) == 20


def test_nothing_is_left_where_a_number_is_none(tmp_path):
    values = np.zeros((12, 3, 1, 4))
    values[11, 2] = np.nan
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(SimonidesError, match="field_0 is NaN or infinite, as float32, in trajectory 11, frame 2"):
        convert(tmp_path / "a.npy", tmp_path / "out", boundaries="open")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_a_full_disk_is_refused_before_the_start(tmp_path, monkeypatch):
    arrays(tmp_path / "a.npz")
    usage = shutil.disk_usage(tmp_path)._replace(free=2**26 + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(SimonidesError, match=r"are free\. Free the space"):
        convert(tmp_path / "a.npz", tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_folder_that_holds_something_is_refused(tmp_path):
    arrays(tmp_path / "a.npz")
    with pytest.raises(SimonidesError, match="holds something already"):
        convert(tmp_path / "a.npz", tmp_path)
    assert len(by_split(convert(tmp_path / "a.npz", tmp_path / "deep" / "out", shown=True))["train"]) == 10

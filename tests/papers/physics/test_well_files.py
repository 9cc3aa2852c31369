"""The Well's layout: written, read back, and read by The Well's own package where there is one."""

import concurrent.futures
import json
import multiprocessing
import operator
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.physics.file_source import FileSource
from simonides.papers.physics.simulations import Simulations, Source, spaced
from simonides.papers.physics.statistics_files import measure_statistics, read_statistics, write_statistics
from simonides.papers.physics.well_files import open_well
from simonides.papers.physics.well_writing import grouped, write_well

h5py = pytest.importorskip("h5py")
NAMES = ("velocity_x", "height", "velocity_y", "stress_xx", "stress_xy", "stress_yx", "stress_yy", "flux_x")


@pytest.fixture
def simulations(generator):
    return Simulations(
        system="toy flow",
        fields=NAMES,
        values=torch.randn(3, 7, len(NAMES), 6, 4, generator=generator),
        times=torch.linspace(0, 1, 7, dtype=torch.float64),
        coordinates=(spaced(0.0, 1.0, 6), spaced(-1.0, 1.0, 4)),
        boundaries=(("periodic", "periodic"), ("wall", "open")),
        parameters={"viscosity": torch.tensor([0.1, 0.2, 0.3]), "gravity": torch.full((3,), 9.81)},
    )


def same(source: FileSource, simulations: Simulations) -> None:
    order = [source.fields.index(name) for name in simulations.fields]
    for trajectory in range(source.trajectories):
        read = source.read(trajectory, 0, source.steps)
        torch.testing.assert_close(read[:, order], simulations.values[trajectory], rtol=0, atol=0)


def test_what_is_written_is_read_to_the_bit(simulations, tmp_path):
    path = write_well(tmp_path, simulations, "valid")
    assert path == tmp_path / "data" / "valid" / "toy_flow_0000.hdf5"
    source = open_well(path)
    assert isinstance(source, Source)
    assert (source.system, source.split, source.place) == ("toy flow", "valid", str(path))
    assert (source.trajectories, source.steps, source.shape) == (3, 7, (6, 4))
    assert set(source.fields) == set(NAMES) and source.boundaries == simulations.boundaries
    assert torch.equal(source.times, simulations.times)
    for read, own in zip(source.coordinates, simulations.coordinates, strict=True):
        assert torch.equal(read, own)
    for name, numbers in simulations.parameters.items():
        assert torch.equal(source.parameters[name], numbers)
    same(source, simulations)
    order = [source.fields.index(name) for name in NAMES]
    assert torch.equal(source.read(1, 1, 6, 2)[:, order], simulations.read(1, 1, 6, 2))
    with pytest.raises(SimonidesError, match="asked for frames 5 to 7 of trajectory 0"):
        source.read(0, 5, 8)


@pytest.mark.parametrize("shape", [(8,), (4, 6, 5)])
def test_one_and_three_dimensions(shape, tmp_path, generator):
    axes = "xyz"[: len(shape)]
    simulations = Simulations(
        system="wave",
        fields=tuple(f"velocity_{axis}" for axis in axes),
        values=torch.randn(2, 3, len(shape), *shape, generator=generator),
        times=torch.arange(3.0),
        coordinates=tuple(torch.arange(float(cells)) for cells in shape),
        boundaries=(("open", "wall"),) * len(shape),
    )
    source = open_well(write_well(tmp_path, simulations, "train"))
    assert source.fields == simulations.fields and source.boundaries == simulations.boundaries
    same(source, simulations)


def test_files_are_added_under_new_numbers_and_parts_are_written(simulations, tmp_path):
    first = write_well(tmp_path, simulations, "train")
    second = write_well(tmp_path, simulations, "train", [2, 0])
    assert (first.name, second.name) == ("toy_flow_0000.hdf5", "toy_flow_0001.hdf5")
    same(open_well(first), simulations)
    chosen = open_well(second)
    assert chosen.trajectories == 2
    torch.testing.assert_close(chosen.parameters["viscosity"], torch.tensor([0.3, 0.1]))
    assert torch.equal(
        chosen.read(0, 0, 7)[:, chosen.fields.index("height")], simulations.values[2, :, NAMES.index("height")]
    )
    with pytest.raises(SimonidesError, match="no trajectory is chosen"):
        write_well(tmp_path, simulations, "train", [])
    assert sorted(p.name for p in first.parent.iterdir()) == [first.name, second.name]


def test_the_layout_is_that_of_the_well(simulations, tmp_path):
    """Rules of https://github.com/PolymathicAI/the_well, docs/data_format.md."""
    with h5py.File(write_well(tmp_path, simulations, "train")) as file:
        assert list(file["t0_fields"].attrs["field_names"]) == ["height", "flux_x"]
        assert list(file["t1_fields"].attrs["field_names"]) == ["velocity"]
        assert list(file["t2_fields"].attrs["field_names"]) == ["stress"]
        assert file["t1_fields/velocity"].shape == (3, 7, 6, 4, 2)
        assert file["t2_fields/stress"].shape == (3, 7, 6, 4, 2, 2)
        stress = torch.from_numpy(file["t2_fields/stress"][...])
        assert torch.equal(stress[..., 0, 1], simulations.values[:, :, NAMES.index("stress_xy")])
        assert file["dimensions/time"].attrs["time_varying"] and not file["dimensions/x"].attrs["time_varying"]
        assert list(file.attrs["simulation_parameters"]) == ["viscosity", "gravity"]
        assert file.attrs["gravity"] == np.float32(9.81) and file["scalars/viscosity"].attrs["sample_varying"]
        assert file["scalars/gravity"].shape == () and file["scalars/viscosity"].shape == (3,)
        assert sorted(file["boundary_conditions"]) == ["x_periodic", "y_open", "y_wall"]
        assert file["boundary_conditions/y_wall/mask"][...].tolist() == [True, False, False, False]
        assert file["boundary_conditions/y_open"].attrs["bc_type"] == "OPEN"


def rewritten(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def test_fields_that_do_not_vary_are_repeated_or_left_out(simulations, tmp_path):
    def change(file):
        group = file["t0_fields"]
        values = {
            "still": (np.ones((3, 6, 4)), True, False, [True, True]),
            "column": (np.arange(7 * 4.0).reshape(7, 1, 4), False, True, [False, True]),
            "row": (np.arange(3 * 7 * 6.0).reshape(3, 7, 6), True, True, [True, False]),
        }
        for name, (array, sample, time, dims) in values.items():
            group[name] = array
            group[name].attrs.update({"sample_varying": sample, "time_varying": time, "dim_varying": dims})
        group.attrs["field_names"] = np.array([*values, "height", "flux_x"], dtype=h5py.string_dtype())
        file["scalars/clock"] = np.arange(7.0)
        file["scalars/clock"].attrs.update({"sample_varying": False, "time_varying": True})
        file["scalars"].attrs["field_names"] = np.array(["clock", "gravity"], dtype=h5py.string_dtype())

    source = open_well(rewritten(write_well(tmp_path, simulations, "train"), change))
    assert source.constant_fields == ("still",) and source.left_out == ("clock",)
    assert source.fields[:2] == ("column", "row") and "still" not in source.fields
    window = source.read(2, 3, 5)
    expected = torch.arange(7 * 4.0).reshape(7, 1, 4)[3:5].expand(2, 6, 4)
    assert torch.equal(window[:, 0], expected)
    row = torch.arange(3 * 7 * 6.0).reshape(3, 7, 6)[2, 3:5]
    assert torch.equal(window[:, 1], row[:, :, None].expand(2, 6, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.__delitem__("n_trajectories"), "breaks the layout of The Well"),
        (lambda f: f["t0_fields/height"].attrs.__delitem__("dim_varying"), "breaks the layout of The Well"),
        (lambda f: f.attrs.__setitem__("n_trajectories", 4), "does not agree with 4 trajectories"),
        (lambda f: f["boundary_conditions/x_periodic"].attrs.__setitem__("bc_type", "slip"), "'slip' is unknown"),
        (lambda f: f["dimensions/time"].__setitem__(3, 0.0), "times of the frames do not grow"),
        (lambda f: f["dimensions/x"].__setitem__(3, np.nan), "dimensions/x holds NaN"),
        (lambda f: f.__delitem__("dimensions"), "has not the layout of The Well"),
    ],
)
def test_a_broken_layout_is_refused(change, message, simulations, tmp_path):
    path = rewritten(write_well(tmp_path, simulations, "train"), change)
    with pytest.raises(SimonidesError, match=message):
        open_well(path)


def test_values_that_are_no_numbers_are_refused_by_name(simulations, tmp_path):
    path = write_well(tmp_path, simulations, "train")
    rewritten(path, lambda file: file["t1_fields/velocity"].__setitem__((1, 5, 2, 3, 1), np.inf))
    source = open_well(path)
    source.read(1, 0, 5)
    with pytest.raises(SimonidesError, match=r"field velocity_y is NaN or infinite.* trajectory 1, frame 5"):
        source.read(1, 3, 7, 2)


def test_a_file_that_changes_is_not_read_as_the_old_one(simulations, tmp_path):
    path = write_well(tmp_path, simulations, "train")
    source = open_well(path)
    rewritten(path, lambda file: file.attrs.__setitem__("note", "x" * 5000))
    with pytest.raises(SimonidesError, match="has changed since it was opened"):
        source.read(0, 0, 1)
    path.unlink()
    with pytest.raises(SimonidesError, match="cannot be read"):
        source.read(0, 0, 1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking while there are threads
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_the_same_numbers(method, simulations, tmp_path):
    source = open_well(write_well(tmp_path, simulations, "train"))
    calls = [operator.methodcaller("read", trajectory, 1, 7, 2) for trajectory in range(3)]
    here = [call(source) for call in calls]  # so that the file is open when it is forked
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2 if method == "fork" else 1, context) as workers:
        futures = [workers.submit(call, source) for call in calls * 4]
        there = [future.result(60) for future in futures]
    for one, other in zip(there, here * 4, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(calls[0](source), here[0])


def held_open(folder):
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(str(folder) in str(link.readlink()) for link in links)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not tell which files are open")
def test_no_more_than_some_files_stay_open(simulations, tmp_path, monkeypatch):
    monkeypatch.setattr("simonides.papers.physics.file_handles._MOST_OPEN", 2)
    sources = [open_well(write_well(tmp_path, simulations, "train")) for _ in range(5)]
    for _ in range(2):
        for number in range(5):
            same(sources[number], simulations)
            assert held_open(tmp_path) <= 2
    sources.clear()
    assert held_open(tmp_path) == 0


def test_names_that_cannot_be_written_are_refused(simulations, tmp_path):
    for name in ("a/b", "", ".."):
        fields = (name, *NAMES[1:])
        bad = Simulations(**{**vars(simulations), "fields": fields})
        with pytest.raises(SimonidesError, match="cannot be the name of a field"):
            write_well(tmp_path, bad, "train")
    with pytest.raises(SimonidesError, match="split 'training' is unknown"):
        write_well(tmp_path, simulations, "training")


def test_grouping_needs_all_components():
    assert grouped(("v_x", "v_y"), ("x", "y", "z"))[1] == {}
    assert grouped(("v_y", "v_x"), ("x", "y"))[1] == {"v": ["v_x", "v_y"]}
    # a scalar of the stem's name keeps the components scalars
    assert set(grouped(("v", "v_x", "v_y"), ("x", "y"))[0]) == {"v", "v_x", "v_y"}


FULL_DISK = """
import resource, signal, sys, torch
from simonides.base import SimonidesError
from simonides.papers.physics.simulations import Simulations
from simonides.papers.physics.well_writing import write_well
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
axis = torch.arange(64.0)
simulations = Simulations(system="a", fields=("b",), values=torch.randn(4, 20, 1, 64, 64), times=torch.arange(20.0),
    coordinates=(axis, axis), boundaries=(("open", "open"),) * 2)
try:
    write_well(sys.argv[1], simulations, "train")
except SimonidesError as error:
    print("refused:", error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit of file sizes")
def test_a_full_disk_leaves_nothing_behind(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True)
    assert done.stdout.startswith("refused:") and "cannot be written" in done.stdout, done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_statistics_are_those_of_numpy_and_come_back(simulations, tmp_path, monkeypatch):
    pytest.importorskip("yaml")
    # pieces of two frames: changes across their borders count, too
    monkeypatch.setattr("simonides.papers.physics.file_source._MOST_VALUES", 2 * len(NAMES) * 24)
    valid = Simulations(**{**vars(simulations), "split": "valid", "values": simulations.values + 100})
    statistics = measure_statistics([simulations, valid])
    values = simulations.values.double().numpy()
    changes = np.diff(values, axis=1)
    for c, name in enumerate(NAMES):
        for end, array in (("", values[:, :, c]), ("_delta", changes[:, :, c])):
            expected = (array.mean(), array.std(), np.sqrt((array**2).mean()))
            measured = [getattr(statistics, key + end)[name] for key in ("mean", "std", "rms")]
            np.testing.assert_allclose(measured, expected, rtol=1e-12, atol=1e-14)
    write_statistics(tmp_path, statistics, ("x", "y"))
    assert read_statistics(tmp_path, channels=NAMES) == statistics
    with pytest.raises(SimonidesError, match="no trajectory of the split train"):
        measure_statistics([valid])


def test_statistics_that_lack_something_are_refused_with_the_remedy(simulations, tmp_path):
    yaml = pytest.importorskip("yaml")
    remedy = f"simonides physics inspect {tmp_path} --write-statistics"
    with pytest.raises(SimonidesError, match=rf"stats.yaml does not exist; run: {remedy}"):
        read_statistics(tmp_path)
    path = write_statistics(tmp_path, measure_statistics([simulations]), ("x", "y"))
    content = yaml.safe_load(path.read_text())
    assert len(content["mean"]["velocity"]) == 2 and np.shape(content["std"]["stress"]) == (2, 2)

    def refused(changed, message, **settings):
        path.write_text(yaml.safe_dump(changed))
        with pytest.raises(SimonidesError, match=message) as caught:
            read_statistics(tmp_path, **settings)
        assert remedy in str(caught.value)

    for key in content:
        refused({k: v for k, v in content.items() if k != key}, f"lacks the key {key};")
    less = {**content, "std_delta": {k: v for k, v in content["std_delta"].items() if k != "velocity"}}
    refused(less, "std_delta lacks the field velocity_x, velocity_y", channels=NAMES)
    refused({**content, "std": {**content["std"], "height": float("nan")}}, "std of height is nan")
    refused({**content, "std": {**content["std"], "height": "wide"}}, "std of height is 'wide'")
    path.write_text("mean: [")
    with pytest.raises(SimonidesError, match="is no sound YAML"):
        read_statistics(tmp_path)


READ_BY_THE_WELL = """
import json, sys
import numpy as np
from the_well.data import WellDataset
from the_well.data.normalization import ZScoreNormalization
folder, out = sys.argv[1:]
data = WellDataset(path=folder, well_split_name="train", n_steps_input=3, n_steps_output=2)
names = [name for order in range(3) for name in data.metadata.field_names[order]]
first = data[0]
normal = WellDataset(path=folder, well_split_name="train", n_steps_input=3, n_steps_output=2, use_normalization=True,
    normalization_type=ZScoreNormalization)
windows = [np.concatenate([data[i]["input_fields"], data[i]["output_fields"]]) for i in range(len(data))]
np.savez(out, windows=np.stack(windows), normal=np.asarray(normal[4]["input_fields"]), grid=first["space_grid"],
    boundaries=first["boundary_conditions"], scalars=first["constant_scalars"], time=first["output_time_grid"])
print(json.dumps({"fields": names, "scalars": data.metadata.constant_scalar_names, "name": data.metadata.dataset_name}))
"""


def test_the_wells_own_reader_gives_the_same_numbers(simulations, tmp_path):
    python = os.environ.get("SIMONIDES_WELL_PYTHON")
    if not python:
        pytest.skip("SIMONIDES_WELL_PYTHON names no interpreter that has the_well")
    write_well(tmp_path, simulations, "train")
    statistics = measure_statistics([simulations])
    write_statistics(tmp_path, statistics, ("x", "y"))
    out = tmp_path / "read.npz"
    command = [python, "-c", READ_BY_THE_WELL, tmp_path, out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["fields"] == list(open_well(next(Path(tmp_path).rglob("*.hdf5"))).fields)
    assert told["scalars"] == ["viscosity", "gravity"] and told["name"] == "toy flow"
    read = np.load(out)
    order = [NAMES.index(name) for name in told["fields"]]
    own = simulations.values[:, :, order].movedim(2, -1).numpy()
    expected = np.stack([own[t, start : start + 5] for t in range(3) for start in range(3)])
    np.testing.assert_array_equal(read["windows"], expected)
    assert read["boundaries"].tolist() == [[2, 2], [0, 1]]
    np.testing.assert_allclose(read["scalars"], [0.1, 9.81], rtol=1e-6)
    np.testing.assert_array_equal(read["grid"][:, 0, 0], simulations.coordinates[0])
    mean, std = ([getattr(statistics, key)[name] for name in told["fields"]] for key in ("mean", "std"))
    np.testing.assert_allclose(read["normal"], (expected[4][:3] - mean) / std, rtol=1e-4, atol=1e-5)

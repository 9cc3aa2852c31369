"""The SLURM engine on a real one-node cluster: munged, slurmctld, slurmd and sbatch."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from claim_files import MEASURE, table, write_claim
from engines import slurm_cluster_of_one

pytest.importorskip("submitit", reason="needs the extra slurm")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.slow,
    pytest.mark.skipif(bool(slurm_cluster_of_one.missing()), reason=f"needs {slurm_cluster_of_one.missing()}"),
    pytest.mark.skipif(os.getuid() != 0, reason="munged and slurmd are started as root"),
]

SLOW = MEASURE.replace("    return", "    time.sleep(2.5)\n    return")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with slurm_cluster_of_one.cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


def command(path, store, *options):
    base = [
        sys.executable,
        "-m",
        "simonides",
        "run",
        str(path),
        "--scale",
        "desk",
        "--store",
        str(store),
        "--json",
    ]
    return [*base, "--engine", "slurm", "--workers", "2", "--minutes", "5", *options]


def run(slurm, path, store, *options):
    return subprocess.run(
        command(path, store, *options), env=slurm, capture_output=True, text=True, timeout=150, check=False
    )


def stored(store):
    return len(list(store.glob("local/noise/??/[!.]*/point.json")))


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def jobs(slurm):
    lines = subprocess.run(["squeue", "-h", "-r", "-o", "%i %T"], env=slurm, capture_output=True, text=True).stdout
    return [line.split() for line in lines.splitlines()]


def submitted(slurm):
    lines = subprocess.run(["squeue", "-h", "--states=all", "-o", "%F"], env=slurm, capture_output=True, text=True)
    return set(lines.stdout.split())


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What one local process measures."""
    folder = tmp_path_factory.mktemp("expected")
    path = write_claim(folder, measure=SLOW)
    local = [sys.executable, "-m", "simonides", "run", str(path), "--scale", "desk", "--store", str(folder / "s")]
    subprocess.run([*local, "--workers", "1"], check=True, capture_output=True)
    return table(path, folder / "s")


def test_an_array_job_gives_the_bits_of_a_local_run(slurm, expected, tmp_path):
    path = write_claim(tmp_path, measure=SLOW)
    done = run(slurm, path, tmp_path / "s")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)[0]
    assert (result["computed"], result["verdict"]) == (30, "holds")
    assert table(path, tmp_path / "s").equals(expected)


def test_a_task_that_is_requeued_goes_on_and_a_second_driver_only_watches(slurm, expected, tmp_path):
    path, store = write_claim(tmp_path, measure=SLOW), tmp_path / "s"
    driver = subprocess.Popen(command(path, store), env=slurm, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_for(lambda: stored(store) >= 5)
    os.kill(driver.pid, signal.SIGKILL)  # logging out loses nothing
    driver.communicate()
    before = stored(store)
    known = submitted(slurm)
    running = [name for name, state in jobs(slurm) if state == "RUNNING"]
    assert running
    for name in running:
        subprocess.run(["scontrol", "requeue", name], env=slurm, check=True)
    wait_for(lambda: not any(state in ("RUNNING", "COMPLETING") for _, state in jobs(slurm)))
    assert {name for name, _ in jobs(slurm)} == set(running)
    for name in running:  # the scheduler would wait two minutes before it starts them again
        subprocess.run(["scontrol", "update", f"JobId={name}", "StartTime=now"], env=slurm, check=True)
    done = run(slurm, path, store)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["reused"] >= before
    assert table(path, store).equals(expected)
    assert submitted(slurm) == known


def test_a_cancelled_job_is_told_and_the_same_command_finishes(slurm, expected, tmp_path):
    path, store = write_claim(tmp_path, measure=SLOW), tmp_path / "s"
    driver = subprocess.Popen(
        command(path, store), env=slurm, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: stored(store) >= 5)
    job = json.loads(next((store / ".slurm").glob("*.json")).read_text())["id"]
    subprocess.run(["scancel", job], env=slurm, check=True)
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 1
    result = json.loads(out)[0]
    assert result["computed"] >= 5
    assert result["computed"] + len(result["failed"]) == 30
    assert "its SLURM task ended without it" in err
    assert list((store / ".slurm" / "logs").glob(f"{job}_*.err")), "the logs are there to be read"
    done = run(slurm, path, store)
    assert done.returncode == 0, done.stderr
    assert table(path, store).equals(expected)


def test_failures_inside_a_task_come_back(slurm, tmp_path):
    broken = MEASURE.replace("    return", "    assert size != 400, 'four hundred'\n    return")
    done = run(slurm, write_claim(tmp_path, measure=broken), tmp_path / "s")
    assert done.returncode == 1
    result = json.loads(done.stdout)[0]
    assert (result["computed"], len(result["failed"])) == (20, 10)
    assert "four hundred" in result["failed"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--partition", "nope"], "Invalid partition"),
        (["--memory", "900"], "not available"),
        (["--cpus", "64"], "not available"),
        (["--cpus", "0.5"], "whole ones only"),
        (["--minutes", "600"], "60 minutes"),
        (["--minutes", "0"], "too small"),
        (["--address", "auto"], "--engine ray"),
    ],
)
def test_what_the_scheduler_would_refuse_is_refused_before_submission(slurm, tmp_path, options, message):
    done = run(slurm, write_claim(tmp_path), tmp_path / "s", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "s" / ".slurm").exists()

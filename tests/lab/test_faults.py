"""What may go wrong around a run: the disk, the clock, another driver, a divergence, an older claim."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from claim_files import MEASURE, table, write_claim

from simonides.lab import Plan, Store, Stored, gather, judge, local, write_report

SLOW = MEASURE.replace("    return", "    time.sleep(0.2)\n    return")


def command(path, store, *options):
    return [sys.executable, "-m", "simonides", "run", str(path), "--store", str(store), "--json", *options]


def run(path, store, *options, before=()):
    return subprocess.run([*before, *command(path, store, *options)], capture_output=True, text=True, timeout=120)


@contextlib.contextmanager
def small_disk(folder, size):
    if os.getuid() != 0:
        pytest.skip("mounting needs root")
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip(f"cannot mount here: {made.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_full_disk_loses_no_finished_run_and_leaves_none_half_written(tmp_path, workers):
    path, disk = write_claim(tmp_path), tmp_path / "disk"
    with small_disk(disk, "128k"):
        store = disk / "s"
        done = run(path, store, "--workers", workers)
        assert done.returncode == 2
        assert "No space left on device" in done.stderr
        assert "Finished runs are kept" in done.stderr
        assert "Traceback" not in done.stderr
        plan = Plan(local(path), "desk")
        found = [Store(store).read(point) for point in plan.points]
        whole = [point for point in found if isinstance(point, Stored)]
        assert 5 <= len(whole) < 30
        assert len(whole) + found.count(None) == 30, "nothing is damaged"
        assert not list(store.rglob(".building-*"))
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        again = run(path, store, "--workers", workers)
        result = json.loads(again.stdout)[0]
        assert (result["reused"], result["reused"] + result["computed"]) == (len(whole), 30)
        run(path, tmp_path / "other", "--workers", "1")
        assert table(path, store).equals(table(path, tmp_path / "other"))


def test_a_read_only_store_is_judged_and_never_written(tmp_path):
    path, disk = write_claim(tmp_path), tmp_path / "disk"
    with small_disk(disk, "4m"):
        store = disk / "s"
        assert run(path, store, "--workers", "1").returncode == 0
        shutil.rmtree(next((store / "local" / "noise").glob("[0-9a-f][0-9a-f]")))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = run(path, store, "--workers", "1")
        assert done.returncode == 2
        assert "cannot be written: Read-only file system" in done.stderr
        base = [sys.executable, "-m", "simonides"]
        for read in ("status", "verdict"):
            shown = subprocess.run([*base, read, str(path), "--store", str(store)], capture_output=True, text=True)
            assert shown.returncode == 0, shown.stderr
        pages = subprocess.run(
            [*base, "report", str(path), "--store", str(store), "--out", str(tmp_path / "pages")],
            capture_output=True,
        )
        assert pages.returncode == 0


def test_two_drivers_on_one_store(tmp_path):
    path, store = write_claim(tmp_path, measure=SLOW), tmp_path / "s"
    drivers = [
        subprocess.Popen(command(path, store, "--workers", "1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for driver in drivers:
        out, err = driver.communicate(timeout=120)
        assert driver.returncode == 0, err
        assert json.loads(out)[0]["verdict"] == "holds"
    assert not list(store.rglob(".building-*"))
    run(path, tmp_path / "alone", "--workers", "1")
    assert table(path, store).equals(table(path, tmp_path / "alone"))


DIVERGES = """def measure(runs: Runs, *, size: int, spread: float) -> dict[str, torch.Tensor]:
    draws = torch.stack([torch.randn(size, generator=g) for g in runs.generators]) * spread
    loss = draws.std(-1)[:, None].repeat(1, 4)
    if size == 1600:
        loss[0, 2:] = float("nan")
        loss[1] = float("inf")
    return {"deviation": loss, "step": torch.arange(4.0).expand(len(runs), 4)}


"""


def test_a_divergence_is_kept_with_its_last_finite_state_and_told(tmp_path):
    path, store = write_claim(tmp_path, measure=DIVERGES), tmp_path / "s"
    done = run(path, store, "--workers", "1")
    assert done.returncode == 1
    result = json.loads(done.stdout)[0]
    assert (result["computed"], result["failed"], result["diverged"]) == (30, [], 4)
    assert result["verdict"] == "undecided"
    assert "4 of 30 runs diverged" in result["reason"]
    assert "deviation is NaN or infinite from row 2 of 4 on; the last finite row: deviation" in result["reason"]
    plan = Plan(local(path), "desk")
    diverged = [
        found.about["diverged"] for p in plan.points if "diverged" in (found := Store(store).read(p)).about
    ]
    assert [entry["row"] for entry in diverged] == [2, 0, 2, 0]
    assert diverged[0]["last finite"]["step"] == 1.0
    assert diverged[1]["last finite"] is None
    again = json.loads(run(path, store, "--workers", "1").stdout)[0]
    assert (again["reused"], again["verdict"]) == (30, "undecided"), "the same numbers would come again"
    index, _, _ = write_report([plan], Store(store), tmp_path / "pages")
    assert "4 of 30 runs diverged" in (index.parent / "local.html").read_text()


@pytest.mark.skipif(shutil.which("faketime") is None, reason="needs the program faketime")
def test_a_clock_that_jumps_changes_nothing(tmp_path):
    path, store = write_claim(tmp_path), tmp_path / "s"
    before = [["faketime", "-f", "-10y"], ["faketime", "-f", "+20y"], []]
    run(path, store, "--workers", "2", before=before[0])
    kept = sorted((store / "local" / "noise").glob("[0-9a-f][0-9a-f]"))
    for folder in kept[: len(kept) // 2]:
        shutil.rmtree(folder)
    done = run(path, store, "--workers", "2", before=before[1])
    assert done.returncode == 0, done.stderr
    for entry in store.rglob("*"):
        os.utime(entry, (time.time() + 10**9, time.time() + 10**9))
    last = json.loads(run(path, store, "--workers", "1").stdout)[0]
    assert (last["reused"], last["verdict"], last["rule_older_than_data"]) == (30, "holds", True)
    plan = Plan(local(path), "desk")
    assert all(Store(store).read(point).about["seconds"] >= 0 for point in plan.points)
    assert len({Store(store).read(point).about["finished"][:4] for point in plan.points}) == 2
    run(path, tmp_path / "steady", "--workers", "1")
    assert table(path, store).equals(table(path, tmp_path / "steady"))


def test_points_of_an_older_version_are_kept_and_not_mixed(tmp_path):
    path, store = write_claim(tmp_path), tmp_path / "s"
    run(path, store, "--workers", "1")
    old = Plan(local(path), "desk")
    before = {point.key for point in old.points}
    text = path.read_text()
    path.write_text(text.replace("claim = Claim(", "claim = Claim(\n    version=2,"))
    renewed = json.loads(run(path, store, "--workers", "1").stdout)[0]
    assert (renewed["reused"], renewed["computed"], renewed["present"]) == (0, 30, 30)
    assert not before & {point.key for point in Plan(local(path), "desk").points}
    path.write_text(text)
    assert judge(old, gather(old, Store(store))).present == 30
    assert json.loads(run(path, store, "--workers", "1").stdout)[0]["reused"] == 30


def test_a_store_from_before_stores_had_names_is_still_read(tmp_path):
    path, store = write_claim(tmp_path), tmp_path / "s"
    run(path, store, "--workers", "1")
    (store / "simonides-store.json").write_text('{"format": 1}\n')
    assert json.loads(run(path, store, "--workers", "1").stdout)[0]["reused"] == 30
    assert Store(store).identity


def test_a_claim_edited_while_it_runs_is_measured_as_it_was_planned(tmp_path):
    """The text that was hashed is the text that is run, whatever becomes of the file."""
    path, store = write_claim(tmp_path, measure=SLOW), tmp_path / "s"
    driver = subprocess.Popen(
        command(path, store, "--workers", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not list(store.glob("local/noise/??/[!.]*/point.json")):
        time.sleep(0.02)
    text = path.read_text()
    path.write_text(text.replace("* spread", "* spread * 3"))
    driver.communicate(timeout=60)
    path.write_text(text)
    run(path, tmp_path / "steady", "--workers", "1")
    assert table(path, store).equals(table(path, tmp_path / "steady"))


def test_a_worker_with_another_package_refuses(tmp_path):
    from dataclasses import replace

    from simonides.lab import measure, pending

    plan, store = Plan(local(write_claim(tmp_path)), "smoke"), Store(tmp_path / "s")
    task = replace(pending(plan, store).tasks[0], package="another")
    assert "another version of simonides" in measure(task).failed[0].message


def test_status_loads_neither_claim_nor_torch(tmp_path):
    path, store = write_claim(tmp_path), tmp_path / "s"
    run(path, store, "--workers", "1")
    shutil.rmtree(next((store / "local" / "noise").glob("[0-9a-f][0-9a-f]")))
    code = (
        "import sys, contextlib\nfrom simonides.cli import main\n"
        f"with contextlib.suppress(SystemExit): main(['status', {str(path)!r}, '--store', {str(store)!r}])\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "29 of 30 runs" in done.stdout or "28 of 30 runs" in done.stdout
    path.write_text(path.read_text().replace("size=[400, 800, 1600]", "size=[400, 800]"))
    base = [sys.executable, "-m", "simonides", "status", str(path), "--store", str(store), "--json"]
    changed = json.loads(subprocess.run(base, capture_output=True, text=True).stdout)[0]
    assert changed["planned"] == 20, "an edited claim is loaded again"

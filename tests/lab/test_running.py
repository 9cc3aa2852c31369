"""Running claims from Python: what is measured, resumed inside a point, and told of devices and versions."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from claim_files import write_claim

from simonides import run
from simonides.base import SimonidesError, chosen_device
from simonides.lab import Plan, Store, gather, judge, local, measuring, running
from simonides.lab.engines.local import Local

# trains slowly, notes each update, and keeps a checkpoint every ten
SLOW = """def measure(runs: Runs, *, size: int, spread: float) -> dict[str, torch.Tensor]:
    from simonides.training import SGD, Checkpoint, Records, fit

    def one(run):
        model = torch.nn.Linear(3, 1)
        with torch.no_grad():
            for p in model.parameters():
                p.copy_(torch.randn(p.shape, generator=runs.generators[run]))
        def note(state):
            with open(NOTES, "a") as notes:
                notes.write("x")
            time.sleep(0.02)
        history = fit(
            model,
            lambda m, x: (m(x) - x.sum(1, keepdim=True)).square().mean(),
            lambda g: torch.randn(8, 3, generator=g),
            lambda p: SGD(p, 0.01 * spread),
            60,
            runs.generators[run],
            records=Records(every=7),
            checkpoint=Checkpoint(path=runs.scratch_of(run) / "fit.safetensors", every=10),
            after_update=[note],
        )
        return history.column("loss")

    return {"deviation": torch.stack([one(run) for run in range(len(runs))])}


"""


def one_point(path, notes):
    text = path.read_text().replace("NOTES", repr(str(notes)))
    text = text.replace(
        "product(size=[400, 800], spread=[1.0, 2.0]).with_seeds(5)", "product(size=[1], spread=[1.0])"
    )
    path.write_text(
        text.replace("product(size=[1], spread=[1.0])", "product(size=[1], spread=[1.0]).with_seeds(5)")
    )
    return path


def rows(path, store):
    return gather(Plan(local(path), "smoke"), Store(store)).table


def test_a_point_killed_in_the_middle_goes_on_inside(tmp_path):
    notes, store = tmp_path / "notes", tmp_path / "store"
    path = one_point(write_claim(tmp_path, 'Within(column="deviation", band=1e9)', SLOW), notes)
    command = [sys.executable, "-m", "simonides", "run", str(path), "--scale", "smoke", "--workers", "1"]
    first = subprocess.Popen([*command, "--store", str(store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while (not notes.exists() or notes.stat().st_size < 85) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    before = notes.stat().st_size
    assert 85 <= before < 300 and list((store / ".scratch").glob("*/seed-*/fit.safetensors"))
    subprocess.run([*command, "--store", str(store)], check=True, capture_output=True)
    # at most one interval of ten updates, and the step in hand, are made again
    assert notes.stat().st_size - 300 <= 11
    subprocess.run([*command, "--store", str(tmp_path / "whole")], check=True, capture_output=True)
    assert rows(path, store).equals(rows(path, tmp_path / "whole"))
    assert not list((store / ".scratch").iterdir()), "checkpoints go when the runs are stored"


def test_a_claim_is_run_from_python(tmp_path, capsys):
    path, store = write_claim(tmp_path), tmp_path / "store"
    (first,) = run(str(path), "smoke", store, Local(workers=1), device="cpu")
    assert first.computed == 20 and not first.failed and first.verdict.verdict == "holds"
    (again,) = run(str(path), "smoke", store, Local(workers=1))
    assert again.reused == 20 and again.computed == 0
    (explored,) = run(str(path), "smoke", store, Local(workers=1), overrides={"size": 50})
    assert explored.verdict is None and explored.gathered.table.height == 10
    with pytest.raises(SimonidesError, match="device 'abacus' is not known"):
        run(str(path), "smoke", store, device="abacus")
    with pytest.raises(SimonidesError, match="no claim or paper is called"):
        run("memories/linear-capacty", "smoke", store)


def test_data_of_several_versions_are_told(tmp_path):
    path, store = write_claim(tmp_path), tmp_path / "store"
    run(str(path), "smoke", store, Local(workers=1))
    plan = Plan(local(path), "smoke")
    gathered = gather(plan, Store(store))
    assert len(judge(plan, gathered).versions) == 1
    assert "cpu" in gathered.about[0]["environment"]["device"]
    gathered.about[0]["environment"]["torch"] = "1.0"
    assert len(judge(plan, gathered).versions) == 2
    assert json.dumps(judge(plan, gathered).as_json()["versions"])


def test_the_device_recorded_is_the_one_that_was_used(tmp_path, monkeypatch):
    path, store = write_claim(tmp_path), tmp_path / "store"
    for module in (running, measuring):
        monkeypatch.setattr(module, "chosen_device", torch.device)
    run(str(path), "smoke", store, Local(workers=1), device="meta")  # this claim does not ask where to compute
    (about, *_) = gather(Plan(local(path), "smoke"), Store(store)).about
    assert about["environment"]["device"].startswith("cpu")


def test_devices():
    for asked, message in (
        ("meta", "is not known"),
        ("mps", "is not known"),
        ("cuda:-1", "is not known"),
        ("cuda:99", "torch sees"),
        ("", "is not known"),
    ):
        with pytest.raises(SimonidesError, match=message):
            chosen_device(asked)
    assert chosen_device("cpu") == torch.device("cpu")
    assert chosen_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")

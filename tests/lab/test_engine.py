"""Resume, determinism and faults, with real processes and real kills."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from claim_files import MEASURE, table, write_claim

from simonides.lab import Plan, Store, Stored, gather, keep, local, measure, pending

SLOW = MEASURE.replace("    return", "    time.sleep(0.25)\n    return")


def run(path, store, *options, check=True):
    command = [sys.executable, "-m", "simonides", "run", str(path), "--scale", "desk", "--store", str(store)]
    done = subprocess.run([*command, "--json", *options], capture_output=True, text=True, timeout=120)
    if check:
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)[0]
    return done


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_second_run_reuses_everything(tmp_path):
    path = write_claim(tmp_path)
    first = run(path, tmp_path / "s", "--workers", "1")
    second = run(path, tmp_path / "s", "--workers", "1")
    assert (first["reused"], first["computed"]) == (0, 30)
    assert (second["reused"], second["computed"]) == (30, 0)
    assert first["verdict"] == second["verdict"] == "holds"


def test_one_worker_and_two_give_the_same_bits(tmp_path):
    path = write_claim(tmp_path)
    run(path, tmp_path / "one", "--workers", "1")
    run(path, tmp_path / "two", "--workers", "2")
    assert table(path, tmp_path / "one").equals(table(path, tmp_path / "two"))


def test_killed_at_any_moment_and_run_again(tmp_path):
    """SIGKILL twice in mid-run: nothing is lost but what was in flight, nothing is counted twice, same bits."""
    path = write_claim(tmp_path, measure=SLOW)
    command = [sys.executable, "-m", "simonides", "run", str(path), "--scale", "desk", "--workers", "2"]
    store = tmp_path / "broken"

    def stored():
        return len(list(store.glob("local/noise/??/[!.]*/point.json")))

    for wanted in (1, 11):
        driver = subprocess.Popen([*command, "--store", str(store)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while stored() < wanted and time.monotonic() < deadline:
            time.sleep(0.01)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(driver.pid)], capture_output=True, text=True)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        for child in children.stdout.split():  # workers end with their driver
            while alive(child):
                assert time.monotonic() < deadline
                time.sleep(0.05)
    kept = stored()
    assert 11 <= kept < 30
    result = run(path, store, "--workers", "2")
    assert result["reused"] >= kept
    assert result["reused"] + result["computed"] == 30
    assert result["present"] == 30
    run(path, tmp_path / "whole", "--workers", "1")
    assert table(path, store).equals(table(path, tmp_path / "whole"))


def test_a_worker_that_is_killed_is_replaced(tmp_path):
    """The first worker to measure kills itself; the stack is tried again."""
    suicide = MEASURE.replace(
        "    return",
        f"    import os, pathlib\n    flag = pathlib.Path({str(tmp_path / 'flag')!r})\n"
        "    if not flag.exists():\n        flag.touch()\n        os.kill(os.getpid(), 9)\n    return",
    )
    path = write_claim(tmp_path, measure=suicide)
    result = run(path, tmp_path / "s", "--workers", "2")
    assert result["computed"] == 30
    assert result["failed"] == []


def test_a_point_that_always_kills_its_worker_is_given_up_and_the_rest_kept(tmp_path):
    deadly = MEASURE.replace(
        "    return",
        "    import os\n    if size == 400 and spread == 2.0:\n        os.kill(os.getpid(), 9)\n    return",
    )
    path = write_claim(tmp_path, measure=deadly)
    done = run(path, tmp_path / "s", "--workers", "2", check=False)
    result = json.loads(done.stdout)[0]
    assert done.returncode == 1
    assert len(result["failed"]) == 5
    assert "its worker died 3 times" in result["failed"][0]
    assert result["computed"] == 25
    assert result["verdict"] == "undecided"


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("{}", "must return a dictionary"),
        ("3", "must return a dictionary"),
        ('{"deviation": 1.0}', "must be a tensor"),
        ('{"deviation": torch.ones(3)}', r"is \[3\]"),
        ('{"deviation": torch.ones(5, 2), "b": torch.ones(5, 3)}', "rows a run"),
        ('{"deviation": undefined}', "NameError"),
    ],
)
def test_what_measure_gets_wrong_is_told_and_nothing_else_lost(tmp_path, returned, message):
    path = write_claim(tmp_path, measure=MEASURE.replace('{"deviation": draws.std(-1)}', returned))
    plan, store = Plan(local(path), "smoke"), Store(tmp_path / "s")
    store.open_for_writing()
    outcome = keep(measure(pending(plan, store).tasks[0]), store)
    assert len(outcome.failed) == 5
    assert re.search(message, outcome.failed[0][1])
    assert gather(plan, store).missing == 20
    assert message.split("\\")[0] in gather(plan, store).failed[0][1] or "\\" in message


def test_rows_of_a_run_become_rows_of_the_table(tmp_path):
    many = MEASURE.replace(
        '{"deviation": draws.std(-1)}', '{"deviation": draws[:, :3], "step": torch.arange(3.0).expand(5, 3)}'
    )
    path = write_claim(tmp_path, measure=many, rule='Threshold(column="deviation", at_most=99)')
    plan, store = Plan(local(path), "smoke"), Store(tmp_path / "s")
    store.open_for_writing()
    for task in pending(plan, store).tasks:
        assert not keep(measure(task), store).failed
    assert gather(plan, store).table.height == 4 * 5 * 3


def test_damage_is_reported_and_measured_again(tmp_path):
    path = write_claim(tmp_path)
    run(path, tmp_path / "s", "--workers", "1")
    before = table(path, tmp_path / "s")
    plan, store = Plan(local(path), "desk"), Store(tmp_path / "s")
    (store.folder(plan.points[3]) / "rows.parquet").write_bytes(b"PAR1")
    (store.folder(plan.points[7]) / "point.json").unlink()
    again = run(path, tmp_path / "s", "--workers", "1")
    assert (again["reused"], again["computed"], len(again["damaged"])) == (28, 2, 2)
    assert "differs from its checksum" in again["damaged"][0]
    assert table(path, tmp_path / "s").equals(before)


def test_an_edited_measure_is_measured_again_and_the_old_kept(tmp_path):
    path = write_claim(tmp_path)
    run(path, tmp_path / "s", "--workers", "1")
    write_claim(tmp_path, measure=MEASURE.replace("* spread", "* spread * 1.5"))
    edited = run(path, tmp_path / "s", "--workers", "1")
    assert (edited["reused"], edited["computed"], edited["verdict"]) == (0, 30, "fails")
    write_claim(tmp_path)
    assert run(path, tmp_path / "s", "--workers", "1")["reused"] == 30


def test_a_rule_younger_than_the_data_is_told(tmp_path):
    path = write_claim(tmp_path)
    assert run(path, tmp_path / "s", "--workers", "1")["rule_older_than_data"] is True
    write_claim(tmp_path, rule='Within(column="deviation", band=0.3)')
    younger = run(path, tmp_path / "s", "--workers", "1")
    assert (younger["reused"], younger["rule_older_than_data"]) == (30, False)


def test_a_prediction_younger_than_the_data_is_told(tmp_path):
    path = write_claim(tmp_path)
    run(path, tmp_path / "s", "--workers", "1")
    path.write_text(path.read_text().replace("lambda spread: spread", "lambda spread: spread + 0.01"))
    assert run(path, tmp_path / "s", "--workers", "1")["rule_older_than_data"] is False


def test_exploration_moves_no_verdict(tmp_path):
    path = write_claim(tmp_path)
    explored = run(path, tmp_path / "s", "--workers", "1", "--size", "50")
    assert explored["exploration"] == {"size": 50}
    found = gather(Plan(local(path), "desk"), Store(tmp_path / "s"))
    assert (found.present, found.missing) == (0, 30)


def test_points_of_a_stack_do_not_depend_on_one_another(tmp_path):
    path = write_claim(tmp_path)
    plan, store = Plan(local(path), "smoke"), Store(tmp_path / "s")
    store.open_for_writing()
    tasks = pending(plan, store).tasks
    keep(measure(tasks[0]), store)
    alone = Store(tmp_path / "alone")
    alone.open_for_writing()
    for point in tasks[0].points:
        keep(measure(replace(tasks[0], points=(point,), missing=frozenset([point.key]))), alone)
        found, other = store.read(point), alone.read(point)
        assert isinstance(found, Stored) and isinstance(other, Stored)
        assert torch.equal(found.rows.to_torch(), other.rows.to_torch())


def test_a_slow_neighbour_does_not_fall_with_a_deadly_point(tmp_path):
    """One stack kills its worker at once, the other is in flight each time: only the first is given up."""
    kill = "    import os\n    if size == 400:\n        os.kill(os.getpid(), 9)\n    time.sleep(0.5)\n"
    path = write_claim(tmp_path, measure=MEASURE.replace("    return", kill + "    return"))
    done = run(path, tmp_path / "s", "--workers", "2", check=False)
    result = json.loads(done.stdout)[0]
    assert len(result["failed"]) == 10
    assert all("size = 400" in line for line in result["failed"])
    assert result["computed"] == 20


@pytest.mark.parametrize("workers", ["1", "2"])
def test_measure_that_ends_the_process_is_a_failure(tmp_path, workers):
    path = write_claim(tmp_path, measure=MEASURE.replace("    return", "    import sys; sys.exit(0)\n    return"))
    done = run(path, tmp_path / "s", "--workers", workers, check=False)
    assert done.returncode == 1
    assert len(json.loads(done.stdout)[0]["failed"]) == 30


def test_measure_may_train(tmp_path):
    train = MEASURE.replace(
        "    return",
        "    w = torch.ones(len(runs), requires_grad=True)\n    (w * draws.mean(-1)).sum().backward()\n"
        "    draws = draws + 0 * w.grad[:, None]\n    return",
    )
    assert run(write_claim(tmp_path, measure=train), tmp_path / "s", "--workers", "1")["computed"] == 30


def test_an_edited_lambda_on_a_measured_column_makes_the_rule_younger(tmp_path):
    path = write_claim(tmp_path, measure=MEASURE.replace("draws.std(-1)}", 'draws.std(-1), "z": draws.mean(-1)}'))
    path.write_text(path.read_text().replace("lambda spread: spread", "lambda spread, z: spread + 0 * z"))
    assert run(path, tmp_path / "s", "--workers", "1")["rule_older_than_data"] is True
    path.write_text(path.read_text().replace("0 * z", "0.01 * z"))
    again = run(path, tmp_path / "s", "--workers", "1")
    assert (again["reused"], again["rule_older_than_data"]) == (30, False)


def test_too_few_seeds_decide_nothing(tmp_path):
    path = write_claim(tmp_path)
    path.write_text(path.read_text().replace("with_seeds(5)", "with_seeds(4)"))
    result = run(path, tmp_path / "s", "--workers", "1")
    assert result["verdict"] == "undecided"
    assert "4 seeds a cell" in result["reason"]


def test_parameters_of_mixed_numbers(tmp_path):
    path = write_claim(tmp_path)
    path.write_text(path.read_text().replace("spread=[1.0, 2.0]", "spread=[1, 2.0]"))
    assert run(path, tmp_path / "s", "--workers", "1")["present"] == 30

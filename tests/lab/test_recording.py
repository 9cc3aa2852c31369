"""Results kept beside the code, rules locked with the reason of each change, verdicts decided by more runs."""

import json

import pytest
from tests.lab.claim_files import write_claim

from simonides.base import SimonidesError
from simonides.lab import (
    Plan,
    Store,
    Threshold,
    gather,
    judge,
    local,
    locking,
    record,
    recorded,
    recorded_entry,
    run,
    write_report,
)
from simonides.lab.engines.local import Local
from simonides.lab.rules import Crossing, Exponent, Ordered, Reported, Within


@pytest.fixture
def measured(tmp_path):
    path, store = write_claim(tmp_path), tmp_path / "store"
    run(str(path), "smoke", store, Local(workers=1), shown=False)
    return Plan(local(path), "smoke"), Store(store)


def test_what_is_recorded_is_what_was_measured(measured, tmp_path):
    plan, store = measured
    verdict = record(plan, gather(plan, store), tmp_path / "results")
    entry = recorded_entry(plan.file, "smoke", tmp_path / "results")
    assert entry["verdict"] == verdict.verdict == "holds" and entry["setting"]["size"] == [400, 800]
    assert len(entry["cells"]) == 4 and entry["cells"][0]["deviation"][1] < entry["cells"][0]["deviation"][0]
    again = recorded(plan, tmp_path / "results")
    assert again.table.equals(gather(plan, store).table) and again.present == 20
    assert judge(plan, again).as_json()["checks"] == verdict.as_json()["checks"]
    assert json.loads((tmp_path / "results" / "smoke" / "local.json").read_text())


def test_only_what_is_whole_is_recorded(measured, tmp_path):
    plan, store = measured
    with pytest.raises(SimonidesError, match=r"10 of 30 runs are missing; run it first"):
        record(Plan(plan.file, "desk"), gather(Plan(plan.file, "desk"), store), tmp_path / "results")
    with pytest.raises(SimonidesError, match="no result of local/noise is recorded at scale smoke"):
        recorded(plan, tmp_path / "results")


def test_what_was_measured_with_other_code_is_not_shown(measured, tmp_path):
    plan, store = measured
    record(plan, gather(plan, store), tmp_path / "results")
    text = plan.file.path.read_text()
    plan.file.path.write_text(text.replace("draws.std(-1)", "draws.std(-1) * 1.0"))
    with pytest.raises(SimonidesError, match="measured with other code"):
        recorded(Plan(local(plan.file.path), "smoke"), tmp_path / "results")


def test_a_report_of_recorded_results_measures_nothing(measured, tmp_path, monkeypatch):
    plan, store = measured
    record(plan, gather(plan, store), tmp_path / "results")
    monkeypatch.setattr("simonides.lab.recording.results_folder", lambda: tmp_path / "results")
    index, (verdict,), problems = write_report([plan], None, tmp_path / "pages", with_recorded=True)
    assert not problems and verdict.verdict == "holds" and "recorded" in index.read_text()
    index, _, _ = write_report([plan], store, tmp_path / "more", with_recorded=True)
    assert "measured here" in index.read_text()


@pytest.mark.parametrize(
    "rule",
    [
        Within(column="v", ratio=0.1, where={"kind": "a"}),
        Threshold(column="v", at_least=1.0, paper=Reported(value=1.0, where="figure 1"), says="words"),
        Ordered(column="v", by="kind", order=("a", "b")),
        Exponent(
            of=Crossing(column="v", axis="n", level=0.5), against=("m", "d"), low=0.9, high=1.1, given=("k",)
        ),
    ],
)
def test_rules_are_written_down_and_read_again(rule):
    assert locking.from_json(json.loads(json.dumps(locking.as_json(rule)))) == rule


def test_a_change_of_rules_is_kept_with_its_reason_and_told(measured, tmp_path, monkeypatch):
    plan, store = measured
    monkeypatch.setattr(locking, "lock_file", lambda file: tmp_path / "rules.lock")
    monkeypatch.setattr("simonides.lab.verdict.history_of", locking.history_of)
    assert locking.lock(plan.file, "first") and not locking.lock(plan.file, "")
    # a band that these numbers leave
    path = write_claim(tmp_path, rule='Threshold(column="deviation", at_most=0.5)')
    changed = local(path)
    with pytest.raises(SimonidesError, match="say why, with --reason"):
        locking.lock(changed, " ")
    assert locking.lock(changed, "a band that means something")
    run(str(path), "desk", store.root, Local(workers=1), shown=False)
    now = Plan(changed, "desk")
    (change,) = judge(now, gather(now, store)).changes
    assert (change.reason, change.before) == ("a band that means something", "holds")
    assert judge(now, gather(now, store)).verdict == "fails"


def test_runs_are_added_until_a_verdict_is_decided(tmp_path):
    path = write_claim(tmp_path, rule='Threshold(column="deviation", at_least=0.985, where={"spread": 1.0})')
    (few,) = run(str(path), "smoke", tmp_path / "s", Local(workers=1), shown=False)
    assert few.verdict is not None and few.verdict.verdict == "undecided" and few.verdict.checks[0].needed
    (more,) = run(str(path), "smoke", tmp_path / "s", Local(workers=1), shown=False, until_decided=400)
    assert more.verdict is not None and more.verdict.verdict == "holds" and 5 < more.plan.grid.seeds <= 400
    assert more.verdict.seeds == more.plan.grid.seeds


def test_a_deterministic_claim_is_one_run_without_an_interval(tmp_path):
    path = write_claim(tmp_path, measure=MEASURE_EXACT)
    text = path.read_text().replace("with_seeds(5)", "with_seeds(1)")
    path.write_text(text.replace("measure=measure,", "measure=measure, deterministic=True,"))
    (ran,) = run(str(path), "smoke", tmp_path / "s", Local(workers=1), shown=False)
    assert ran.verdict is not None and ran.verdict.verdict == "holds" and ran.verdict.interval == (0.0, 0.0)


MEASURE_EXACT = """def measure(runs: Runs, *, size: int, spread: float) -> dict[str, torch.Tensor]:
    return {"deviation": torch.full((len(runs),), spread)}


"""


def test_what_a_statement_says_beyond_its_rules_makes_it_partly(measured, tmp_path):
    plan, store = measured
    path = plan.file.path
    path.write_text(path.read_text().replace("measure=measure,", 'measure=measure, untested="that it is normal",'))
    changed = Plan(local(path), "smoke")
    verdict = judge(changed, gather(changed, store))
    assert (verdict.verdict, verdict.missing) == ("partly", 0) and "that it is normal" in verdict.reason

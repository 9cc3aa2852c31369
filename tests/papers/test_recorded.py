"""What is recorded belongs to the rules and the code there are, and a wrong theory would not pass it.

Nothing is measured here: the runs come with the package.
"""

import dataclasses
import subprocess
import sys
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from simonides.base import SimonidesError
from simonides.lab import Plan, history_of, judge, recorded, recorded_entry, rules_hash, scan
from simonides.lab.judging import judge_rules
from simonides.lab.rules import Exponent, Within

FILES = {file.id: file for file in scan()}


@cache
def plan_of(name):
    return Plan(FILES[name], "desk")


def entry_of(name):
    try:
        return recorded_entry(FILES[name], "desk")
    except SimonidesError:
        pytest.skip("not recorded yet")


@pytest.mark.parametrize("name", FILES)
def test_rules_are_those_that_are_locked(name):
    history = history_of(FILES[name])
    assert history and history[-1]["hash"] == rules_hash(plan_of(name)), (
        "say why they changed: simonides rules --reason"
    )


@pytest.mark.parametrize("name", FILES)
def test_recorded_verdicts_are_those_of_the_rules_and_runs_there_are(name):
    plan, entry = plan_of(name), entry_of(name)
    gathered = recorded(plan)
    assert gathered.missing == 0, "record it again"
    verdict = judge(plan, gathered)
    assert entry["rules"] == rules_hash(plan) and entry["verdict"] == verdict.verdict
    for kept, now in zip(entry["checks"], verdict.as_json()["checks"], strict=True):
        assert (kept["rule"], kept["verdict"], kept["paper"]) == (now["rule"], now["verdict"], now["paper"])
        if now["effect"] is not None:  # another processor adds in another order
            assert kept["effect"] == pytest.approx(now["effect"], rel=1e-6, abs=1e-9)
    assert verdict.verdict != "fails" or plan.claim.finding or plan.claim.differs, "say why it fails"


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_theory_does_not_hold(name):
    """Where a rule holds, it does not with a prediction off by 1.3, or an exponent off by 0.25."""
    plan = plan_of(name)
    entry_of(name)
    rules = [rule for rule in plan.claim.rules if isinstance(rule, (Within, Exponent))]
    if not rules:
        pytest.skip("has no quantitative rule")
    table = recorded(plan).table
    for rule in rules:
        if judge_rules([rule], table, plan.grid.seeds)[0].verdict != "holds":
            continue  # the numbers may well be those of another theory
        if isinstance(rule, Within):
            column = f"predicted {rule.column}"
            wrong = table.with_columns((pl.col(column) * 1.3).alias(column))
            verdicts = [check.verdict for check in judge_rules([rule], wrong, plan.grid.seeds)]
        else:
            moved = [
                dataclasses.replace(rule, low=rule.low + shift, high=rule.high + shift) for shift in (-0.25, 0.25)
            ]
            verdicts = [judge_rules([other], table, plan.grid.seeds)[0].verdict for other in moved]
        assert "holds" not in verdicts, rule


def test_the_tables_of_the_documentation_are_those_of_the_results():
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, root / "tools" / "write_results.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""Two sets of results side by side."""

import json
import math

import pytest
from tests.lab.claim_files import write_claim

from simonides.base import SimonidesError
from simonides.cli import main
from simonides.lab import Plan, Store, compare, gather, local, record, run
from simonides.lab.engines.local import Local


@pytest.fixture
def two(tmp_path):
    """A claim measured in a store, and recorded in a folder."""
    path, store = write_claim(tmp_path), tmp_path / "store"
    run(str(path), "smoke", store, Local(workers=1), shown=False)
    plan = Plan(local(path), "smoke")
    record(plan, gather(plan, Store(store)), tmp_path / "results")
    return path, store, tmp_path / "results"


def edited(results, **changes):
    place = results / "smoke" / "local.json"
    kept = json.loads(place.read_text())
    kept["local/noise"].update(changes)
    place.write_text(json.dumps(kept))


def test_the_same_results_agree(two):
    path, store, results = two
    found, lacking = compare([local(path)], "smoke", store, results)
    assert not lacking
    assert not found[0].changed
    assert found[0].apart == 0.0
    assert found[0].one == found[0].other


def test_what_changed_is_told(two, capsys):
    path, store, results = two
    found, _ = compare([local(path)], "smoke", store, results)
    low, high = found[0].one.interval
    effect = found[0].one.effect + 3 * (high - low)
    edited(results, verdict="fails", effect=effect, interval=[effect, effect])
    found, _ = compare([local(path)], "smoke", store, results)
    assert found[0].changed
    assert found[0].apart == pytest.approx(6.0)
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(store), str(results), "--target", str(path), "--scale", "smoke"])
    out = capsys.readouterr().out
    assert ended.value.code == 1
    assert "holds -> fails  local/noise" in out
    assert "6 times as far apart as their intervals explain" in out
    assert "1 claims in both, 1 verdict changed." in out


def test_a_number_that_is_not_there_is_no_difference(two):
    path, store, results = two
    edited(results, effect=None, interval=None)
    found, _ = compare([local(path)], "smoke", store, results)
    assert math.isnan(found[0].apart)


def test_what_one_lacks_is_left_out_and_counted(two, tmp_path, capsys):
    path, store, _ = two
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(store), "--target", str(path), "--scale", "smoke"])
    out = capsys.readouterr()
    assert ended.value.code == 0
    assert "left out, as one does not hold them whole: 1 of 1 claims" in out.err
    assert "0 claims in both" in out.out
    with pytest.raises(SimonidesError, match="does not exist"):
        compare([local(path)], "smoke", tmp_path / "nowhere", store)

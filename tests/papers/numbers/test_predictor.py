"""Numbers of documents filled in: in Python, and by the command with its files and pages."""

import json
import random

import numpy as np
import pytest

from simonides.base import SimonidesError
from simonides.papers.numbers.predictor import (
    NumberPredictor,
    PredictorConfig,
    compare_encodings,
    fit_predictor,
)
from simonides.papers.numbers.tabular import prepare

SMALL = PredictorConfig(steps=150, d=16, layers=1, heads=2, batch=16, rate=5e-3)


def houses(count=300, seed=0):
    draws = random.Random(seed)
    rows = []
    for _ in range(count):
        width, depth, kind = draws.uniform(1, 9), draws.uniform(1, 9), draws.choice(["red", "blue"])
        price = 10 * width - 5 * depth + (20 if kind == "red" else 0) + draws.gauss(0, 0.5)
        rows.append({"kind": kind, "size": [round(width, 2), round(depth, 2)], "price": round(price, 2)})
    return rows


@pytest.fixture(scope="module")
def fitted():
    return fit_predictor(houses(), "price", SMALL)


def test_errors_stand_beside_their_baselines(fitted):
    (quality,) = fitted.qualities
    assert quality.key == "price" and quality.numbers == 30
    assert quality.error < 0.5 * quality.constant
    assert quality.linear is not None and quality.linear < quality.constant
    assert quality.explained == pytest.approx(1 - quality.error**2 / np.var([one.given for one in fitted.filled]))
    assert quality.covered is not None and quality.covered > 0.6
    assert fitted.documents == (240, 30, 30) and fitted.left_out == 0


def test_what_stands_there_is_not_seen(fitted):
    row = {"kind": "red", "size": [3.0, 4.0], "price": None}
    null, wrong = (fitted.predictor.predict([{**row, "price": price}])[0] for price in (None, 1234.0))
    assert null.value == wrong.value and null.given is None and wrong.given == 1234.0
    assert null.low is not None and null.high is not None and null.low <= null.value <= null.high


def test_a_predictor_comes_back_from_its_folder(fitted, tmp_path):
    fitted.predictor.save(tmp_path / "model")
    again = NumberPredictor.load(tmp_path / "model", "cpu")
    rows = houses(5, seed=1)
    assert again.predict(rows) == fitted.predictor.predict(rows)
    with pytest.raises(SimonidesError, match="holds something already"):
        fitted.predictor.save(tmp_path / "model")
    settings = tmp_path / "model" / "numbers.json"
    whole = json.loads(settings.read_text())
    for broken, said in (
        ({**whole, "format": 2}, "has the format 2"),
        ({**whole, "scales": {"price": {"centre": 1}}}, "is not whole"),
        ({**whole, "length": 3}, "does not belong"),
        ({**whole, "length": 1e400}, "is not whole"),
        ({**whole, "margins": {"price": "a"}}, "is not whole"),
        ({**whole, "scales": {"price": {"centre": 1, "spread": -1, "low": 0, "high": 1}}}, "is not whole"),
    ):
        settings.write_text(json.dumps(broken))
        with pytest.raises(SimonidesError, match=said):
            NumberPredictor.load(tmp_path / "model", "cpu")
    with pytest.raises(SimonidesError, match="is no folder"):
        NumberPredictor.load(tmp_path / "none", "cpu")


def test_what_was_not_trained_on_is_told(fitted):
    row = {"kind": "red", "size": [3.0, 4.0], "price": None}
    for wrong, said in (
        ({**row, "age": 3}, "a number at age, where no document of the training had one"),
        ({"kind": "red", "size": [3.0, 4.0]}, "has no number at 'price'; it has numbers at size"),
        ({**row, "size": [3.0] * 40}, r"a number at size\[2\], where no document of the training had one"),
        ({**row, "size": [float("nan"), 1.0]}, "NaN or an infinite"),
    ):
        with pytest.raises(SimonidesError, match=said):
            fitted.predictor.predict([wrong])
    for wrong in ({**row, "kind": "green"}, {**row, "kind": None}):
        with pytest.raises(SimonidesError, match=r"document 1 has '.*(green|null).*', which is in no document"):
            fitted.predictor.predict([wrong])


def test_the_order_of_keys_says_nothing_and_what_is_unlike_the_training_is_told(fitted):
    row = {"kind": "red", "size": [3.0, 4.0], "price": None}
    turned = dict(reversed(row.items()))
    usual, other, far = (
        fitted.predictor.predict([one])[0] for one in (row, turned, {**row, "size": [300.0, 4.0]})
    )
    assert usual == other and not usual.outside and far.outside


def test_constants_have_no_spread_and_no_share_explained():
    rows = [{"c": 0.1, "x": n / 10, "y": 98.6} for n in range(100)]
    found = fit_predictor(rows, "y", PredictorConfig(steps=3, d=8, layers=1, heads=1))
    assert found.predictor.scales["c"].spread == 1.0 and found.qualities[0].explained is None
    for power in (200, -200):
        scaled = [{"x": float(n), "y": (n - 50) * 10.0**power} for n in range(100)]
        with pytest.raises(SimonidesError, match="scale them"):
            fit_predictor(scaled, "y", SMALL)


def test_places_of_a_list_have_scales_and_means_of_their_own():
    rows = [{"data": [float(n % 7), 1000.0 + n % 5], "*": n % 3, "top 5": n % 2} for n in range(60)]
    found = fit_predictor(rows, "data[0]", PredictorConfig(steps=2, d=8, layers=1, heads=1))
    assert found.qualities[0].constant < 5
    starred = prepare(rows, '"*"')
    assert all(asked.sum() == 1 for asked in starred.asked)
    named = prepare([{"a": {"top 5 x": 1.0, "b": 2.0}}], "a")
    assert named.asked[0].tolist() == [False, False, True] or named.asked[0].sum() == 2


def test_documents_of_different_form_and_with_nulls(unchecked):
    rows = [
        {
            "list": [float(n + k) for k in range(1 + n % 3)],
            "note": "it is 5 today",
            "y": None if n % 10 == 0 else n,
        }
        for n in range(60)
    ]
    prepared = prepare(rows, "y")
    assert len(prepared.complete) == 54 and prepared.paths[1][-1] == "y"
    found = fit_predictor(rows, "y", PredictorConfig(steps=3, d=8, layers=1, heads=1))
    assert found.left_out == 6 and found.qualities[0].linear is None
    several = fit_predictor(rows, "list", PredictorConfig(steps=3, d=8, layers=1, heads=1))
    assert {one.key for one in several.qualities} == {"list[*]"}
    with pytest.raises(SimonidesError, match="training needs 20"):
        fit_predictor(rows[:15], "y", SMALL)
    with pytest.raises(SimonidesError, match="no documents"):
        prepare([], "y")
    for wrong in ("text", 5, [5], [{"y": 1, "\ud800": 2}]):
        with pytest.raises(SimonidesError):
            prepare(wrong, "y")
    deep: list[object] = [1]
    for _ in range(3000):
        deep = [deep]
    with pytest.raises(SimonidesError):
        prepare([{"y": 1, "z": deep}], "y")


def test_rows_are_those_of_what_was_given_and_keys_of_one_document_are_left_out():
    rows = [{"x": n / 10, "y": n / 5} for n in range(60)]
    rows[7]["rare"] = 3.0
    for seed in range(4):
        found = fit_predictor(rows, "y", PredictorConfig(steps=2, d=8, layers=1, heads=1, seed=seed))
        assert all(one.given == rows[one.row - 1]["y"] for one in found.filled)
        assert found.left_out + sum(found.documents) == 60 and found.left_out in (0, 1)


def test_tuples_are_arrays_and_what_is_no_json_is_told(fitted):
    row = {"kind": "red", "size": (3.0, 4.0), "price": None}
    assert fitted.predictor.predict([row]) == fitted.predictor.predict([{**row, "size": [3.0, 4.0]}])
    with pytest.raises(SimonidesError, match="document 1: a document is no JSON"):
        fitted.predictor.predict([{"kind": {1, 2}, "price": None}])


def test_intervals_of_a_document_count_once():
    rows = [{"x": [float(n + k) for k in range(10)], "z": n} for n in range(20)]
    found = fit_predictor(rows, "x", PredictorConfig(steps=2, d=8, layers=1, heads=1))
    # two documents for intervals are too few, however many numbers they have
    assert found.predictor.margins == {"x[*]": None} and found.filled[0].low is None


def test_encodings_are_compared_at_equal_compute():
    config = PredictorConfig(steps=30, d=8, layers=1, heads=1)
    found = compare_encodings(houses(60), "price", ["xval", "p10", "xval-quantiles"], config)
    assert [one.predictor.config.steps for one in found] == [30, round(30 * found[0].tokens / found[1].tokens), 30]
    assert all(one.qualities[0].numbers == 6 for one in found)
    with pytest.raises(SimonidesError, match="name each once"):
        compare_encodings(houses(60), "price", ["xval", "xval"], config)
    with pytest.raises(SimonidesError, match="part into"):
        PredictorConfig(d=10, heads=4)


def test_the_command_trains_predicts_and_compares(simonides, tmp_path):
    file = tmp_path / "houses.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in houses(80)))
    small = ["--steps", 20, "--d", 8, "--layers", 1, "--quiet"]
    code, out, err = simonides("numbers", "train", file, "--mask", "price", "--out", tmp_path / "model", *small)
    assert code == 0, err
    assert "price (8 numbers): root mean square error" in out and "the training's mean" in out
    new = tmp_path / "new.jsonl"
    new.write_text('{"kind": "red", "size": [3, 4], "price": null}\n')
    code, out, _ = simonides("numbers", "predict", tmp_path / "model", new)
    assert code == 0 and out.startswith("row 1  price = ")
    code, out, _ = simonides("numbers", "predict", tmp_path / "model", new, "--json")
    assert json.loads(out)["numbers"][0]["given"] is None
    filled = tmp_path / "filled.jsonl"
    assert simonides("numbers", "predict", tmp_path / "model", new, "--out", filled)[0] == 0
    assert json.loads(filled.read_text())["path"] == "price"
    code, _, err = simonides("numbers", "predict", tmp_path / "model", new, "--out", filled)
    assert code == 2 and "exists already" in err
    code, out, err = simonides(
        "numbers",
        "compare",
        file,
        "--mask",
        "price",
        "--encodings",
        "xval,p1000",
        "--out",
        tmp_path / "page",
        *small,
    )
    assert code == 0, err
    page = (tmp_path / "page" / "index.html").read_text()
    assert "p1000" in page and (tmp_path / "page" / "errors.csv").exists()
    code, _, err = simonides("numbers", "train", file, "--mask", "price", "--out", tmp_path / "model", *small)
    assert code == 2 and "holds something already" in err

import json


def test_strings_of_different_lengths_are_counted(simonides):
    code, out, _ = simonides("count", "[0][101]0[1]1[]0", "[1]0[11]", "--report", 20)
    assert code == 0
    assert "[0][101]0[1]1[]0: 0, 2, 1, 0  (right)" in out
    assert "[1]0[11]: 1, 2  (right)" in out
    assert "compares with beginning" in out


def test_json_has_answers_and_report(simonides):
    code, out, _ = simonides("count", "[11]", "--bias", "]", "--report", 20, "--json")
    found = json.loads(out)
    assert code == 0
    # it compares with the ] of four regions, and finds one: four times too many
    assert found["asked"] == [{"string": "[11]", "answers": [8, 0, 0, 0], "counts": [2, -1, -1, -1]}]
    shift = found["report"]["readers"][0]["shifts"]["one region fewer"]
    assert abs(shift["slope_by_attention"] - 4 / 3) < 1e-6


def test_a_training_writes_its_page_and_goes_on(tmp_path, simonides, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("count", "--train", 30, "--length", 12, "--regions", 1, "--d", 16, "--runs", 2, "--report", 20)
    code, first, _ = simonides(*words)
    assert code == 0
    folder = tmp_path / "counting-12-1"
    assert {"index.html", "counter.safetensors", "counter.json", "regions.csv"} <= {
        p.name for p in folder.iterdir()
    }
    assert "Mean answer against the count" in (folder / "index.html").read_text()
    weights = (folder / "counter.safetensors").read_bytes()
    # the same command finds the training done, and gives the same counter
    code, again, _ = simonides(*words)
    assert (code, again) == (0, first)
    assert (folder / "counter.safetensors").read_bytes() == weights
    # another counter is not written over it
    code, _, err = simonides(*words, "--seed", 1)
    assert code == 2
    assert "holds another counter, made with seed = 0 and not 1" in err
    assert (folder / "counter.safetensors").read_bytes() == weights


def test_all_counts_of_a_string_can_be_answered(simonides):
    string = "[" + "1" * 62 + "]"
    code, out, _ = simonides("count", string, "--regions", 1, "--report", 20)
    assert code == 0
    assert f"{string}: 62  (right)" in out


def test_the_largest_seed_is_taken(tmp_path, simonides):
    words = ("count", "--train", 2, "--length", 12, "--regions", 1, "--d", 8, "--runs", 3, "--report", 10)
    code, _, err = simonides(*words, "--seed", 2**63 - 1, "--out", tmp_path / "new")
    assert (code, err) == (0, "")

"""`simonides frequency`: a text, a table, a training, and its page."""

import json

import pytest
import torch

from simonides.base import SimonidesError
from simonides.papers.imbalance.frequency_page import write_frequencies
from simonides.papers.imbalance.meter import FrequencyHistory


def test_a_text_is_reported(tmp_path, simonides):
    (tmp_path / "text.txt").write_text("the cat and the dog and the hat. " * 40)
    code, out, _ = simonides("frequency", tmp_path / "text.txt", "--bins", 2)
    assert code == 0
    assert "360 samples of 6 classes" in out and "Zipf's exponent" in out and "classes of each bin: 2, 4" in out


def test_a_column_of_a_table_is_counted(tmp_path, simonides):
    (tmp_path / "table.csv").write_text("id,kind\n" + "".join(f"{n},{'ab'[n % 4 == 0]}\n" for n in range(40)))
    code, out, _ = simonides("frequency", tmp_path / "table.csv", "--column", "kind", "--json")
    assert code == 0
    report = json.loads(out)["report"]
    assert (report["samples"], report["classes"]) == (40.0, 2)
    assert report["median_ratio"] == 1.0


def test_a_training_writes_its_page(tmp_path, simonides):
    out = tmp_path / "page"
    words = ("--train", 6, "--most", 50, "--d", 8, "--layers", 1, "--batch", 4, "--length", 8)
    code, text, err = simonides("frequency", *words, "--rates", "0.01,0.1", "--methods", "gd,adam", "--out", out)
    assert code == 0
    assert "gd: loss" in text and "adam: loss" in text
    assert "end of the grid" in err
    page = (out / "index.html").read_text()
    assert "gradient descent" in page and page.count("<svg") == 4
    assert {"bins.csv", "losses.csv", "rates.csv"} <= {path.name for path in out.iterdir()}


def test_ones_own_trainings_are_drawn(tmp_path):
    histories = {}
    for name in ("Adam", "SGD"):
        history = FrequencyHistory(["bin_0", "bin_1"])
        history.append(10, {"loss/bin_0": 1.0})
        history.append(20, {"loss/bin_0": 0.5, "loss/bin_1": 2.0})
        histories[name] = history
    index = write_frequencies(tmp_path / "page", "Mine", histories, torch.tensor([5, 1]))
    assert index.read_text().count("<svg") == 3
    histories["other"] = FrequencyHistory(["bin_0"])
    with pytest.raises(SimonidesError, match="nothing was read of 'other'"):
        write_frequencies(tmp_path / "page", "Mine", histories)
    histories["other"].append(1, {"loss/bin_0": 1.0})
    with pytest.raises(SimonidesError, match="different numbers of bins"):
        write_frequencies(tmp_path / "page", "Mine", histories)
    with pytest.raises(SimonidesError, match="nothing to show"):
        write_frequencies(tmp_path / "page", "Mine", {})

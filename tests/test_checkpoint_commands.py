"""pretrain, inspect and truncate as a stranger uses them, on a model trained in a second."""

import json

import pytest
import torch
from safetensors.torch import load_file

from simonides.checkpoints import load_factors, open_checkpoint
from simonides.cli import main
from simonides.probes import decompose, matrix_of

pytest.importorskip("tokenizers", reason="needs the package tokenizers")


def simonides(*arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return stopped.value.code or 0, out.out, out.err


SIZES = ("--d", "16", "--heads", "2", "--length", "16", "--batch", "4", "--every", "5")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    text = folder / "text.txt"
    text.write_text("the cat sat on the mat. the dog sat on the log. <b>& abcdefghij" * 30)
    with pytest.raises(SystemExit) as stopped:
        main(["pretrain", str(folder / "lm"), "--text", str(text), "--steps", "10", *SIZES])
    assert not stopped.value.code
    return folder / "lm", text


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "q.csv"
    path.write_text("prompt,answer\n" + "".join(f"the {n} sat,on\n" for n in "abcdefghij"))
    return path


def test_a_training_goes_on_or_says_what_is_there(small, capsys):
    folder, text = small
    assert sorted(p.name for p in folder.glob("step-*")) == ["step-000000", "step-000005", "step-000010"]
    again = ("pretrain", folder, "--text", text, *SIZES)
    code, out, _ = simonides(*again, "--steps", "15", capsys=capsys)
    assert code == 0 and "15 steps" in out
    code, _, err = simonides(*again, "--rate", "0.1", capsys=capsys)
    assert code == 2 and "holds a training with rate = 0.004, not 0.1" in err


def test_a_training_is_inspected_step_by_step(small, tmp_path, capsys):
    folder, text = small
    code, out, err = simonides("inspect", folder, "--out", tmp_path / "i", "--length", "6", capsys=capsys)
    assert code == 0, err
    assert "induction" in out and "predicted" in out
    page = (tmp_path / "i" / "index.html").read_text()
    assert "along training" in page and "<b>&" not in page
    steps = (tmp_path / "i" / "history.csv").read_text().splitlines()
    assert steps[0].startswith("step,induction,previous,repeated") and len(steps) >= 4
    heads = (tmp_path / "i" / "heads.csv").read_text().splitlines()
    assert len(heads) == 1 + 2 * 2
    spectra = load_file(tmp_path / "i" / "spectra.safetensors")
    assert spectra["output_values"].shape == (2, 2, 8)
    last = max(folder.glob("step-*"))
    code, out, err = simonides("inspect", last, "--out", tmp_path / "j", "--text", text, "--json", capsys=capsys)
    assert code == 0, err
    assert json.loads(out)["history"] is None


def test_a_truncated_checkpoint_is_the_one_that_was_judged(small, tmp_path, questions, capsys):
    folder = small[0] / "step-000010"
    options = ("--layers", "1", "--matrix", "W_in,W_O", "--rank", "3", "--questions", questions, "--controls", "1")
    out = tmp_path / "cut"
    code, text, err = simonides(
        "truncate", folder, *options, "--save", "checkpoint", "--out", out, "--text", small[1], capsys=capsys
    )
    assert code == 0, err
    assert "layer 1 W_in: rank 3 of 16" in text
    whole, cut = open_checkpoint(folder), open_checkpoint(out / "checkpoint")
    for name in ("W_in", "W_O"):
        parts = decompose(matrix_of(whole, 1, name))
        torch.testing.assert_close(matrix_of(cut, 1, name), parts.at_rank(3), atol=1e-6, rtol=1e-5)
    assert torch.equal(matrix_of(cut, 0, "W_in"), matrix_of(whole, 0, "W_in"))
    found = json.loads((out / "truncation.json").read_text())
    # the file judged alone says the same
    code, text, err = simonides(
        "truncate",
        out / "checkpoint",
        *options,
        "--text",
        small[1],
        "--json",
        "--out",
        tmp_path / "b",
        capsys=capsys,
    )
    again = json.loads(text)["untouched"]
    assert again["perplexity"] == pytest.approx(found["truncated"]["perplexity"], rel=1e-5)
    assert again["accuracy"] == found["truncated"]["accuracy"]
    code, _, err = simonides("truncate", folder, *options, "--save", "checkpoint", "--out", out, capsys=capsys)
    assert code == 2 and "holds something already" in err


def test_factors_are_written(small, tmp_path, capsys):
    folder = small[0] / "step-000010"
    code, text, err = simonides(
        "truncate",
        folder,
        "--energy",
        "0.5",
        "--save",
        "factors",
        "--out",
        tmp_path,
        "--text",
        small[1],
        capsys=capsys,
    )
    assert code == 0, err
    assert "numbers in place of" in text
    assert set(load_factors(tmp_path / "factors.safetensors")) == {(0, "W_in"), (1, "W_in")}


def test_a_search_reports_on_other_questions(small, tmp_path, questions, capsys):
    code, text, err = simonides(
        "truncate", small[0] / "step-000010", "--search", "--questions", questions, "--matrix", "feed-forward",
        "--shares", "0,0.5", "--compose", "--text", small[1], "--out", tmp_path / "out", capsys=capsys,
    )  # fmt: skip
    assert code == 0, err
    assert "chosen on 2 questions, reported on the other 8" in text and "composed" in text
    assert len((tmp_path / "out" / "edits.csv").read_text().splitlines()) == 1 + 2 * 2 * 2
    assert "Truncating step-000010" in (tmp_path / "out" / "index.html").read_text()


def test_a_wrong_option_leaves_the_folder_free(tmp_path, small, capsys):
    folder = tmp_path / "new"
    code, _, err = simonides(
        "pretrain", folder, "--text", small[1], "--repeated", "2", "--steps", "5", *SIZES, capsys=capsys
    )
    assert code == 2 and "is no share" in err
    code, _, err = simonides("pretrain", folder, "--text", small[1], "--steps", "5", *SIZES, capsys=capsys)
    assert code == 0, err
    (small[1].parent / "other.txt").write_text(small[1].read_text().upper())
    again = ("pretrain", folder, "--steps", "5", *SIZES)
    code, _, err = simonides(*again, "--text", small[1].parent / "other.txt", capsys=capsys)
    assert code == 2 and "holds a training with text" in err


def test_the_steps_of_a_training_are_not_one_model(small, capsys):
    code, _, err = simonides("truncate", small[0], "--rank", "2", capsys=capsys)
    assert code == 2 and "give one, such as" in err

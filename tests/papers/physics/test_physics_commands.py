"""The commands as a stranger uses them, from data to a page."""

import json

import pytest
import torch

pytest.importorskip("h5py")
pytest.importorskip("yaml")

SMALL = ("--cells", 16, "--frames", 9, "--trajectories", 10, "--quiet")
TRAINING = ("--size", "micro", "--patch", 4, "--batch", 2, "--quiet", "--device", "cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folders of The Well of two systems."""
    from simonides.cli import main

    folder = tmp_path_factory.mktemp("data")
    for system in ("shallow-water", "diffusion-reaction"):
        with pytest.raises(SystemExit) as stopped:
            main(["physics", "simulate", system, "--out", str(folder / system), *map(str, SMALL)])
        assert stopped.value.code == 0
    return folder


def test_from_data_to_a_page(data, tmp_path, simonides):
    water, reaction = data / "shallow-water", data / "diffusion-reaction"
    code, out, _ = simonides("physics", "inspect", water, "--out", tmp_path / "inspection")
    assert code == 0 and "height: " in out and "8 trajectories of 9 frames, 16 x 16 cells, open" in out
    assert "<svg" in (tmp_path / "inspection" / "index.html").read_text()
    pretrained = tmp_path / "pretrained"
    code, out, _ = simonides("physics", "pretrain", water, "--steps", 6, "--out", pretrained, *TRAINING)
    assert code == 0 and "shallow-water: NRMSE " in out
    tuned = tmp_path / "tuned"
    code, out, error = simonides(
        *("physics", "finetune", pretrained, reaction, "--steps", 4, "--out", tuned, "--quiet", "--json")
    )
    assert code == 0, error
    told = json.loads(out)
    assert set(told["scores"]) == {"diffusion-reaction"}
    page = tmp_path / "page"
    words = ("physics", "rollout", tuned, reaction, "--steps", 3, "--split", "valid", "--out", page, "--json")
    code, out, _ = simonides(*words)
    (row,) = json.loads(out)["rollouts"]
    assert code == 0 and row["system"] == "diffusion-reaction" and len(row["model"]) == 3
    text = (page / "index.html").read_text()
    assert "film-diffusion-reaction.gif" in text
    assert (page / "film-diffusion-reaction.gif").read_bytes().startswith(b"GIF8")


def test_a_training_is_gone_on_with_and_never_overwritten(data, tmp_path, simonides):
    words = ("physics", "pretrain", data / "shallow-water", *TRAINING, "--out", tmp_path / "out", "--steps")
    assert simonides(*words, 4)[0] == 0
    code, _, error = simonides(*words, 4)
    assert code == 2 and "holds a model already" in error
    (tmp_path / "out" / "model" / "config.json").unlink()
    (tmp_path / "out" / "model" / "model.safetensors").unlink()
    (tmp_path / "out" / "model").rmdir()
    code, _, error = simonides(*words, 6)
    assert code == 2 and "holds a training with steps = 4, not 6" in error
    assert simonides(*words, 4)[0] == 0


def test_baselines_stand_beside_the_model(data, tmp_path, simonides):
    words = ("physics", "pretrain", data / "shallow-water", *TRAINING, "--steps", 3, "--out", tmp_path / "out")
    code, out, error = simonides(*words, "--baselines", "linear,unet,fno", "--json")
    assert code == 0, error
    found = json.loads(out)["baselines"]["shallow-water"]
    assert set(found) == {"linear", "unet", "fno"}
    assert all(0 < value < 10 for value in found.values())


def test_data_are_converted(tmp_path, simonides):
    import numpy as np

    values = torch.randn(10, 4, 2, 8, 8, generator=torch.Generator().manual_seed(0)).numpy()
    np.savez(tmp_path / "own.npz", values=values, fields=np.array(["u", "v"]))
    out = tmp_path / "own"
    code, said, error = simonides(
        *("physics", "convert", tmp_path / "own.npz", out, "--boundaries", "wall", "--system", "mine", "--quiet")
    )
    assert code == 0 and "data: " in said, error
    code, said, _ = simonides("physics", "inspect", out, "--json")
    sources = json.loads(said)["sources"]
    assert code == 0 and {one["split"]: one["trajectories"] for one in sources} == {
        "train": 8,
        "valid": 1,
        "test": 1,
    }
    (out / "stats.yaml").unlink()
    assert simonides("physics", "inspect", out, "--write-statistics")[0] == 0
    assert (out / "stats.yaml").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("simulate", "water", "--out", "OUT"), "system 'water' is unknown"),
        (("simulate", "shallow-water", "--out", "OUT", "--cells", 4), "cells = 4 is too small"),
        (("simulate", "compressible", "--out", "OUT", "--set", "mach"), "not of the form NAME=VALUE"),
        (("simulate", "compressible", "--out", "OUT", "--set", "match=1"), "did you mean 'mach'"),
        (("simulate", "compressible", "--out", "OUT", "--set", "mach=nan"), "mach"),
        (("inspect", "NOWHERE"), "does not exist"),
        (("pretrain", "NOWHERE", "--out", "OUT"), "does not exist"),
        (("pretrain", "WATER", "--out", "OUT", "--patch", 16), "more than one patch"),
        (("pretrain", "WATER", "WATER", "--out", "OUT"), "is given twice"),
        (("pretrain", "WATER", "--out", "OUT", "--stride", 50), "smaller stride"),
        (("pretrain", "WATER", "--out", "OUT", "--steps", 0), "steps = 0"),
        (("pretrain", "WATER", "--out", "OUT", "--baselines", "cnn"), "baseline 'cnn'"),
        (("finetune", "WATER", "WATER", "--out", "OUT"), "holds no model"),
        (("rollout", "WATER", "WATER", "--out", "OUT"), "holds no model"),
    ],
)
def test_what_is_refused(words, message, data, tmp_path, simonides):
    places = {"WATER": data / "shallow-water", "NOWHERE": tmp_path / "nowhere", "OUT": tmp_path / "out"}
    # nothing is trained where a refusal fails to come
    short = ("--steps", 1, "--size", "micro") if words[0] == "pretrain" and "--steps" not in words else ()
    code, out, error = simonides("physics", *(places.get(word, word) for word in words), *short)
    assert code == 2 and message in error, error
    assert out == "" and not (tmp_path / "out" / "model").exists()
    assert "Traceback" not in error


@pytest.mark.slow
def test_the_demo(tmp_path, simonides):
    code, out, error = simonides("physics", "demo", "--out", tmp_path / "demo", "--quiet")
    assert code == 0, error
    assert "page: " in out
    assert len(list((tmp_path / "demo").glob("film-*.gif"))) == 4

"""Wrong inputs to every command: a message that names them, exit code 2, no traceback, nothing written."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import save_file

from simonides.checkpoints import neox_config, save_step, small_language_model
from simonides.cli import main
from simonides.data import text_of
from wrong_inputs import WRONG

pytest.importorskip("tokenizers", reason="needs the package tokenizers")
CONTENT = "the cat sat on the mat. the dog sat on the log." * 20


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Files and folders that are wrong, each in its way, by the names used below."""
    folder = tmp_path_factory.mktemp("bad")
    text = text_of(CONTENT)
    config = neox_config(len(text.characters), d=16, layers=2, heads=2, length=16)
    model = small_language_model(config, torch.Generator().manual_seed(0))
    save_step(model, text, folder / "CHECKPOINT")
    for name in ("HALF", "LIES", "NOCONFIG", "BADCONFIG", "NOTOKENS"):
        save_step(model, text, folder / name)
    (folder / "HALF" / "model.safetensors").write_bytes(
        (folder / "CHECKPOINT" / "model.safetensors").read_bytes()[:5000]
    )
    header = b'{"W":{"dtype":"F32","shape":[9999999,9999999],"data_offsets":[0,4]}}'
    (folder / "LIES" / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    (folder / "NOCONFIG" / "config.json").unlink()
    (folder / "BADCONFIG" / "config.json").write_text(json.dumps({**config, "num_attention_heads": "two"}))
    (folder / "NOTOKENS" / "tokenizer.json").write_text("{}")
    (folder / "NAN").mkdir()
    for path in (folder / "CHECKPOINT").iterdir():
        (folder / "NAN" / path.name).write_bytes(path.read_bytes())
    from safetensors.torch import load_file

    whole = load_file(folder / "NAN" / "model.safetensors")
    whole["gpt_neox.layers.1.mlp.dense_h_to_4h.weight"][0, 0] = torch.nan
    save_file(whole, folder / "NAN" / "model.safetensors")
    (folder / "FOREIGN").mkdir()
    (folder / "FOREIGN" / "config.json").write_text('{"model_type": "mamba"}')
    (folder / "PICKLED").mkdir()
    (folder / "PICKLED" / "config.json").write_text(json.dumps(config))
    (folder / "PICKLED" / "pytorch_model.bin").write_bytes(b"")
    (folder / "FAKE.gguf").write_bytes(b"GGUF" + (3).to_bytes(4, "little") + (2**62).to_bytes(8, "little") * 2)
    (folder / "TEXT").write_text(CONTENT)
    (folder / "SHORT").write_text("a")
    (folder / "EMPTY.csv").write_text("")
    (folder / "HEADER.csv").write_text("subject,attribute\n")
    (folder / "WIDE.csv").write_text("a,b,c,d\n1,2,3,4\n")
    (folder / "TWICE.csv").write_text("a,1\nb,2\na,3\n")
    (folder / "HOLE.csv").write_text("a,1\nb,\n")
    (folder / "LATIN.csv").write_bytes("Perú,Lima\n".encode("latin-1"))
    (folder / "FOLDER.csv").mkdir()
    (folder / "LOOP.csv").symlink_to(folder / "LOOP.csv")
    (folder / "GONE.csv").symlink_to(folder / "nowhere")
    (folder / "BAD.jsonl").write_text("[1]\n")
    (folder / "BROKEN.py").write_text("claim = ")
    for name in ("a b.py", "...py"):
        (folder / name).write_text("claim = 3")
    (folder / "OTHERS").mkdir()
    (folder / "OTHERS" / "thesis.txt").write_text("the only copy")
    for name, number in (("STORE", 1), ("LATER", 99)):
        (folder / name).mkdir()
        (folder / name / "simonides-store.json").write_text(json.dumps({"format": number, "id": "x"}))
    (folder / "FILE").write_text("a file where a folder is wanted")
    os.mkfifo(folder / "PIPE.csv")
    (folder / "THREE.csv").write_text("country,capital,type\nPeru,Lima,c\nChile,Santiago,c\n")
    (folder / "OBJECT.json").write_text('{"a": 1}')
    (folder / "DEEP.json").write_text("[" * 100_000)
    (folder / "HALFCHAR.jsonl").write_text('{"key": "a", "answer": "\\ud800"}')
    (folder / "Q.csv").write_text("prompt,answer\nthe cat,sat\nthe dog,sat\n")
    (folder / "RELATIONS.tsv").write_text("subject\trelation\tattribute\na\tr\tb\n")
    (folder / "STRANGE.csv").write_text("prompt,answer\n\u4e2d,\u6587\n")
    _damaged_checkpoints(folder, config)
    return folder


def _damaged_checkpoints(folder, config):
    for name in ("HUGE", "LAYERS", "ABSENT", "PIPED", "OUTSIDE"):
        shutil.copytree(folder / "CHECKPOINT", folder / name)
    (folder / "HUGE" / "config.json").write_text(json.dumps({**config, "hidden_size": 10**30}))
    (folder / "LAYERS" / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2**40}))
    for name, part in (("ABSENT", "model-2.safetensors"), ("OUTSIDE", "../CHECKPOINT/model.safetensors")):
        (folder / name / "model.safetensors").unlink()
        index = folder / name / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": {"a": part}}))
    (folder / "PIPED" / "model.safetensors").unlink()
    os.mkfifo(folder / "PIPED" / "model.safetensors")


BAD = [
    (["run", "memories/linear-capacitiy"], "did you mean 'memories/linear-capacity'"),
    (["run", "none.py"], "does not exist"),
    (["run", "memories", "--workers", "-1"], "--workers = -1 is too small"),
    (["run", "memories/linear-capacity", "--dd", "9"], "did you mean 'd'?"),
    (["run", "memories/linear-capacity", "--d"], "cannot read"),
    (["run", "memories/linear-capacity", "9", "8"], "cannot read"),
    (["status", "memories", "--d", "9"], "unknown argument '--d'"),
    (["verdict", "nothing"], "no claim or paper is called 'nothing'"),
    (["show", "memories/none"], "no claim or paper"),
    (["cite", ""], "no claim or paper"),
    (["recall", "none.csv"], "does not exist"),
    (["recall", "planets"], "table 'planets' is unknown"),
    (["recall", "element-symbol", "--d", "0"], "d = 0 is too small"),
    (["recall", "element-symbol", "golb"], "did you mean 'gold'"),
    (["recall", "element-symbol", "--top", "0"], "top = 0 is too small"),
    (["recall", "element-symbol", "--d", "5", "--embedding", "one_hot"], "do not fit in d = 5"),
    (["recall", "element-symbol", "--d", "three"], "invalid"),
    (["run", "memories", "--scale", "huge"], "invalid choice"),
    (["reprot"], "command 'reprot' is unknown; did you mean 'report'"),
    (["truncate", "CHECKPOINT"], "give one of --rank, --share and --energy, got none"),
    (["truncate", "CHECKPOINT", "--rank", "2", "--share", "0.5"], "got rank, share"),
    (["truncate", "CHECKPOINT", "--share", "1.5"], "is no share"),
    (["truncate", "CHECKPOINT", "--rank", "99", "--text", "TEXT"], "has 16 directions"),
    (["truncate", "CHECKPOINT", "--rank", "-1"], "too small"),
    (["truncate", "CHECKPOINT", "--rank", "2", "--layers", "7"], "there are 2"),
    (["truncate", "CHECKPOINT", "--rank", "2", "--matrix", "W_up"], "names none of this model"),
    (["truncate", "CHECKPOINT", "--search"], "needs --questions"),
    (["truncate", "CHECKPOINT", "--search", "--questions", "nothing"], "are no file and no table"),
    (["truncate", "CHECKPOINT", "--rank", "2", "--compose"], "belongs to --search"),
    (["truncate", "CHECKPOINT", "--rank", "2"], "parts that the tokenizer does not know"),
    (["truncate", "CHECKPOINT", "--rank", "2", "--text", "nowhere.txt"], "does not exist"),
    (
        ["truncate", "CHECKPOINT", "--svd", "random", "--share", "0.9", "--text", "TEXT"],
        "a quarter of the rank",
    ),
    (["truncate", "nowhere", "--rank", "2"], "does not exist"),
    (["inspect", "nowhere"], "does not exist"),
    (["inspect", "CHECKPOINT", "--sequences", "1"], "too small"),
    (["pretrain", "OUT", "--rate", "0"], "makes no sense"),
    (["pretrain", "OUT", "--rate", "1e300"], "makes no sense"),
    (["recall", "country-capital", "--steps", "5"], "--steps are of a training"),
    (["pretrain", "OUT", "--d", "20"], "multiple of 8"),
    (["pretrain", "OUT", "--text", "nowhere.txt"], "does not exist"),
    (["run", "BROKEN.py"], "line 1"),
    (["run", "induction/depth,nothing"], "no claim or paper is called 'nothing'"),
    (["run", "memories", "--engine", "kubernetes"], "invalid choice"),
    (["run", "memories", "--minutes", "5"], "is no option of the engine local"),
    (["run", "memories/linear-capacity", "--d", "1e999"], "no int"),
    (["run", "memories/linear-capacity", "--store", "FILE"], "is a file"),
    (["report", "memories/linear-capacity"], "store simonides-store does not exist"),
    (["report", "memories/linear-capacity", "--store", "STORE", "--out", "FILE"], "FILE is a file"),
    (
        ["report", "memories/linear-capacity", "--store", "STORE", "--out", "OTHERS"],
        "did not write, such as thesis.txt",
    ),
    (["run", "memories/linear-capacity", "--store", "LATER"], "has the format 99"),
    (["inspect", "CHECKPOINT", "--out", "OTHERS"], "did not write, such as thesis.txt"),
    (["truncate", "CHECKPOINT", "--rank", "2", "--out", "OTHERS"], "did not write, such as thesis.txt"),
    (["pretrain", "OTHERS"], "did not write, such as thesis.txt"),
    (["explore", "--out", "TEXT"], "is no page of simonides"),
    (["explore", "--out", "OTHERS"], "is no page of simonides"),
    (["run", "a b.py"], "letters, digits"),
    (["run", "...py"], "letters, digits"),
    (["status", "memories", "--scale", "tiny"], "invalid choice"),
    (["list", "--colour"], "unknown argument"),
    (["recall", "EMPTY.csv"], "holds no rows"),
    (["recall", "HEADER.csv"], "holds a header and no rows"),
    (["recall", "WIDE.csv"], "4 columns where 2"),
    (["recall", "TWICE.csv"], "came in row 1 already"),
    (["recall", "HOLE.csv"], "is empty; fill it in"),
    (["recall", "LATIN.csv"], "is not UTF-8"),
    (["recall", "FOLDER.csv"], "is a folder"),
    (["recall", "LOOP.csv"], "LOOP.csv"),
    (["recall", "GONE.csv"], "does not exist"),
    (["recall", "PIPE.csv"], "no regular file"),
    (["recall", "TEXT", "--delimiter", ";;"], "is not one character"),
    (["recall", "element-symbol", "--d", "1000000"], "GB this machine has"),
    (["recall", "element-symbol", "--d", "1000000", "--model", "transformer"], "GB this machine has"),
    (["recall", "element-symbol", "--seed", "-1"], "seed = -1 is too small"),
    (["recall", "element-symbol", "--model", "transformer", "--rule", "pseudo_inverse"], "for the matrix"),
    (["inspect", "NOCONFIG"], "has no config.json"),
    (["inspect", "BADCONFIG"], "cannot be opened"),
    (["inspect", "FOREIGN"], "'mamba' is not supported"),
    (["inspect", "PICKLED"], "may run code"),
    (["inspect", "HALF"], "is damaged"),
    (["inspect", "LIES"], "is damaged"),
    (["inspect", "FAKE.gguf"], "no sound GGUF file"),
    (["inspect", "TEXT"], "is no folder"),
    (["inspect", "CHECKPOINT", "--sequences", "1000000000"], "GB this machine has"),
    (["inspect", "CHECKPOINT", "--text", "SHORT"], "give a longer one"),
    (["inspect", "CHECKPOINT", "--out", "FILE"], "FILE"),
    (["truncate", "NOTOKENS", "--rank", "2"], "cannot be read"),
    (["truncate", "NAN", "--rank", "2", "--text", "TEXT"], "NaN or infinite"),
    (["truncate", "CHECKPOINT", "--energy", "2"], "outside (0, 1)"),
    (["truncate", "CHECKPOINT", "--rank", "2", "--text", "SHORT"], "no perplexity"),
    (["truncate", "CHECKPOINT", "--rank", "2", "--text", "LATIN.csv"], "is not UTF-8"),
    (["truncate", "CHECKPOINT", "--rank", "2", "--questions", "BAD.jsonl"], "row 1: list where an object"),
    (["truncate", "CHECKPOINT", "--search", "--questions", "BAD.jsonl", "--shares", "a"], "cannot be read"),
    (["pretrain", "OUT", "--steps", "0"], "steps = 0 is too small"),
    (["pretrain", "OUT", "--repeated", "2", "--text", "TEXT"], "is no share"),
    (["pretrain", "OUT", "--batch", "1000000000"], "GB this machine has"),
    (["pretrain", "OUT", "--text", "SHORT"], "give a longer one"),
    (["pretrain", "FILE", "--text", "TEXT"], "FILE"),
    (["explore", "--port", "-1"], "is no port"),
    (["explore", "--out", "FILE/page.html"], "cannot be written"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD + WRONG, ids=[" ".join(words) for words, _ in BAD + WRONG])
def test_bad_input_is_said_and_exits_with_2(arguments, message, places, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    real = {path.name: path for path in places.iterdir()}
    words = []
    for word in arguments:
        first, _, rest = word.partition("/")
        words.append(str(real[first] / rest) if first in real else word)
    before = {path: path.stat().st_size for path in places.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as stopped:
        main(words)
    out = capsys.readouterr()
    text = " ".join((out.out + out.err).replace("│", " ").replace(f"{places}/", "").split())
    assert stopped.value.code == 2, text
    assert message.lower() in text.lower()
    assert "Traceback" not in text and "error inside simonides" not in text
    assert {path: path.stat().st_size for path in places.rglob("*") if path.is_file()} == before
    assert not list(tmp_path.rglob("*.html")) and not list(tmp_path.glob("simonides-store/*/*"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("d", "0", "d = 0 is too small"),
        ("d", "9999999", "GB this machine"),
        ("facts", "99999999999", "GB this machine"),
    ],
)
def test_sizes_set_by_hand_that_measure_refuses_exit_with_2(name, value, message, tmp_path, capsys):
    words = ["run", "memories/linear-capacity", "--scale", "smoke", "--workers", "1", f"--{name}", value]
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--store", str(tmp_path / "store")])
    out = capsys.readouterr()
    assert stopped.value.code == 2
    assert message in out.err and "Traceback" not in out.err
    assert not list(tmp_path.rglob("rows.parquet"))

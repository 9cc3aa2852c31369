"""Files that lie: whatever their bytes say, a checkpoint opens or is refused in words."""

import contextlib
import json
import re

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simonides.base import SimonidesError
from simonides.checkpoints import (
    TextTokens,
    neox_config,
    open_checkpoint,
    save_step,
    small_language_model,
    supported,
)
from simonides.data import text_of

TEXT = text_of("the cat sat on the mat")
SOUND = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    config = neox_config(len(TEXT.characters), d=8, layers=1, heads=1, length=8)
    save_step(small_language_model(config, torch.Generator().manual_seed(0)), TEXT, folder / "one")
    return folder / "one", (folder / "one" / "model.safetensors").read_bytes(), config


@SOUND
@given(place=st.integers(0, 1500), bytes_=st.binary(min_size=1, max_size=12), cut=st.integers(0, 3000))
def test_safetensors_with_other_bytes(sound, place, bytes_, cut):
    folder, content, _ = sound
    changed = bytearray(content)
    changed[place : place + len(bytes_)] = bytes_
    (folder / "model.safetensors").write_bytes(bytes(changed[: len(changed) - cut]))
    with contextlib.suppress(SimonidesError):
        open_checkpoint(folder)
    (folder / "model.safetensors").write_bytes(content)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.just(2**70),
    st.floats(),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=2),
)


@SOUND
@given(data=st.data())
def test_configurations_with_other_values(sound, data):
    folder, _, config = sound
    changed = dict(config)
    for name in data.draw(st.lists(st.sampled_from(sorted(config)), min_size=1, max_size=3)):
        changed[name] = data.draw(VALUES)
    (folder / "config.json").write_text(json.dumps(changed))
    with contextlib.suppress(SimonidesError):
        open_checkpoint(folder)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("value", [2, 2**30, 2**70, 1e300, -1, 0, True, 1.0, "1", None, [1]])
def test_layers_are_counted_before_a_model_is_built(sound, value):
    folder, _, config = sound
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": value}))
    with pytest.raises(SimonidesError, match=f"num_hidden_layers = {re.escape(repr(value))}"):
        open_checkpoint(folder)
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("name", ["hidden_size", "max_position_embeddings", "vocab_size", "num_attention_heads"])
def test_no_size_has_a_hundred_digits(sound, name):
    folder, _, config = sound
    (folder / "config.json").write_text(json.dumps({**config, name: 10**100}))
    with pytest.raises(SimonidesError, match=f"{name} = 1000"):
        open_checkpoint(folder)
    (folder / "config.json").write_text(json.dumps(config))


@SOUND
@given(
    kind=st.sampled_from(sorted(supported())), entries=st.dictionaries(st.text(max_size=12), VALUES, max_size=6)
)
def test_configurations_out_of_nothing(tmp_path, kind, entries):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text(json.dumps({**entries, "model_type": kind}))
    with pytest.raises(SimonidesError):
        open_checkpoint(tmp_path)


@SOUND
@given(content=st.binary(max_size=200))
def test_gguf_files_with_any_bytes(tmp_path, content):
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + content)
    for opened in (open_checkpoint, TextTokens):
        with pytest.raises(SimonidesError):
            opened(path)


@SOUND
@given(content=st.binary(max_size=200))
def test_tokenizers_with_any_bytes(sound, content):
    folder, _, _ = sound
    path = folder / "tokenizer.json"
    before = path.read_bytes()
    path.write_bytes(content)
    with contextlib.suppress(SimonidesError):
        TextTokens(folder)
    path.write_bytes(before)

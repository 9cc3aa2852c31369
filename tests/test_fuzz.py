"""Every reader on bytes of any kind: what it makes of them is whole, or refused in words."""

import contextlib
import json

import pytest
import torch
from claim_files import write_claim
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from simonides.base import SimonidesError, read_json, read_json_object, read_text
from simonides.checkpoints import load_factors, save_factors
from simonides.cli import main
from simonides.data import read_bigrams, read_fact_table, text_words
from simonides.lab import Plan, Store, local
from simonides.training import Adam, Checkpoint, fit

UNTIMED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@UNTIMED
@given(content=st.binary(max_size=120))
def test_texts_and_tables(tmp_path, content):
    path = tmp_path / "any"
    path.write_bytes(content)
    for read in (read_text, read_json, read_json_object, read_bigrams, text_words, read_fact_table, load_factors):
        with contextlib.suppress(SimonidesError):
            read(path)


@UNTIMED
@given(place=st.integers(0, 2000), bytes_=st.binary(min_size=1, max_size=8), cut=st.integers(0, 400))
def test_factors_with_other_bytes(tmp_path, place, bytes_, cut):
    path = tmp_path / "factors.safetensors"
    save_factors({(0, "W_in"): (torch.ones(4, 2), torch.ones(2, 5))}, path)
    content = bytearray(path.read_bytes())
    place %= len(content)
    content[place : place + len(bytes_)] = bytes_
    path.write_bytes(bytes(content[: len(content) - cut]))
    with contextlib.suppress(SimonidesError):
        for left, right in load_factors(path).values():
            assert left.shape[1] == right.shape[0]


def trained(path, steps):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    fit(
        model,
        lambda m, batch: m(batch).square().mean(),
        lambda g: torch.randn(4, 3, generator=g),
        lambda p: Adam(p, 0.01),
        steps,
        torch.Generator().manual_seed(1),
        checkpoint=Checkpoint(path=path, every=2),
    )
    return model


@UNTIMED
@given(place=st.integers(0, 1200), bytes_=st.binary(min_size=1, max_size=8))
def test_training_goes_on_from_a_sound_checkpoint_alone(tmp_path, place, bytes_):
    path = tmp_path / "fit.safetensors"
    path.unlink(missing_ok=True)
    trained(path, 4)
    content = bytearray(path.read_bytes())
    whole = bytes(content)
    place %= len(content)
    content[place : place + len(bytes_)] = bytes_[: len(content) - place]
    path.write_bytes(bytes(content))
    if bytes(content) == whole:
        return
    with pytest.raises(SimonidesError, match="is damaged"):
        trained(path, 6)


@UNTIMED
@given(content=JSON | st.just({"format": 1}))
def test_marks_and_memories_of_a_store(tmp_path, content):
    store = tmp_path / "store"
    store.mkdir(exist_ok=True)
    (store / "simonides-store.json").write_text(json.dumps(content))
    with contextlib.suppress(SimonidesError):
        assert Store(store).identity is None or content["format"] == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=JSON)
def test_what_a_store_remembers_is_not_trusted(tmp_path, content):
    path, store = write_claim(tmp_path), tmp_path / "store"
    if not store.exists():
        with pytest.raises(SystemExit):
            main(["run", str(path), "--scale", "smoke", "--store", str(store), "--workers", "1", "--quiet"])
        with pytest.raises(SystemExit):
            main(["verdict", str(path), "--scale", "smoke", "--store", str(store)])
    folder = store / "local" / "noise"
    for kept in [*folder.glob("verdicts/*.json"), *folder.glob("plans/*.json")]:
        kept.write_text(json.dumps(content))
    for command in ("status", "verdict"):
        with pytest.raises(SystemExit) as stopped:
            main([command, str(path), "--scale", "smoke", "--store", str(store)])
        assert stopped.value.code in (0, None)
    point = Plan(local(path), "smoke").points[0]
    (Store(store).folder(point) / "point.json").write_text(json.dumps(content))
    assert str(Store(store).read(point)).startswith("d") or "point.json" in str(Store(store).read(point))

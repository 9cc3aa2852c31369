"""Every family: what its roles say is what the model does, edits change what they name, and saving keeps bits."""

import copy
from dataclasses import replace

import pytest
import torch

from simonides.base import SimonidesError
from simonides.checkpoints import (
    CheckpointModel,
    open_checkpoint,
    register_family,
    rewrite_checkpoint,
    save_checkpoint,
    supported,
    verify_roles,
)
from simonides.nn import Trace, as_matrix, matrix_roles, scale
from simonides.nn import replace as put
from simonides.probes import replaced
from tiny_models import ENCODERS, FAMILIES, VOCABULARY, checkpoint_model, library_model

pytest.importorskip("transformers", reason="needs the reference library, transformers")
pytestmark = pytest.mark.filterwarnings("ignore")
TOKENS = torch.randint(VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(1))
DECODERS = [name for name in FAMILIES if name not in ENCODERS]


def test_every_family_is_here():
    assert {kind for kind, _ in FAMILIES.values()} == set(supported())


@pytest.mark.parametrize("name", FAMILIES)
def test_activations_are_rebuilt_from_the_roles_alone(name):
    differences = verify_roles(checkpoint_model(name))
    assert max(differences.values()) < 1e-4
    assert {"layers.1.attention.output", "layers.1.feed_forward.output"} <= differences.keys()


@pytest.mark.parametrize("name", DECODERS)
def test_logits_are_the_models_own_wherever_they_are_read(name):
    inner = library_model(name)
    model = CheckpointModel(inner)
    whole = inner(input_ids=TOKENS, use_cache=False).logits
    at = torch.tensor([[8, 3], [0, 8]])
    some = whole.gather(1, at[..., None].expand(-1, -1, VOCABULARY))
    torch.testing.assert_close(model(TOKENS), whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model(TOKENS, at), some, rtol=1e-5, atol=1e-5)
    trace = Trace("layers.*.attention.weights")
    torch.testing.assert_close(model.run(TOKENS, at, trace), some, rtol=1e-4, atol=1e-4)
    assert trace["layers.0.attention.weights"].shape == (2, 4, 9, 9)
    assert (trace["layers.1.attention.weights"].triu(1) == 0).all()
    with model.passage(TOKENS) as passage:
        for layer in range(3):
            passage.advance(layer)
            torch.testing.assert_close(passage.finish(at), some, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_edit_changes_what_it_names_and_is_undone_to_the_bit(name):
    model = checkpoint_model(name, torch.bfloat16)
    before = copy.deepcopy(model.state_dict())
    for role in matrix_roles(model, 1):
        own = as_matrix(role, model.weight(role, 1)).clone()
        with replaced(model, {(1, role): torch.zeros_like(own)}):
            assert not model.weight(role, 1).any()
            others = [other for other in matrix_roles(model, 1) if other != role]
            assert all(model.weight(other, 1).any() for other in others)
            changed = sum(int((value != before[key]).sum()) for key, value in model.state_dict().items())
            # each number is changed once, and no other: tied parameters would be listed twice
            assert changed == int((own != 0).sum())
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_checkpoint_comes_back_to_the_same_bits(name, dtype, tmp_path):
    inner = library_model(name, dtype)
    inner.save_pretrained(tmp_path / "one")
    model = open_checkpoint(tmp_path / "one")
    assert model.weight("W_E").dtype == dtype
    before = {key: value.clone() for key, value in model.state_dict().items()}
    role = matrix_roles(model, 0)[0]
    half = as_matrix(role, model.weight(role, 0)) / 2
    with replaced(model, {(0, role): half}):
        rewrite_checkpoint(model, tmp_path / "one", tmp_path / "two")
    again = open_checkpoint(tmp_path / "two")
    assert torch.equal(as_matrix(role, again.weight(role, 0)), half)
    same = [key for key, value in again.state_dict().items() if torch.equal(value, before[key])]
    assert len(same) == len(before) - 1
    with pytest.raises(SimonidesError, match="holds something already"):
        rewrite_checkpoint(model, tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2", "bert"])
def test_interventions_change_what_follows(name):
    model = checkpoint_model(name)
    trace = Trace("layers.1.output")
    model.run(TOKENS, trace=trace)
    # what comes back unchanged leaves all as it was
    again = Trace("layers.1.output")
    model.run(TOKENS, trace=again, interventions={"layers.*.attention.weights": scale(1.0)})
    torch.testing.assert_close(again["layers.1.output"], trace["layers.1.output"], rtol=1e-4, atol=1e-5)
    for place in ("layers.0.attention.weights", "layers.0.feed_forward.hidden", "layers.0.output", "embedding"):
        changed = Trace("layers.1.output")
        model.run(TOKENS, trace=changed, interventions={place: scale(0.0)})
        assert not torch.allclose(changed["layers.1.output"], trace["layers.1.output"])
    fixed = Trace("layers.1.output")
    model.run(TOKENS, trace=fixed, interventions={"layers.1.output": put(torch.ones(()))})
    assert (fixed["layers.1.output"] == 1).all()
    with pytest.raises(SimonidesError, match=r"no activation is called 'layers\.7\.output'; there are embedding"):
        model.run(TOKENS, trace=Trace("layers.7.output"))


@pytest.mark.parametrize("name", ["bloom", "gptj"])
def test_weights_that_cannot_be_changed_are_refused(name):
    model = checkpoint_model(name)
    with pytest.raises(SimonidesError, match="can be read, not changed"):
        model.run(TOKENS, interventions={"layers.0.attention.weights": scale(0.0)})


def test_experts_go_by_number():
    model = checkpoint_model("mixtral")
    assert "W_router" in model.roles(0) and {"W_gate.3", "W_in.3", "W_out.3"} <= set(model.roles(0))
    assert model.weight("W_in.2", 1).shape == (48, 32)


def test_a_family_that_names_the_wrong_tensor_is_refused():
    from simonides.checkpoints import LLAMA, by_heads

    wrong = replace(LLAMA, weights={**LLAMA.weights, "W_V": by_heads("self_attn.k_proj.weight", "V")})
    register_family("llama", wrong)
    try:
        with pytest.raises(
            SimonidesError, match=r"does something that its roles do not tell: layers\.0\.attention\.out"
        ):
            open_checkpoint(library_model("llama"))
    finally:
        register_family("llama", LLAMA)


def test_a_model_that_does_more_than_its_family_says_is_refused():
    inner = library_model("llama")
    inner.model.layers[1].mlp.register_forward_hook(lambda module, given, output: output * 1.5)
    with pytest.raises(SimonidesError, match=r"layers\.1\.output"):
        open_checkpoint(inner)


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("olmo", {"clip_qkv": 1.0}),
        ("phi", {"qk_layernorm": True}),
        ("stablelm", {"qk_layernorm": True}),
        ("opt", {"do_layer_norm_before": False}),
    ],
)
def test_settings_that_no_role_tells_are_refused(kind, entry):
    import transformers

    _, settings = FAMILIES[kind]
    config = transformers.AutoConfig.for_model(kind, vocab_size=VOCABULARY, **{**settings, **entry})
    with pytest.raises(SimonidesError, match="is not supported"):
        CheckpointModel(transformers.AutoModelForCausalLM.from_config(config))


def test_a_head_alone_is_told_what_is_missing():
    import transformers

    config = library_model("llama").config
    with pytest.raises(SimonidesError, match="as AutoModelForCausalLM opens it"):
        CheckpointModel(transformers.AutoModel.from_config(config))


def test_a_toy_is_saved_by_its_own_means(tmp_path):
    model = checkpoint_model("llama")
    assert save_checkpoint(model, tmp_path / "new").joinpath("model.safetensors").exists()

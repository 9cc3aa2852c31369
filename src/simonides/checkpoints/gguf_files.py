"""GGUF files as checkpoints: Llama-like decoders, dequantised one tensor at a time (extra `checkpoints`).

The file's own names are turned into those of a Hugging Face folder, so that one layout serves both. Its queries
and keys have rows in pairs (2 i, 2 i + 1) for the rotation, and are put back into halves.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from simonides.base import SimonidesError
from simonides.checkpoints.layouts import Read

_WHOLE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_LAYER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


@contextmanager
def opened(path: Path) -> Iterator[tuple[dict[str, Any], set[str], Read]]:
    """The configuration, tensor names and a reader of a GGUF file, all as of a Llama folder.

    Raises:
        SimonidesError: when the package gguf is missing, the file is damaged, or no Llama.
    """
    file = _reader(path)
    from gguf import dequantize

    found = {tensor.name: tensor for tensor in file.tensors}
    fields = _contents(path, file, lambda name: not name.startswith("tokenizer."))
    if "rope_freqs.weight" in found or fields.get("llama.rope.scaling.type", "none") != "none":
        raise SimonidesError(f"{path} has scaled rotary positions, which are not supported.")
    config = _config(path, fields, "output.weight" in found)
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}

    def read(name: str) -> Tensor | None:
        own = _own_name(name)
        tensor = found.get(own)
        if tensor is None:
            return None
        weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        part = own.split(".")[-2]
        if part not in heads:
            return weight
        turned = weight.unflatten(0, (heads[part], -1, 2))
        return turned.transpose(1, 2).reshape(weight.shape)

    yield config, {_folder_name(name) for name in found}, read


def fields_of(path: Path, prefix: str) -> dict[str, Any]:
    """The entries of a GGUF file whose names begin so.

    Raises:
        SimonidesError: as `opened`.
    """
    return _contents(path, _reader(path), lambda name: name.startswith(prefix))


def _reader(path: Path) -> Any:
    try:
        from gguf import GGUFReader
    except ImportError:
        raise SimonidesError(
            "GGUF files need the package gguf; run: pip install 'simonides[checkpoints]'"
        ) from None
    if not path.is_file():
        raise SimonidesError(f"{path} is no file; give a GGUF file or the folder of a checkpoint.")
    try:
        return GGUFReader(path)
    except Exception as error:  # the reader trusts its file and fails in many ways
        raise SimonidesError(f"{path} is no sound GGUF file ({type(error).__name__}: {error}).") from None


def _contents(path: Path, file: Any, wanted: Callable[[str], bool]) -> dict[str, Any]:
    try:
        return {name: field.contents() for name, field in file.fields.items() if wanted(name)}
    except Exception as error:
        raise SimonidesError(f"{path} is no sound GGUF file ({type(error).__name__}: {error}).") from None


def _own_name(name: str) -> str:
    if name in _WHOLE:
        return _WHOLE[name]
    _, _, number, rest = name.split(".", 3) if name.startswith("model.layers.") else ("", "", "", name)
    part, _, kind = rest.rpartition(".")
    return f"blk.{number}.{_LAYER.get(part, part)}.{kind}"


def _folder_name(own: str) -> str:
    whole = {theirs: name for name, theirs in _WHOLE.items()}
    parts = {theirs: name for name, theirs in _LAYER.items()}
    if own in whole or not own.startswith("blk."):
        return whole.get(own, own)
    _, number, part, kind = own.split(".", 3) if own.count(".") == 3 else ("", "", own, "")
    return f"model.layers.{number}.{parts.get(part, part)}.{kind}"


def _config(path: Path, fields: dict[str, Any], untied: bool) -> dict[str, Any]:
    kind = fields.get("general.architecture")
    if kind != "llama":
        raise SimonidesError(f"{path} holds a {kind!r}; of GGUF files only Llama-like ones are supported.")
    try:
        d, heads = fields["llama.embedding_length"], fields["llama.attention.head_count"]
        return {
            "model_type": "llama",
            "vocab_size": fields["llama.vocab_size"],
            "hidden_size": d,
            "num_hidden_layers": fields["llama.block_count"],
            "num_attention_heads": heads,
            "num_key_value_heads": fields.get("llama.attention.head_count_kv", heads),
            "head_dim": fields.get("llama.rope.dimension_count", d // heads),
            "intermediate_size": fields["llama.feed_forward_length"],
            "rms_norm_eps": fields["llama.attention.layer_norm_rms_epsilon"],
            "rope_theta": fields.get("llama.rope.freq_base", 10_000.0),
            "max_position_embeddings": fields.get("llama.context_length", 2048),
            "hidden_act": "silu",
            "tie_word_embeddings": not untied,
        }
    except KeyError as error:
        raise SimonidesError(f"{path} lacks the entry {error}, which a Llama needs.") from None

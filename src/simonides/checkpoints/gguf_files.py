"""GGUF files as checkpoints: Llama-like decoders, dequantised one tensor at a time into a model of `transformers`.

Names and sizes come from the file's header, the forward pass is the library's. Queries and keys have rows in pairs
(2 i, 2 i + 1) for the rotation in such files, and are put back into halves.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simonides.base import SimonidesError, check_memory
from simonides.checkpoints.gguf_header import Header, TensorPlace, read_header

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


# entries of a header that are understood, or that change no number
_KNOWN = {
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "vocab_size",
}


def open_gguf(path: Path, dtype: torch.dtype | None = None) -> Any:
    """The model in a GGUF file, as a LlamaForCausalLM.

    Arguments:
        path: the file.
        dtype: of the weights in memory; float32 by default.

    Raises:
        SimonidesError: when the package gguf is missing, the file is damaged, or holds no Llama.
    """
    header = read_header(path)
    settings = _config(path, header)
    try:
        import gguf
    except ImportError:
        raise SimonidesError(
            "GGUF files need the package gguf; run: pip install 'simonides[checkpoints]'"
        ) from None
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    try:
        config = LlamaConfig(**settings)
        with torch.device("meta"):
            model = LlamaForCausalLM(config)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise SimonidesError(f"{path} describes no Llama: {error}") from None
    heads = {"attn_q": settings["num_attention_heads"], "attn_k": settings["num_key_value_heads"]}
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if settings["tie_word_embeddings"]:
        wanted.pop("lm_head.weight", None)
    names = {name: _own_name(name) for name in wanted}
    if lost := [own_name for own_name in names.values() if own_name not in header.tensors]:
        raise SimonidesError(f"{path} lacks {len(lost)} tensors of a Llama, such as {lost[0]}.")
    if strange := sorted(header.tensors.keys() - set(names.values())):
        raise SimonidesError(
            f"{path} holds {len(strange)} tensors that a Llama has no place for, such as {strange[0]}."
        )
    needed = 4.0 * sum(float(np.prod(place.shape, dtype=float)) for place in header.tensors.values())
    check_memory(f"the weights in {path} need, dequantised,", needed, "open it on a larger machine")
    raw = np.memmap(path, mode="r")
    weights: dict[str, Tensor] = {}
    for name, own_name in names.items():
        place = header.tensors[own_name]
        if place.shape != wanted[name]:
            raise SimonidesError(f"{path}: {own_name} is {place.shape}, its header tells of {wanted[name]}.")
        weight = _dequantised(path, raw, place, gguf)
        part = own_name.split(".")[-2]
        if part in heads:
            weight = weight.unflatten(0, (heads[part], -1, 2)).transpose(1, 2).reshape(weight.shape)
        weights[name] = torch.nn.Parameter(weight.to(dtype or torch.float32), requires_grad=False)
    if settings["tie_word_embeddings"]:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    model.load_state_dict(weights, assign=True)
    model.tie_weights()
    model.model.rotary_emb = LlamaRotaryEmbedding(config=config)  # its table is no weight of the file
    return model


def _dequantised(path: Path, raw: np.ndarray, place: TensorPlace, gguf: Any) -> Tensor:
    try:
        kind = gguf.GGMLQuantizationType(place.kind)
        block, size = gguf.GGML_QUANT_SIZES[kind]
        count = int(np.prod(place.shape)) // block * size
        if place.offset + count > len(raw) or place.shape[-1] % block:
            raise ValueError(f"its bytes end at {place.offset + count}, the file at {len(raw)}")
        rows = raw[place.offset : place.offset + count].reshape(*place.shape[:-1], place.shape[-1] // block * size)
        if kind in (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16):
            return torch.from_numpy(rows.view(np.float32 if kind == 0 else np.float16).astype(np.float32))
        return torch.from_numpy(np.ascontiguousarray(gguf.dequantize(rows, kind), dtype=np.float32))
    except (ValueError, KeyError, NotImplementedError) as error:
        raise SimonidesError(f"{path}: tensor {place.name} cannot be read ({error}).") from None


def _own_name(name: str) -> str:
    if name in _WHOLE:
        return _WHOLE[name]
    _, _, number, rest = name.split(".", 3)
    part, _, kind = rest.rpartition(".")
    return f"blk.{number}.{_LAYER.get(part, part)}.{kind}"


def _one_number(value: Any) -> Any:
    """The number that a list gives for every layer, where it is one number."""
    return value[0] if isinstance(value, list) and len(set(map(str, value))) == 1 else value


def _config(path: Path, header: Header) -> dict[str, Any]:
    entries = header.entries
    kind = entries.get("general.architecture")
    if kind != "llama":
        raise SimonidesError(f"{path} holds a {kind!r}; of GGUF files only Llama-like ones are supported.")
    if "rope_freqs.weight" in header.tensors or entries.get("llama.rope.scaling.type", "none") != "none":
        raise SimonidesError(f"{path} has scaled rotary positions, which are not supported in GGUF files.")
    if entries.get("split.count", 1) != 1:
        raise SimonidesError(
            f"{path} is one of {entries['split.count']} parts of a model; merge them with llama-gguf-split first."
        )
    if strange := sorted(name for name in entries if name.startswith("llama.") and name[6:] not in _KNOWN):
        raise SimonidesError(f"{path} has the entry {strange[0]} = {entries[strange[0]]!r}, which is not known.")
    try:
        d, heads = entries["llama.embedding_length"], _one_number(entries["llama.attention.head_count"])
        groups = _one_number(entries.get("llama.attention.head_count_kv", heads))
        width = entries.get("llama.attention.key_length") or d // heads
        settings = {
            "vocab_size": header.tensors["token_embd.weight"].shape[0],
            "hidden_size": d,
            "num_hidden_layers": entries["llama.block_count"],
            "num_attention_heads": heads,
            "num_key_value_heads": groups,
            "head_dim": width,
            "intermediate_size": _one_number(entries["llama.feed_forward_length"]),
            "max_position_embeddings": entries.get("llama.context_length", 2048),
        }
    except KeyError as error:
        raise SimonidesError(f"{path} lacks the entry {error}, which a Llama needs.") from None
    except (TypeError, ZeroDivisionError) as error:
        raise SimonidesError(f"{path} describes no Llama: {error}.") from None
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SimonidesError(f"{path} describes no Llama: {name} = {value!r}, expected a number from 1.")
    for name in ("attention.value_length", "rope.dimension_count"):
        if entries.get(f"llama.{name}", width) != width:
            raise SimonidesError(
                f"{path} has llama.{name} = {entries[f'llama.{name}']!r} for heads of {width} dimensions, which is not "
                "supported; of a head all turn, and keys are as wide as values."
            )
    if heads % groups or settings["num_hidden_layers"] > len(header.tensors):
        raise SimonidesError(
            f"{path} describes no Llama: {heads} heads for {groups} of keys and values, "
            f"{settings['num_hidden_layers']} layers of {len(header.tensors)} tensors."
        )
    return {
        **settings,
        "rms_norm_eps": entries.get("llama.attention.layer_norm_rms_epsilon", 1e-5),
        "rope_parameters": {"rope_type": "default", "rope_theta": entries.get("llama.rope.freq_base", 10_000.0)},
        "hidden_act": "silu",
        "tie_word_embeddings": "output.weight" not in header.tensors,
        "bos_token_id": entries.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": entries.get("tokenizer.ggml.eos_token_id"),
        "pad_token_id": None,
        "architectures": ["LlamaForCausalLM"],
    }

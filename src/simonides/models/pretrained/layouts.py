"""From names and shapes of published checkpoints to roles: GPT-NeoX and Pythia, GPT-2, GPT-J, Llama and SmolLM.

Each layout says what the architecture is, given the checkpoint's configuration, and where each weight of a layer
is to be found, one tensor at a time.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from simonides.errors import SimonidesError
from simonides.models.pretrained.network import ACTIVATIONS, Architecture

Config = Mapping[str, Any]
Read = Callable[[str], Tensor | None]


def architecture_of(config: Config) -> Architecture:
    """What a Hugging Face configuration describes.

    Raises:
        SimonidesError: when the kind of model is not supported, or an entry is missing.
    """
    kind = config.get("model_type")
    if kind not in LAYOUTS:
        raise SimonidesError(f"model_type {kind!r} is not supported; known are {', '.join(LAYOUTS)}.")
    try:
        found = LAYOUTS[kind][0](config)
    except KeyError as error:
        raise SimonidesError(f"config.json has no entry {error}, which {kind} needs; is it complete?") from None
    if found.activation not in ACTIVATIONS:
        raise SimonidesError(
            f"activation {found.activation!r} is not supported; known are {', '.join(ACTIVATIONS)}."
        )
    return found


def weights_of(config: Config, a: Architecture, read: Read) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
    """The weights by roles: those of the whole, and those of each layer.

    Arguments:
        config: of the checkpoint.
        a: its architecture.
        read: the tensor of a name, or None where there is none.
    """
    whole, layer = LAYOUTS[config["model_type"]][1:]
    return _present(whole(read)), [_present(layer(a, read, number)) for number in range(a.layers)]


def _present(weights: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if value is not None}


def _rope(config: Config) -> tuple[float, float]:
    """The base of the rotation and the share of each head that is turned, old spelling or new."""
    inner = config.get("rope_parameters") or {}
    if inner.get("rope_type", "default") != "default" or config.get("rope_scaling"):
        raise SimonidesError("scaled rotary positions are not supported; give a checkpoint without rope_scaling.")
    names = ("rope_theta", "rotary_emb_base"), ("partial_rotary_factor", "rotary_pct")
    base, share = (
        next(
            (place[name] for place in (inner, config) for name in spelled if place.get(name) is not None), default
        )
        for spelled, default in zip(names, (10_000.0, 1.0), strict=True)
    )
    return float(base), float(share)


def _neox(config: Config) -> Architecture:
    d, heads = config["hidden_size"], config["num_attention_heads"]
    base, share = _rope({"rotary_pct": 0.25, **config})
    return Architecture(
        vocabulary=config["vocab_size"],
        d=d,
        layers=config["num_hidden_layers"],
        heads=heads,
        groups=heads,
        h=d // heads,
        hidden=config["intermediate_size"],
        epsilon=config.get("layer_norm_eps", 1e-5),
        rotated=int(d // heads * share),
        base=base,
        parallel=config.get("use_parallel_residual", True),
        activation=config.get("hidden_act", "gelu"),
    )


def _neox_whole(read: Read) -> dict[str, Tensor | None]:
    return {
        "W_E": read("gpt_neox.embed_in.weight"),
        "W_U": read("embed_out.weight"),
        "final_scale": read("gpt_neox.final_layer_norm.weight"),
        "final_shift": read("gpt_neox.final_layer_norm.bias"),
    }


def _neox_layer(a: Architecture, read: Read, number: int) -> dict[str, Tensor | None]:
    at = f"gpt_neox.layers.{number}."
    found: dict[str, Tensor | None] = {}
    fused, bias = read(at + "attention.query_key_value.weight"), read(at + "attention.query_key_value.bias")
    if fused is not None:  # head by head: query, key, value
        found |= dict(zip(("W_Q", "W_K", "W_V"), _cut(fused, (a.heads, 3, a.h, a.d)).unbind(1), strict=True))
    if bias is not None:
        found |= dict(zip(("b_Q", "b_K", "b_V"), _cut(bias, (a.heads, 3, a.h)).unbind(1), strict=True))
    return found | {
        "W_O": _by_heads_out(read(at + "attention.dense.weight"), a),
        "b_O": read(at + "attention.dense.bias"),
        "W_in": read(at + "mlp.dense_h_to_4h.weight"),
        "b_in": read(at + "mlp.dense_h_to_4h.bias"),
        "W_out": read(at + "mlp.dense_4h_to_h.weight"),
        "b_out": read(at + "mlp.dense_4h_to_h.bias"),
        "attention_scale": read(at + "input_layernorm.weight"),
        "attention_shift": read(at + "input_layernorm.bias"),
        "feed_forward_scale": read(at + "post_attention_layernorm.weight"),
        "feed_forward_shift": read(at + "post_attention_layernorm.bias"),
    }


def _gpt2(config: Config) -> Architecture:
    return _of_openai(config, length=config["n_positions"])


def _of_openai(config: Config, **more: Any) -> Architecture:
    """GPT-2's names of sizes, which GPT-J kept."""
    d, heads = config["n_embd"], config["n_head"]
    return Architecture(
        vocabulary=config["vocab_size"],
        d=d,
        layers=config["n_layer"],
        heads=heads,
        groups=heads,
        h=d // heads,
        hidden=config.get("n_inner") or 4 * d,
        epsilon=config.get("layer_norm_epsilon", 1e-5),
        activation=config.get("activation_function", "gelu_new"),
        **more,
    )


def _prefixed(read: Read) -> Read:
    """Names with or without "transformer." in front."""

    def either(name: str) -> Tensor | None:
        found = read("transformer." + name)
        return read(name) if found is None else found

    return either


def _gpt2_whole(read: Read) -> dict[str, Tensor | None]:
    own = _prefixed(read)
    return {
        "W_E": own("wte.weight"),
        "W_U": read("lm_head.weight"),
        "positions": own("wpe.weight"),
        "final_scale": own("ln_f.weight"),
        "final_shift": own("ln_f.bias"),
    }


def _gpt2_layer(a: Architecture, read: Read, number: int) -> dict[str, Tensor | None]:
    own, at = _prefixed(read), f"h.{number}."
    found: dict[str, Tensor | None] = {}
    fused, bias = own(at + "attn.c_attn.weight"), own(at + "attn.c_attn.bias")
    if fused is not None:  # kept transposed; queries, then keys, then values
        found |= dict(zip(("W_Q", "W_K", "W_V"), _cut(fused.mT, (3, a.heads, a.h, a.d)).unbind(0), strict=True))
    if bias is not None:
        found |= dict(zip(("b_Q", "b_K", "b_V"), _cut(bias, (3, a.heads, a.h)).unbind(0), strict=True))
    return found | {
        "W_O": _by_heads_out(_transposed(own(at + "attn.c_proj.weight")), a),
        "b_O": own(at + "attn.c_proj.bias"),
        "W_in": _transposed(own(at + "mlp.c_fc.weight")),
        "b_in": own(at + "mlp.c_fc.bias"),
        "W_out": _transposed(own(at + "mlp.c_proj.weight")),
        "b_out": own(at + "mlp.c_proj.bias"),
        "attention_scale": own(at + "ln_1.weight"),
        "attention_shift": own(at + "ln_1.bias"),
        "feed_forward_scale": own(at + "ln_2.weight"),
        "feed_forward_shift": own(at + "ln_2.bias"),
    }


def _gptj(config: Config) -> Architecture:
    rotated = config.get("rotary_dim") or config["n_embd"] // config["n_head"]
    return _of_openai(config, rotated=rotated, pairs=True, parallel=True, shared_norm=True)


def _gptj_whole(read: Read) -> dict[str, Tensor | None]:
    own = _prefixed(read)
    return {
        "W_E": own("wte.weight"),
        "W_U": read("lm_head.weight"),
        "b_U": read("lm_head.bias"),
        "final_scale": own("ln_f.weight"),
        "final_shift": own("ln_f.bias"),
    }


def _gptj_layer(a: Architecture, read: Read, number: int) -> dict[str, Tensor | None]:
    own, at = _prefixed(read), f"h.{number}."
    return {
        "W_Q": _by_heads(own(at + "attn.q_proj.weight"), a.heads, a),
        "W_K": _by_heads(own(at + "attn.k_proj.weight"), a.groups, a),
        "W_V": _by_heads(own(at + "attn.v_proj.weight"), a.groups, a),
        "W_O": _by_heads_out(own(at + "attn.out_proj.weight"), a),
        "W_in": own(at + "mlp.fc_in.weight"),
        "b_in": own(at + "mlp.fc_in.bias"),
        "W_out": own(at + "mlp.fc_out.weight"),
        "b_out": own(at + "mlp.fc_out.bias"),
        "attention_scale": own(at + "ln_1.weight"),
        "attention_shift": own(at + "ln_1.bias"),
    }


def _llama(config: Config) -> Architecture:
    d, heads = config["hidden_size"], config["num_attention_heads"]
    base, _ = _rope(config)
    h = config.get("head_dim") or d // heads
    return Architecture(
        vocabulary=config["vocab_size"],
        d=d,
        layers=config["num_hidden_layers"],
        heads=heads,
        groups=config.get("num_key_value_heads") or heads,
        h=h,
        hidden=config["intermediate_size"],
        norm="rms",
        epsilon=config.get("rms_norm_eps", 1e-6),
        rotated=h,
        base=base,
        activation=config.get("hidden_act", "silu"),
        gated=True,
    )


def _llama_whole(read: Read) -> dict[str, Tensor | None]:
    return {
        "W_E": read("model.embed_tokens.weight"),
        "W_U": read("lm_head.weight"),
        "final_scale": read("model.norm.weight"),
    }


def _llama_layer(a: Architecture, read: Read, number: int) -> dict[str, Tensor | None]:
    at = f"model.layers.{number}."
    return {
        "W_Q": _by_heads(read(at + "self_attn.q_proj.weight"), a.heads, a),
        "W_K": _by_heads(read(at + "self_attn.k_proj.weight"), a.groups, a),
        "W_V": _by_heads(read(at + "self_attn.v_proj.weight"), a.groups, a),
        "W_O": _by_heads_out(read(at + "self_attn.o_proj.weight"), a),
        "b_Q": _cut(read(at + "self_attn.q_proj.bias"), (a.heads, a.h)),
        "b_K": _cut(read(at + "self_attn.k_proj.bias"), (a.groups, a.h)),
        "b_V": _cut(read(at + "self_attn.v_proj.bias"), (a.groups, a.h)),
        "b_O": read(at + "self_attn.o_proj.bias"),
        "W_in": read(at + "mlp.up_proj.weight"),
        "W_gate": read(at + "mlp.gate_proj.weight"),
        "W_out": read(at + "mlp.down_proj.weight"),
        "attention_scale": read(at + "input_layernorm.weight"),
        "feed_forward_scale": read(at + "post_attention_layernorm.weight"),
    }


LAYOUTS = {
    "gpt_neox": (_neox, _neox_whole, _neox_layer),
    "gpt2": (_gpt2, _gpt2_whole, _gpt2_layer),
    "gptj": (_gptj, _gptj_whole, _gptj_layer),
    "llama": (_llama, _llama_whole, _llama_layer),
}


def _by_heads(weight: Tensor | None, heads: int, a: Architecture) -> Tensor | None:
    return _cut(weight, (heads, a.h, a.d))


def _by_heads_out(weight: Tensor | None, a: Architecture) -> Tensor | None:
    """d x (H h) as H x d x h."""
    parts = _cut(weight, (a.d, a.heads, a.h))
    return None if parts is None else parts.transpose(0, 1).contiguous()


def _transposed(weight: Tensor | None) -> Tensor | None:
    return None if weight is None else weight.mT.contiguous()


def _cut(weight: Tensor | None, shape: tuple[int, ...]) -> Any:
    if weight is None:
        return None
    if weight.numel() != torch.Size(shape).numel():
        raise SimonidesError(
            f"a tensor of shape {tuple(weight.shape)} does not part into {shape}; do configuration and weights "
            "belong together?"
        )
    return weight.reshape(shape)

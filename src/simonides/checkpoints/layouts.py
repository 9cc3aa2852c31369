"""From names and shapes of published checkpoints to roles and back: GPT-NeoX, GPT-2, GPT-J, Llama, BERT.

Each layout says what the architecture is, given the checkpoint's configuration, and which tensor holds what.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from simonides.base import SimonidesError
from simonides.checkpoints.network import ACTIVATIONS, Architecture, PretrainedModel
from simonides.checkpoints.packing import (
    Packed,
    by_heads,
    by_heads_out,
    fused_by_head,
    fused_by_part,
    plain,
    transposed,
)

Config = Mapping[str, Any]
Read = Callable[[str], Tensor | None]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A kind of checkpoint.

    Arguments:
        architecture: what a configuration describes.
        prefix: of the tensors of the whole but `head`; a file may lack it.
        whole: tensors that belong to no layer.
        head: tensors outside the prefix.
        at: what the names of a layer's tensors begin with, given its number.
        layer: the tensors of a layer.
    """

    architecture: Callable[[Config], Architecture]
    prefix: str
    whole: tuple[Packed, ...]
    head: tuple[Packed, ...]
    at: str
    layer: tuple[Packed, ...]

    def tensors(self, layers: int) -> Iterator[tuple[int | None, str, Packed]]:
        """All tensors: the layer's number (None for the whole), the full name, what it holds."""
        yield from ((None, held.name, held) for held in self.head)
        yield from ((None, self.prefix + held.name, held) for held in self.whole)
        for number in range(layers):
            yield from ((number, self.prefix + self.at.format(number) + held.name, held) for held in self.layer)

    def spellings(self, name: str) -> Iterator[str]:
        """How files name a tensor: with the prefix or without, norms in the new words or the old."""
        for own in (name, name.removeprefix(self.prefix)):
            yield own
            yield own.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    def names(self, layers: int) -> set[str]:
        """Every name that one of the tensors may have in a file."""
        return {spelled for _, name, _ in self.tensors(layers) for spelled in self.spellings(name)}


def layout_of(config: Config) -> Layout:
    """The layout of a Hugging Face configuration.

    Raises:
        SimonidesError: when the kind of model is not supported.
    """
    kind = config.get("model_type")
    if kind not in LAYOUTS:
        raise SimonidesError(f"model_type {kind!r} is not supported; known are {', '.join(LAYOUTS)}.")
    return LAYOUTS[kind]


def architecture_of(config: Config) -> Architecture:
    """What a Hugging Face configuration describes.

    Raises:
        SimonidesError: when the kind of model is not supported, or an entry is missing or makes no sense.
    """
    layout = layout_of(config)
    try:
        found = layout.architecture(config)
    except KeyError as error:
        raise SimonidesError(
            f"config.json has no entry {error}, which {config['model_type']} needs; is it complete?"
        ) from None
    except SimonidesError:
        raise
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, AttributeError) as error:
        raise SimonidesError(f"config.json describes no model: {error}.") from None
    for name in ("vocabulary", "d", "layers", "heads", "groups", "h", "hidden"):
        value = getattr(found, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SimonidesError(f"config.json describes no model: {name} = {value!r}, expected a number from 1.")
    if found.heads % found.groups or found.rotated > found.h or found.rotated % 2:
        raise SimonidesError(
            f"config.json describes no model: {found.heads} heads for {found.groups} of keys and values, "
            f"{found.rotated} of {found.h} dimensions turned."
        )
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
    layout = layout_of(config)
    whole: dict[str, Tensor] = {}
    layers: list[dict[str, Tensor]] = [{} for _ in range(a.layers)]
    for number, name, held in layout.tensors(a.layers):
        found = next((t for s in layout.spellings(name) if (t := read(s)) is not None), None)
        if found is not None:
            into = whole if number is None else layers[number]
            into |= dict(zip(held.roles, held.part(found, a), strict=True))
    return whole, layers


def tensors_of(config: Config, model: PretrainedModel) -> dict[str, Tensor]:
    """The inverse of `weights_of`: a model's weights as the tensors of a checkpoint."""
    found: dict[str, Tensor] = {}
    for number, name, held in layout_of(config).tensors(model.architecture.layers):
        place = model if number is None else model.layers[number]
        weights = [getattr(place, role, None) for role in held.roles]
        if any(weight is None for weight in weights) or (held.roles == ("W_U",) and model.W_U is model.W_E):
            continue
        found[name] = held.join([w.detach() for w in weights if w is not None], model.architecture).contiguous()
    return found


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


def _norm(name: str, role: str) -> tuple[Packed, Packed]:
    return plain(f"{name}.weight", f"{role}_scale"), plain(f"{name}.bias", f"{role}_shift")


def _hidden(into: str, out: str) -> tuple[Packed, ...]:
    return (
        plain(f"{into}.weight", "W_in"),
        plain(f"{into}.bias", "b_in"),
        plain(f"{out}.weight", "W_out"),
        plain(f"{out}.bias", "b_out"),
    )


def _heads(name: str, letter: str) -> tuple[Packed, Packed]:
    return by_heads(f"{name}.weight", f"W_{letter}"), by_heads(f"{name}.bias", f"b_{letter}")


_KINDS = (("W_Q", "W_K", "W_V"), ("b_Q", "b_K", "b_V"))


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
        longest=config.get("max_position_embeddings", 0),
        base=base,
        parallel=config.get("use_parallel_residual", True),
        activation=config.get("hidden_act", "gelu"),
    )


_NEOX = Layout(
    architecture=_neox,
    prefix="gpt_neox.",
    whole=(plain("embed_in.weight", "W_E"), *_norm("final_layer_norm", "final")),
    head=(plain("embed_out.weight", "W_U"),),
    at="layers.{}.",
    layer=(
        fused_by_head("attention.query_key_value.weight", _KINDS[0]),
        fused_by_head("attention.query_key_value.bias", _KINDS[1]),
        by_heads_out("attention.dense.weight", "W_O"),
        plain("attention.dense.bias", "b_O"),
        *_hidden("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        *_norm("input_layernorm", "attention"),
        *_norm("post_attention_layernorm", "feed_forward"),
    ),
)


def _of_openai(config: Config, **more: Any) -> Architecture:
    """GPT-2's names of sizes, which GPT-J kept."""
    if config.get("scale_attn_by_inverse_layer_idx") or not config.get("scale_attn_weights", True):
        raise SimonidesError("attention scaled by layer, or not at all, is not supported.")
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


_GPT2 = Layout(
    architecture=lambda config: _of_openai(config, length=config["n_positions"], longest=config["n_positions"]),
    prefix="transformer.",
    whole=(plain("wte.weight", "W_E"), plain("wpe.weight", "positions"), *_norm("ln_f", "final")),
    head=(plain("lm_head.weight", "W_U"),),
    at="h.{}.",
    layer=(
        fused_by_part("attn.c_attn.weight", _KINDS[0]),
        fused_by_part("attn.c_attn.bias", _KINDS[1]),
        by_heads_out("attn.c_proj.weight", "W_O", row_vectors=True),
        plain("attn.c_proj.bias", "b_O"),
        transposed("mlp.c_fc.weight", "W_in"),
        plain("mlp.c_fc.bias", "b_in"),
        transposed("mlp.c_proj.weight", "W_out"),
        plain("mlp.c_proj.bias", "b_out"),
        *_norm("ln_1", "attention"),
        *_norm("ln_2", "feed_forward"),
    ),
)


def _gptj(config: Config) -> Architecture:
    rotated = config.get("rotary_dim") or config["n_embd"] // config["n_head"]
    longest = config.get("n_positions", 0)
    return _of_openai(config, longest=longest, rotated=rotated, pairs=True, parallel=True, shared_norm=True)


_GPTJ = Layout(
    architecture=_gptj,
    prefix="transformer.",
    whole=(plain("wte.weight", "W_E"), *_norm("ln_f", "final")),
    head=(plain("lm_head.weight", "W_U"), plain("lm_head.bias", "b_U")),
    at="h.{}.",
    layer=(
        by_heads("attn.q_proj.weight", "W_Q"),
        by_heads("attn.k_proj.weight", "W_K"),
        by_heads("attn.v_proj.weight", "W_V"),
        by_heads_out("attn.out_proj.weight", "W_O"),
        *_hidden("mlp.fc_in", "mlp.fc_out"),
        *_norm("ln_1", "attention"),
    ),
)


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
        longest=config.get("max_position_embeddings", 0),
        base=base,
        activation=config.get("hidden_act", "silu"),
        gated=True,
    )


_LLAMA = Layout(
    architecture=_llama,
    prefix="model.",
    whole=(plain("embed_tokens.weight", "W_E"), plain("norm.weight", "final_scale")),
    head=(plain("lm_head.weight", "W_U"),),
    at="layers.{}.",
    layer=(
        *_heads("self_attn.q_proj", "Q"),
        *_heads("self_attn.k_proj", "K"),
        *_heads("self_attn.v_proj", "V"),
        by_heads_out("self_attn.o_proj.weight", "W_O"),
        plain("self_attn.o_proj.bias", "b_O"),
        plain("mlp.up_proj.weight", "W_in"),
        plain("mlp.gate_proj.weight", "W_gate"),
        plain("mlp.down_proj.weight", "W_out"),
        plain("input_layernorm.weight", "attention_scale"),
        plain("post_attention_layernorm.weight", "feed_forward_scale"),
    ),
)


def _bert(config: Config) -> Architecture:
    if (kind := config.get("position_embedding_type", "absolute")) != "absolute":
        raise SimonidesError(f"position_embedding_type {kind!r} is not supported; 'absolute' is.")
    d, heads = config["hidden_size"], config["num_attention_heads"]
    return Architecture(
        vocabulary=config["vocab_size"],
        d=d,
        layers=config["num_hidden_layers"],
        heads=heads,
        groups=heads,
        h=d // heads,
        hidden=config["intermediate_size"],
        length=config["max_position_embeddings"],
        longest=config["max_position_embeddings"],
        epsilon=config.get("layer_norm_eps", 1e-12),
        activation=config.get("hidden_act", "gelu"),
        encoder=True,
    )


_BERT = Layout(
    architecture=_bert,
    prefix="bert.",
    whole=(
        plain("embeddings.word_embeddings.weight", "W_E"),
        plain("embeddings.position_embeddings.weight", "positions"),
        plain("embeddings.token_type_embeddings.weight", "token_types"),
        *_norm("embeddings.LayerNorm", "embedding"),
    ),
    head=(),
    at="encoder.layer.{}.",
    layer=(
        *_heads("attention.self.query", "Q"),
        *_heads("attention.self.key", "K"),
        *_heads("attention.self.value", "V"),
        by_heads_out("attention.output.dense.weight", "W_O"),
        plain("attention.output.dense.bias", "b_O"),
        *_norm("attention.output.LayerNorm", "attention"),
        *_hidden("intermediate.dense", "output.dense"),
        *_norm("output.LayerNorm", "feed_forward"),
    ),
)

LAYOUTS = {"gpt_neox": _NEOX, "gpt2": _GPT2, "gptj": _GPTJ, "llama": _LLAMA, "bert": _BERT}

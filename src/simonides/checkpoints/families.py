"""Families of checkpoints: for each kind of model the names that its class in `transformers` gives to the roles.

A family is a table; `register_family` adds one of your own. Whatever model is opened, what its family says is
checked against the model's own numbers before anything is read (`simonides.checkpoints.verification`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from simonides.base import SimonidesError, suggest
from simonides.checkpoints.packings import (
    Packing,
    by_heads,
    fused_by_group,
    fused_by_head,
    fused_by_part,
    of_expert,
    outward,
    part,
    plain,
    transposed,
)

Weights = Mapping[str, Packing]


@dataclass(frozen=True, kw_only=True)
class Family:
    """The names of one kind of model; paths are as in `torch.nn.Module.get_submodule`.

    Arguments:
        embedding: module of the token embeddings.
        layers: list of the layers.
        attention: inside a layer, the attention module.
        weights: inside a layer, the parameters by role; one that a model lacks may be named.
        attention_norm, feed_forward_norm: inside a layer, what attention and feed-forward read through.
        attention_output_norm, feed_forward_output_norm: what they add through.
        attention_output, feed_forward_output: the modules that return what is added, before such a norm; the
            feed-forward's hidden units are what its module is given, unless it is the whole feed-forward.
        final_norm: before the unembedding.
        unembedding: None for an encoder.
        embedding_norm: right after the embedding.
        positions: learned ones, which are added to the embeddings; None where there are none.
        first_position: the row of `positions` that the first token has.
        scores: what positions do to the scores: "none", "rotary", "alibi", or "scaled alibi" before the division.
        parallel: whether the feed-forward reads the stream before attention.
        query_norm, key_norm: of queries and keys, before rotation.
        encoder: whether all positions see each other and norms come after attention and feed-forward.
        activation: the entry of the configuration that names the hidden units' function.
        score_scale: what scores are multiplied by, given the configuration and the layer; by default 1/sqrt(h).
        eager: whether the model must be built with its plain attention for its weights to be seen.
    """

    embedding: str
    layers: str
    attention: str
    weights: Weights
    attention_output: str
    feed_forward_output: str
    attention_norm: str | None = None
    feed_forward_norm: str | None = None
    attention_output_norm: str | None = None
    feed_forward_output_norm: str | None = None
    final_norm: str | None = None
    unembedding: str | None = "lm_head"
    embedding_norm: str | None = None
    positions: str | None = None
    first_position: int = 0
    scores: str = "none"
    parallel: bool = False
    query_norm: str | None = None
    key_norm: str | None = None
    encoder: bool = False
    activation: str = "hidden_act"
    score_scale: Callable[[Any, int], float] | None = None
    eager: bool = False


def _separate(place: str, names: str = "q_proj k_proj v_proj o_proj") -> dict[str, Packing]:
    """Queries, keys, values and output as linear layers of their own."""
    packings: dict[str, Packing] = {}
    *inward, out = names.split()
    for letter, name in zip("QKV", inward, strict=True):
        packings[f"W_{letter}"] = by_heads(f"{place}.{name}.weight", letter)
        packings[f"b_{letter}"] = by_heads(f"{place}.{name}.bias", letter)
    return packings | {"W_O": outward(f"{place}.{out}.weight"), "b_O": plain(f"{place}.{out}.bias")}


def _fused(path: str, out: str, kind: Callable[[str, str], Packing]) -> dict[str, Packing]:
    packings: dict[str, Packing] = {}
    for letter in "QKV":
        packings[f"W_{letter}"] = kind(f"{path}.weight", letter)
        packings[f"b_{letter}"] = kind(f"{path}.bias", letter)
    return packings | {"W_O": outward(f"{out}.weight"), "b_O": plain(f"{out}.bias")}


def _hidden(into: str, out: str) -> dict[str, Packing]:
    return {
        "W_in": plain(f"{into}.weight"),
        "b_in": plain(f"{into}.bias"),
        "W_out": plain(f"{out}.weight"),
        "b_out": plain(f"{out}.bias"),
    }


_GATED = _hidden("mlp.up_proj", "mlp.down_proj") | {
    "W_gate": plain("mlp.gate_proj.weight"),
    "b_gate": plain("mlp.gate_proj.bias"),
}

LLAMA = Family(
    embedding="model.embed_tokens",
    layers="model.layers",
    attention="self_attn",
    weights=_separate("self_attn") | _GATED,
    attention_output="self_attn.o_proj",
    feed_forward_output="mlp.down_proj",
    attention_norm="input_layernorm",
    feed_forward_norm="post_attention_layernorm",
    final_norm="model.norm",
    scores="rotary",
)
_QWEN3 = replace(LLAMA, query_norm="self_attn.q_norm", key_norm="self_attn.k_norm")
_GEMMA2 = replace(
    LLAMA,
    attention_output_norm="post_attention_layernorm",
    feed_forward_norm="pre_feedforward_layernorm",
    feed_forward_output_norm="post_feedforward_layernorm",
    activation="hidden_activation",
    score_scale=lambda config, layer: float(config.query_pre_attn_scalar) ** -0.5,
)
_GEMMA3 = replace(_GEMMA2, query_norm="self_attn.q_norm", key_norm="self_attn.k_norm")
_OLMO2 = replace(
    _QWEN3,
    attention_norm=None,
    feed_forward_norm=None,
    attention_output_norm="post_attention_layernorm",
    feed_forward_output_norm="post_feedforward_layernorm",
)
_STARCODER2 = replace(
    LLAMA, weights=_separate("self_attn") | _hidden("mlp.c_fc", "mlp.c_proj"), feed_forward_output="mlp.c_proj"
)
_PHI3 = replace(
    LLAMA,
    weights=_fused("self_attn.qkv_proj", "self_attn.o_proj", fused_by_part)
    | {
        "W_gate": part("mlp.gate_up_proj.weight", 0, 2),
        "W_in": part("mlp.gate_up_proj.weight", 1, 2),
        "W_out": plain("mlp.down_proj.weight"),
    },
)
_PHI = replace(
    LLAMA,
    weights=_separate("self_attn", "q_proj k_proj v_proj dense") | _hidden("mlp.fc1", "mlp.fc2"),
    attention_output="self_attn.dense",
    feed_forward_output="mlp.fc2",
    feed_forward_norm="input_layernorm",
    final_norm="model.final_layernorm",
    parallel=True,
)
_NEOX = Family(
    embedding="gpt_neox.embed_in",
    layers="gpt_neox.layers",
    attention="attention",
    weights=_fused("attention.query_key_value", "attention.dense", fused_by_head)
    | _hidden("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
    attention_output="attention.dense",
    feed_forward_output="mlp.dense_4h_to_h",
    attention_norm="input_layernorm",
    feed_forward_norm="post_attention_layernorm",
    final_norm="gpt_neox.final_layer_norm",
    scores="rotary",
)
_GPT2 = Family(
    embedding="transformer.wte",
    layers="transformer.h",
    attention="attn",
    weights={
        **{f"W_{letter}": fused_by_part("attn.c_attn.weight", letter, row_vectors=True) for letter in "QKV"},
        **{f"b_{letter}": fused_by_part("attn.c_attn.bias", letter) for letter in "QKV"},
        "W_O": outward("attn.c_proj.weight", row_vectors=True),
        "b_O": plain("attn.c_proj.bias"),
        "W_in": transposed("mlp.c_fc.weight"),
        "b_in": plain("mlp.c_fc.bias"),
        "W_out": transposed("mlp.c_proj.weight"),
        "b_out": plain("mlp.c_proj.bias"),
    },
    attention_output="attn.c_proj",
    feed_forward_output="mlp.c_proj",
    attention_norm="ln_1",
    feed_forward_norm="ln_2",
    final_norm="transformer.ln_f",
    positions="transformer.wpe",
    activation="activation_function",
)
_GPT_NEO = replace(
    _GPT2,
    weights=_separate("attn.attention", "q_proj k_proj v_proj out_proj") | _hidden("mlp.c_fc", "mlp.c_proj"),
    attention="attn.attention",
    attention_output="attn.attention.out_proj",
    score_scale=lambda config, layer: 1.0,
    eager=True,
)
_GPTJ = replace(
    _GPT2,
    weights=_separate("attn", "q_proj k_proj v_proj out_proj") | _hidden("mlp.fc_in", "mlp.fc_out"),
    attention_output="attn.out_proj",
    feed_forward_output="mlp.fc_out",
    feed_forward_norm="ln_1",
    positions=None,
    scores="rotary",
    parallel=True,
    eager=True,
)
_OPT = Family(
    embedding="model.decoder.embed_tokens",
    layers="model.decoder.layers",
    attention="self_attn",
    weights=_separate("self_attn", "q_proj k_proj v_proj out_proj") | _hidden("fc1", "fc2"),
    attention_output="self_attn.out_proj",
    feed_forward_output="fc2",
    attention_norm="self_attn_layer_norm",
    feed_forward_norm="final_layer_norm",
    final_norm="model.decoder.final_layer_norm",
    positions="model.decoder.embed_positions",
    first_position=2,
    activation="activation_function",
)
_BLOOM = Family(
    embedding="transformer.word_embeddings",
    layers="transformer.h",
    attention="self_attention",
    weights=_fused("self_attention.query_key_value", "self_attention.dense", fused_by_head)
    | _hidden("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
    attention_output="self_attention.dense",
    feed_forward_output="mlp.dense_4h_to_h",
    attention_norm="input_layernorm",
    feed_forward_norm="post_attention_layernorm",
    final_norm="transformer.ln_f",
    embedding_norm="transformer.word_embeddings_layernorm",
    scores="alibi",
    activation="gelu_new",
    eager=True,
)
_BERT = Family(
    embedding="embeddings.word_embeddings",
    layers="encoder.layer",
    attention="attention.self",
    weights={
        **_separate("attention.self", "query key value -"),
        "W_O": outward("attention.output.dense.weight"),
        "b_O": plain("attention.output.dense.bias"),
        **_hidden("intermediate.dense", "output.dense"),
    },
    attention_output="attention.output.dense",
    feed_forward_output="output.dense",
    attention_norm="attention.output.LayerNorm",
    feed_forward_norm="output.LayerNorm",
    unembedding=None,
    embedding_norm="embeddings.LayerNorm",
    positions="embeddings.position_embeddings",
    encoder=True,
)
_DISTILBERT = replace(
    _BERT,
    layers="transformer.layer",
    attention="attention",
    weights=_separate("attention", "q_lin k_lin v_lin out_lin") | _hidden("ffn.lin1", "ffn.lin2"),
    attention_output="attention.out_lin",
    feed_forward_output="ffn.lin2",
    attention_norm="sa_layer_norm",
    feed_forward_norm="output_layer_norm",
    activation="activation",
)


def _mixtral(config: Any) -> Family:
    experts: dict[str, Packing] = {"W_router": plain("mlp.gate.weight")}
    for number in range(config.num_local_experts):
        experts[f"W_gate.{number}"] = of_expert("mlp.experts.gate_up_proj", number, 0, 2)
        experts[f"W_in.{number}"] = of_expert("mlp.experts.gate_up_proj", number, 1, 2)
        experts[f"W_out.{number}"] = of_expert("mlp.experts.down_proj", number)
    return replace(LLAMA, weights=_separate("self_attn") | experts, feed_forward_output="mlp")


def _falcon(config: Any) -> Family:
    place, out = "self_attention.query_key_value", "self_attention.dense"
    old = fused_by_part if config.multi_query else fused_by_head
    kind = fused_by_group if config.new_decoder_architecture else old
    two_norms = config.new_decoder_architecture and (config.num_ln_in_parallel_attn or 2) == 2
    parallel = bool(config.parallel_attn or config.new_decoder_architecture)
    one = "input_layernorm"
    return replace(
        _BLOOM,
        weights=_fused(place, out, kind) | _hidden("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        attention_norm="ln_attn" if two_norms else one,
        feed_forward_norm="ln_mlp" if two_norms else one if parallel else "post_attention_layernorm",
        embedding_norm=None,
        scores="scaled alibi" if config.alibi else "rotary",
        parallel=parallel,
        activation="activation",
    )


def _stablelm(config: Any) -> Family:
    if config.qk_layernorm:
        raise SimonidesError("a StableLM with norms of queries and keys for each head is not supported.")
    if not config.use_parallel_residual:
        return LLAMA
    return replace(LLAMA, parallel=True, feed_forward_norm="input_layernorm")


def _gpt2(config: Any) -> Family:
    def scale(config: Any, layer: int) -> float:
        whole = (config.n_embd // config.n_head) ** -0.5 if config.scale_attn_weights else 1.0
        return float(whole / (layer + 1) if config.scale_attn_by_inverse_layer_idx else whole)

    return replace(_GPT2, score_scale=scale)


def _without(family: Family, entry: str) -> Callable[[Any], Family]:
    """A family, of whose models those that set an entry do something that no role tells."""

    def of(config: Any) -> Family:
        if value := getattr(config, entry, None):
            raise SimonidesError(f"a {config.model_type} with {entry} = {value!r} is not supported.")
        return family

    return of


def _opt(config: Any) -> Family:
    if not config.do_layer_norm_before or config.word_embed_proj_dim != config.hidden_size:
        raise SimonidesError(
            "an OPT with norms after attention, or embeddings of its own width, is not supported."
        )
    return _OPT


_FAMILIES: dict[str, Callable[[Any], Family]] = {
    "gpt2": _gpt2,
    "gpt_neo": lambda config: _GPT_NEO,
    "gpt_neox": lambda config: replace(_NEOX, parallel=bool(config.use_parallel_residual)),
    "gptj": lambda config: _GPTJ,
    "opt": _opt,
    "bloom": lambda config: _BLOOM,
    "falcon": _falcon,
    "llama": lambda config: LLAMA,
    "mistral": lambda config: LLAMA,
    "mixtral": _mixtral,
    "qwen2": lambda config: LLAMA,
    "qwen3": lambda config: _QWEN3,
    "gemma": lambda config: LLAMA,
    "gemma2": lambda config: _GEMMA2,
    "gemma3_text": lambda config: _GEMMA3,
    "phi": _without(_PHI, "qk_layernorm"),
    "phi3": lambda config: _PHI3,
    "stablelm": _stablelm,
    "olmo": _without(LLAMA, "clip_qkv"),
    "olmo2": lambda config: _OLMO2,
    "starcoder2": lambda config: _STARCODER2,
    "bert": lambda config: _BERT,
    "roberta": lambda config: replace(_BERT, first_position=config.pad_token_id + 1),
    "distilbert": lambda config: _DISTILBERT,
}


def register_family(model_type: str, family: Family | Callable[[Any], Family]) -> None:
    """Add a kind of model, or replace one.

    Arguments:
        model_type: as its configuration names it.
        family: its table, or a function that gives it for a configuration.
    """
    _FAMILIES[model_type] = family if callable(family) else lambda config: family


def check_family(model_type: object) -> None:
    """Raise `SimonidesError` where there is no family of this name."""
    if not isinstance(model_type, str) or model_type not in _FAMILIES:
        near = suggest(str(model_type), _FAMILIES)
        raise SimonidesError(
            f"model_type {model_type!r} is not supported; {near} simonides.checkpoints.register_family adds one."
        )


def family_of(config: Any) -> Family:
    """The family of a configuration of `transformers`.

    Raises:
        SimonidesError: when the kind of model is not supported.
    """
    check_family(config.model_type)
    family = _FAMILIES[config.model_type](config)
    ways = getattr(config, "is_causal", True) is False or getattr(config, "use_bidirectional_attention", None)
    if ways and not family.encoder:
        raise SimonidesError(
            f"this {config.model_type} is set to attend to what comes after each token, so it predicts no next one; "
            "it is not supported as a decoder."
        )
    return family


def supported() -> tuple[str, ...]:
    """The kinds of model there are families of."""
    return tuple(_FAMILIES)

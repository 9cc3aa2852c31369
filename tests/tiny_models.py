"""Tiny models of every kind: toys by their configurations, and a random model of each family of checkpoints."""

import warnings

import torch

from simonides.checkpoints import CheckpointModel
from simonides.nn import Transformer, TransformerConfig

VOCABULARY = 61
TOYS = {
    "attention alone": {"feed_forward": "none"},
    "linear feed-forward, merged queries": {
        "merged_queries": True,
        "feed_forward": ("none", "linear"),
        "heads": 1,
    },
    "gated, RMS, rotary": {"feed_forward": "gated", "norm": "pre", "norm_kind": "rms", "positions": "rotary"},
    "post-norm": {"norm": "post"},
    "parallel, ALiBi": {"norm": "pre", "parallel": True, "positions": "alibi"},
    "T5 buckets": {"positions": "t5"},
}
_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
_GROUPED = {**_SIZES, "num_key_value_heads": 2}
_OPENAI = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
_SCALED = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
# by name: the model type, and what its configuration is given
FAMILIES = {
    "gpt2": ("gpt2", _OPENAI),
    "gpt2 scaled by layer": ("gpt2", {**_OPENAI, "scale_attn_by_inverse_layer_idx": True}),
    "gpt_neo": (
        "gpt_neo",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "max_position_embeddings": 64,
            "window_size": 4,
        },
    ),
    "gpt_neox": ("gpt_neox", _SIZES),
    "gpt_neox sequential": ("gpt_neox", {**_SIZES, "use_parallel_residual": False}),
    "gptj": ("gptj", {**_OPENAI, "rotary_dim": 4}),
    "opt": ("opt", {**_SIZES, "ffn_dim": 48, "word_embed_proj_dim": 32}),
    "bloom": ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "falcon": ("falcon", {**_SIZES, "num_kv_heads": 2, "new_decoder_architecture": True, "ffn_hidden_size": 48}),
    "falcon of one key": ("falcon", {**_SIZES, "multi_query": True, "ffn_hidden_size": 48}),
    "llama": ("llama", _GROUPED),
    "llama 3 scaled, tied": ("llama", {**_GROUPED, "rope_parameters": _SCALED, "tie_word_embeddings": True}),
    "llama with biases": ("llama", {**_GROUPED, "attention_bias": True, "mlp_bias": True}),
    "mistral with a window": ("mistral", {**_GROUPED, "sliding_window": 4}),
    "mixtral": ("mixtral", {**_GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen2": ("qwen2", _GROUPED),
    "qwen3": ("qwen3", {**_GROUPED, "head_dim": 8}),
    "gemma": ("gemma", {**_GROUPED, "head_dim": 8}),
    "gemma2": ("gemma2", {**_GROUPED, "head_dim": 8, "sliding_window": 4, "query_pre_attn_scalar": 8}),
    "gemma3_text": ("gemma3_text", {**_GROUPED, "head_dim": 8, "sliding_window": 4, "query_pre_attn_scalar": 8}),
    "phi": ("phi", {**_GROUPED, "partial_rotary_factor": 0.5}),
    "phi3": ("phi3", {**_GROUPED, "pad_token_id": 0}),
    "stablelm": ("stablelm", {**_GROUPED, "partial_rotary_factor": 0.5}),
    "olmo": ("olmo", _GROUPED),
    "olmo2": ("olmo2", _GROUPED),
    "starcoder2": ("starcoder2", {**_GROUPED, "sliding_window": 4}),
    "bert": ("bert", _SIZES),
    "roberta": ("roberta", {**_SIZES, "max_position_embeddings": 66, "pad_token_id": 1}),
    "distilbert": (
        "distilbert",
        {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 64},
    ),
}
ENCODERS = ("bert", "roberta", "distilbert")


def toy(name: str, seed: int = 0) -> Transformer:
    config = {"vocabulary": VOCABULARY, "length": 24, "d": 16, "heads": 2, **TOYS[name]}
    return Transformer(TransformerConfig(**config), torch.Generator().manual_seed(seed)).requires_grad_(False)


def library_model(name: str, dtype: torch.dtype = torch.float32):
    """A random model of `transformers`; norms and biases, which start at one and zero, are moved away from there."""
    import transformers

    kind, settings = FAMILIES[name]
    special = {"bos_token_id": 0, "eos_token_id": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = transformers.AutoConfig.for_model(kind, vocab_size=VOCABULARY, **{**special, **settings})
        make = transformers.AutoModel if kind in ENCODERS else transformers.AutoModelForCausalLM
        torch.manual_seed(0)
        model = make.from_config(config, attn_implementation="eager")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.to(dtype).eval().requires_grad_(False)


def checkpoint_model(name: str, dtype: torch.dtype = torch.float32) -> CheckpointModel:
    return CheckpointModel(library_model(name, dtype))

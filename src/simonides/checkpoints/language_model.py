"""A small language model trained here, in the layout of GPT-NeoX: a real checkpoint without a download.

Its steps are kept as checkpoint folders, so that whatever reads checkpoints can be run along a training.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from simonides.base import SimonidesError, check_at_least
from simonides.checkpoints.bridge import CheckpointModel
from simonides.checkpoints.opening import quiet_transformers
from simonides.checkpoints.saving import save_checkpoint
from simonides.data import UNKNOWN, Text
from simonides.training import Checkpoint, History, Records, fit

# of GPT-2 and GPT-NeoX: what is added to the stream is scaled down by the number of additions
_SCALE = 0.02
# share of the text that is held out
HELD_OUT = 0.1


def neox_config(
    vocabulary: int, d: int = 128, layers: int = 2, heads: int = 4, length: int = 256
) -> dict[str, Any]:
    """The config.json of a small GPT-NeoX: attention first, then the feed-forward; a quarter of each head turns.

    Raises:
        SimonidesError: when the heads do not part the width into turnable pieces.
    """
    for name, value in (("layers", layers), ("heads", heads), ("d", d), ("length", length)):
        check_at_least(name, value, 1)
    if d % heads or d // heads % 8:
        raise SimonidesError(f"d = {d} in {heads} heads: a head's dimension has to be a multiple of 8.")
    return {
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "vocab_size": vocabulary,
        "hidden_size": d,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * d,
        "hidden_act": "gelu",
        "rotary_pct": 0.25,
        "use_parallel_residual": False,
        "max_position_embeddings": length,
        "layer_norm_eps": 1e-5,
        "tie_word_embeddings": False,
        "dtype": "float32",
    }


def small_language_model(config: Mapping[str, Any], generator: torch.Generator) -> CheckpointModel:
    """A GPT-NeoX of `transformers` with random weights, which ask for gradients.

    Entries are N(0, 0.02^2), those of W_O and W_out scaled down by the square root of the number of additions.

    Arguments:
        config: as `neox_config` gives it.
        generator: draws the weights.
    """
    with quiet_transformers():
        from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

        model = CheckpointModel(GPTNeoXForCausalLM(GPTNeoXConfig(**config)))
    sizes = model.sizes
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
        for layer in range(sizes.layers):
            for role in ("W_Q", "W_K", "W_V", "W_O", "W_in", "W_out"):
                scale = _SCALE / (2 * sizes.layers) ** 0.5 if role in ("W_O", "W_out") else _SCALE
                shape = model.weight(role, layer).shape
                model.set_weight(role, layer, scale * torch.randn(shape, generator=generator))
        for role in ("W_E", "W_U"):
            weight = model.weight(role)
            weight.copy_(_SCALE * torch.randn(weight.shape, generator=generator))
    return model.requires_grad_(True)


def next_token_loss(model: CheckpointModel, tokens: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Mean cross-entropy of each token given those before it, in nats."""
    return functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


def pieces(
    text: Text, count: int, length: int, repeated: float, generator: torch.Generator
) -> Int[Tensor, "count length"]:
    """Pieces of a text, of which a share is a shorter passage read again and again.

    A passage has between a quarter and half of the length, drawn for each, so that no fixed distance tells what
    comes next.
    """
    windows = text.windows(count, length, generator)
    again = round(repeated * count)
    periods = torch.randint(length // 4, length // 2 + 1, (again, 1), generator=generator)
    windows[:again] = windows[:again].gather(1, torch.arange(length) % periods)
    return windows


def read_twice(model: CheckpointModel, passages: Int[Tensor, "B T"]) -> tuple[float, float]:
    """Mean cross-entropy in the later half of passages, in the first reading and in a second right after it."""
    half, length = passages.shape[1] // 2, passages.shape[1]
    twice = passages.repeat(1, 2)
    log_probabilities = model(twice[:, :-1]).log_softmax(-1).gather(-1, twice[:, 1:, None])[..., 0]
    return float(-log_probabilities[:, half : length - 1].mean()), float(
        -log_probabilities[:, length + half :].mean()
    )


def train_language_model(
    model: CheckpointModel,
    text: Text,
    steps: int,
    generator: torch.Generator,
    length: int = 64,
    batch: int = 32,
    rate: float = 4e-3,
    repeated: float = 0.0,
    every: int = 100,
    keep: Callable[[CheckpointModel, int], None] | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> History:
    """Train on a text but its last tenth, by AdamW (0.9, 0.98), weight decay 0.1.

    Every record holds the loss on the text held out, and the losses of passages from it read a first and a second
    time.

    Arguments:
        model: as `small_language_model` gives it; its vocabulary is the text's.
        text: what it learns.
        steps: updates.
        generator: draws the pieces.
        length: tokens of each.
        batch: pieces a step.
        rate: of AdamW.
        repeated: share of the pieces that is a passage read again and again.
        every: steps between records.
        keep: takes the model of every recorded step.
        checkpoint: as in `fit`: the training goes on from there.
        progress: show a bar.

    Raises:
        SimonidesError: when the text is too short.
        DivergenceError: when the loss is no longer finite.
    """
    learned, held_out = parted(text, length, repeated)
    seen = torch.Generator().manual_seed(0)
    device = model.weight("W_E").device
    unseen = held_out.windows(batch, length + 1, seen).to(device)
    passages = held_out.windows(2 * batch, length // 2, seen).to(device)

    def surprises(m: CheckpointModel) -> dict[str, float]:
        first, second = read_twice(m, passages)
        return {"held_out": float(next_token_loss(m, unseen)), "first_reading": first, "second_reading": second}

    return fit(
        model,
        next_token_loss,
        lambda g: pieces(learned, batch, length + 1, repeated, g),
        lambda parameters: torch.optim.AdamW(parameters, rate, betas=(0.9, 0.98), weight_decay=0.1),
        steps,
        generator,
        records=Records(every=every, probes={"": surprises}, keep=keep, progress=progress),
        checkpoint=None if checkpoint is None else Checkpoint(path=checkpoint, every=every),
    )


def parted(text: Text, length: int, repeated: float) -> tuple[Text, Text]:
    """What is learned and what is held out of a text.

    Raises:
        SimonidesError: when the text is too short for pieces of this length, or the share is none.
    """
    if not 0 <= repeated <= 1:
        raise SimonidesError(f"repeated = {repeated} is no share; give a number in [0, 1].")
    check_at_least("length", length, 4)
    learned, held_out = text.split(HELD_OUT)
    if len(held_out) < length + 1:
        raise SimonidesError(
            f"the text has {len(text)} characters, the tenth that is held out {len(held_out)}, fewer than a piece of "
            f"{length + 1}; give a longer text or shorter pieces."
        )
    return learned, held_out


def save_step(model: CheckpointModel, text: Text, folder: Path) -> None:
    """Write a model as a checkpoint folder with a tokenizer of the text's characters, unless it is there."""
    if not (folder / "tokenizer.json").exists():
        tokenizer = json.dumps(characters_tokenizer(text))
        save_checkpoint(model, folder, beside={"tokenizer.json": tokenizer})


def characters_tokenizer(text: Text) -> dict[str, Any]:
    """A tokenizer.json that parts texts into the characters of a text; others are refused, or become one."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "WordLevel",
            "vocab": {character: number for number, character in enumerate(text.characters)},
            # a text all of whose characters are tokens has none for others: they are refused
            "unk_token": UNKNOWN if UNKNOWN in text.characters else "<unknown>",
        },
    }

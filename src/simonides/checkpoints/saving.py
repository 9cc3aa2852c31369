"""Checkpoints written: folders that open here and elsewhere, with what their source brought beside the model."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from simonides.base import SimonidesError, new_folder
from simonides.checkpoints.bridge import CheckpointModel
from simonides.checkpoints.opening import quiet_transformers, read_config
from simonides.checkpoints.tokens import TextTokens
from simonides.checkpoints.weight_files import weight_files

# whatever of these a checkpoint brings goes with it
_BESIDE = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "generation_config.json")


def save_checkpoint(model: CheckpointModel, folder: Path | str, beside: Mapping[str, str] | None = None) -> Path:
    """Write a model as a checkpoint folder: config.json and model.safetensors, in its own type.

    Arguments:
        model: the model.
        folder: must not exist, or be empty.
        beside: further text files by name, such as tokenizer.json.

    Raises:
        SimonidesError: when there is something in the folder, or it cannot be written.
    """
    with new_folder(Path(folder)) as place:
        _write(model, place)
        for name, content in (beside or {}).items():
            (place / name).write_text(content, encoding="utf-8")
    return Path(folder)


def rewrite_checkpoint(model: CheckpointModel, source: Path | str, folder: Path | str) -> Path:
    """Write a model that was opened from a checkpoint, with the tokenizer that it brought; an encoder with its heads.

    Weights are kept as they are in memory, so those that were not changed come back to the same bits. A GGUF file
    becomes a folder of Llama's layout.

    Raises:
        SimonidesError: as `save_checkpoint` and `TextTokens`.
    """
    origin = Path(source)
    with new_folder(Path(folder)) as place:
        if origin.is_dir():
            for pattern in _BESIDE:
                for path in origin.glob(pattern):
                    shutil.copyfile(path, place / path.name)
            if model.sizes.decoder:
                _write(model, place)
            else:
                _write_encoder(model, origin, place)
        else:
            TextTokens(origin).save(place / "tokenizer.json")
            _write(model, place)
    return Path(folder)


def _write(model: CheckpointModel, place: Path) -> None:
    inner: Any = model.model
    try:
        with quiet_transformers():
            inner.save_pretrained(place)
    except (OSError, SimonidesError):
        raise
    except Exception as error:  # whatever the library raises where it cannot write
        raise SimonidesError(f"{place.parent} cannot be written: {error}") from None


def _write_encoder(model: CheckpointModel, source: Path, place: Path) -> None:
    """An encoder under the names of its source, with the heads that were put upon it."""
    own = dict(model.model.state_dict())
    prefix = f"{model.model.base_model_prefix}."
    tensors: dict[str, Tensor] = {}
    for path in weight_files(source):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118
                known = name.removeprefix(prefix).replace("LayerNorm.gamma", "LayerNorm.weight")
                known = known.replace("LayerNorm.beta", "LayerNorm.bias")
                tensors[name] = own[known].contiguous() if known in own else file.get_tensor(name)
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
    dtype = str(model.weight("W_E").dtype).removeprefix("torch.")
    config = {**read_config(source), "dtype": dtype}
    config.pop("torch_dtype", None)
    (place / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

"""The weight files of a checkpoint folder, and what their headers tell before a model is built from them."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from simonides.base import SimonidesError, check_memory, read_json_object

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
# what the kinds of models call their number of layers
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
# masks, tables of positions, and heads that answer other questions than the next token
_NO_WEIGHTS = (
    "*attn.bias",
    "*attn.masked_bias",
    "*attention.bias",
    "*attention.masked_bias",
    "*inv_freq",
    "*position_ids",
    "*pooler*",
    "score.*",
    "classifier.*",
)
# of weights, as safetensors calls them
_KINDS = ("F64", "F32", "F16", "BF16")
_MOST = 2**31  # no size of a model is larger


def weight_files(folder: Path) -> list[Path]:
    """The files that make up a checkpoint, as `transformers` chooses them: model.safetensors, or those of its index.

    Raises:
        SimonidesError: when there are none, one is missing or is no regular file.
    """
    for path in folder.iterdir():
        if not path.is_file() and not path.is_dir():
            raise SimonidesError(f"{path} is no regular file; remove it from the checkpoint.")
    if (folder / _WHOLE).exists():
        return [folder / _WHOLE]
    if not (folder / _INDEX).exists():
        there = sorted(path.name for path in folder.iterdir())
        pickled = next((name for name in there if name.endswith(_PICKLED)), None)
        others = next((name for name in there if name.endswith(".safetensors")), None)
        why = f"; {pickled} is pickled, which may run code: convert it to safetensors" if pickled else ""
        why = f"; {others} is not read: rename it if it is the model" if others else why
        raise SimonidesError(f"{folder} has no {_WHOLE} and no {_INDEX}{why}.")
    parts = read_json_object(folder / _INDEX).get("weight_map")
    if not isinstance(parts, dict) or not parts:
        raise SimonidesError(f"{folder / _INDEX} names no files (weight_map); fetch it again.")
    names = sorted(set(map(str, parts.values())))
    if outside := [name for name in names if Path(name).name != name]:
        raise SimonidesError(f"{folder / _INDEX} names {outside[0]!r}, which is not a file of this folder.")
    if lost := [name for name in names if not (folder / name).is_file()]:
        raise SimonidesError(
            f"{folder} lacks {len(lost)} of {len(names)} weight files that its index names, such as {lost[0]}; "
            "fetch what is missing."
        )
    return [folder / name for name in names]


def is_weight(name: str) -> bool:
    """Whether a tensor of a checkpoint is one that the next token depends on."""
    return not any(fnmatchcase(name, pattern) for pattern in _NO_WEIGHTS)


def stored_names(folder: Path, files: Sequence[Path]) -> set[str]:
    """The name of every tensor of a checkpoint, from the headers of its files.

    Raises:
        SimonidesError: when a file is damaged, weights are quantised, a tensor is in two files, or one that the
            index names is in none.
    """
    names: set[str] = set()
    for path in files:
        try:
            with safe_open(path, "pt") as file:
                own = set(file.keys())
                kinds = {name: file.get_slice(name).get_dtype() for name in own}
        except (SafetensorError, OSError) as error:
            raise SimonidesError(f"{path} is damaged or no safetensors file ({error}); fetch it again.") from None
        if twice := sorted(own & names):
            raise SimonidesError(f"{path} holds {twice[0]}, which is in another file too; keep one of the two.")
        if other := sorted(name for name in own if kinds[name] not in _KINDS and is_weight(name)):
            raise SimonidesError(
                f"{path} holds {other[0]} as {kinds[other[0]]}: quantised weights, whose scale is not known; give the "
                "checkpoint in float32, float16 or bfloat16."
            )
        names |= own
    if not (folder / _WHOLE).exists():
        named = read_json_object(folder / _INDEX)["weight_map"]
        if lost := sorted(named.keys() - names):
            raise SimonidesError(f"{folder / _INDEX} names {lost[0]}, which is in none of the files.")
    return names


def check_sizes(folder: Path, config: Mapping[str, Any]) -> None:
    """Raise `SimonidesError` unless a configuration's sizes can be those of the files beside it.

    They are checked before a model is built, which a number with too many digits would never end.
    """
    for name, value in config.items():
        if isinstance(value, (int, float)) and abs(value) >= _MOST:
            raise SimonidesError(f"{folder / 'config.json'} has {name} = {value}, which no model has.")
    nested = config.get("rope_parameters")
    thetas = [
        part["rope_theta"] for part in (config, nested) if isinstance(part, Mapping) and "rope_theta" in part
    ]
    if len(thetas) == 2 and thetas[0] != thetas[1]:
        raise SimonidesError(
            f"{folder / 'config.json'} has rope_theta = {thetas[0]} and another one, {thetas[1]}, in rope_parameters; "
            "keep the right one."
        )
    files = weight_files(folder)
    needed = float(sum(path.stat().st_size for path in files))
    check_memory(f"the weights in {folder} need", needed, "open it on a larger machine")
    layers = len({match[0] for name in stored_names(folder, files) if (match := re.search(r"\d+", name))})
    for name in _LAYERS:
        if name in config and (type(config[name]) is not int or config[name] != layers):
            raise SimonidesError(
                f"{folder / 'config.json'} has {name} = {config[name]!r}, and the weight files hold {layers} layers; "
                "do they belong together?"
            )

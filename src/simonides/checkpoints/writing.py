"""Checkpoints written: folders in the layout they came in, which load here and elsewhere."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from simonides.base import SimonidesError
from simonides.checkpoints.layouts import layout_of, tensors_of
from simonides.checkpoints.network import PretrainedModel
from simonides.checkpoints.reading import opened_checkpoint
from simonides.checkpoints.tokens import TextTokens

# whatever of these a checkpoint brings goes with it
_BESIDE = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "generation_config.json")


def save_pretrained(
    model: PretrainedModel,
    config: Mapping[str, Any],
    folder: Path | str,
    rest: Mapping[str, Tensor] | None = None,
    beside: Mapping[str, str] | None = None,
) -> Path:
    """Write a model as a checkpoint folder: config.json and model.safetensors.

    Arguments:
        model: the weights.
        config: as in the config.json of its kind.
        folder: must not exist, or be empty.
        rest: further tensors that belong to the checkpoint.
        beside: further files by name, such as tokenizer.json.

    Raises:
        SimonidesError: when there is something in the folder, or it cannot be written.
    """
    with new_folder(Path(folder)) as place:
        (place / "config.json").write_text(json.dumps(dict(config), indent=2) + "\n", encoding="utf-8")
        tensors = tensors_of(config, model) | {name: t.contiguous() for name, t in (rest or {}).items()}
        save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
        for name, content in (beside or {}).items():
            (place / name).write_text(content, encoding="utf-8")
    return Path(folder)


def rewrite_checkpoint(model: PretrainedModel, checkpoint: Path | str, folder: Path | str) -> Path:
    """Write a model in the layout of the checkpoint it was loaded from, with all else that is in there.

    A GGUF file becomes a folder of Llama's layout. Weights are kept as they are in memory, so those that were not
    changed come back to the same bits.

    Raises:
        SimonidesError: as `save_pretrained` and `load_pretrained`.
    """
    source, target = Path(checkpoint), Path(folder)
    with opened_checkpoint(source) as (config, names, read), new_folder(target) as place:
        kept = dict(config) | {"dtype": str(model.W_E.dtype).removeprefix("torch.")}
        kept.pop("torch_dtype", None)
        rest: dict[str, Tensor] = {}
        if source.is_dir():
            known = layout_of(config).names(model.architecture.layers)
            rest = {name: found.clone() for name in names - known if (found := read(name)) is not None}
            for pattern in _BESIDE:
                for path in source.glob(pattern):
                    shutil.copyfile(path, place / path.name)
        else:
            kept["architectures"] = ["LlamaForCausalLM"]
            TextTokens(source).save(place / "tokenizer.json")
        save_pretrained(model, kept, place / "weights", rest)
        for path in (place / "weights").iterdir():
            path.replace(place / path.name)
        (place / "weights").rmdir()
    return target


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one, which takes its place when all is well and vanishes when not.

    Raises:
        SimonidesError: when there is something in the wanted folder, or it cannot be written.
    """
    place = folder.with_name(f".building-{folder.name}")
    try:
        check_free(folder)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        yield place
        if folder.exists():
            folder.rmdir()
        place.rename(folder)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise SimonidesError(f"{folder} cannot be written: {why}.") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


def check_free(folder: Path) -> None:
    """Raise `SimonidesError` unless the folder does not exist, or is empty."""
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise SimonidesError(f"{folder} holds something already; give a folder that does not exist.")

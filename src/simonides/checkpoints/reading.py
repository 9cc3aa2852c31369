"""Checkpoints on disk: a folder in Hugging Face's layout or a GGUF file, mapped into memory, one tensor at a time.

Nothing is unpickled: files in other formats are named and refused.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from simonides.base import SimonidesError
from simonides.checkpoints import gguf_files
from simonides.checkpoints.layouts import Read, architecture_of, layout_of, weights_of
from simonides.checkpoints.network import Architecture, PretrainedModel

# masks, tables of positions, and heads that are put upon a model
_NO_WEIGHTS = (
    "*.attn.bias",
    "*.attn.masked_bias",
    "*.attention.bias",
    "*.attention.masked_bias",
    "*inv_freq",
    "*position_ids",
    "*pooler*",
    "cls.*",
    "score.*",
    "classifier.*",
)
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def load_pretrained(checkpoint: Path | str, dtype: torch.dtype = torch.float32) -> PretrainedModel:
    """The decoder in a checkpoint folder (config.json, safetensors) or in a GGUF file.

    GPT-NeoX and Pythia, GPT-2, GPT-J, Llama and SmolLM, and BERT, an encoder; of GGUF files those of Llama's kind.

    Arguments:
        checkpoint: folder or file.
        dtype: of the weights in memory.

    Raises:
        SimonidesError: when the folder is no checkpoint, one that is not supported, or lacks weights: the message
            says which were expected and which there are.
    """
    path = Path(checkpoint)
    with opened_checkpoint(path) as (config, names, read):
        architecture = architecture_of(config)

        if architecture.layers > len(names):  # each has several; what lies is told before anything is made
            raise SimonidesError(
                f"{checkpoint}: config.json tells of {architecture.layers} layers, but the files hold "
                f"{len(names)} tensors; do they belong together?"
            )

        def typed(name: str) -> Tensor | None:
            found = read(name)
            return None if found is None else found.to(dtype)

        whole, layers = weights_of(config, architecture, typed)
        check_understood(path, config, architecture, names)
        if not architecture.encoder and "W_U" not in whole and not tied(config):
            raise SimonidesError(
                f"{path} has no unembedding, and its config.json does not tie it to the embedding."
            )
        try:
            return PretrainedModel(architecture, whole, layers)
        except SimonidesError as error:
            shown = ", ".join(sorted(names)[:8])
            raise SimonidesError(
                f"{checkpoint}: {error} The files hold {len(names)} tensors: {shown}, ..."
            ) from None


def tied(config: Mapping[str, Any]) -> bool:
    """Whether W_U is W_E where a configuration says so, or says nothing, as its kind has it."""
    return bool(config.get("tie_word_embeddings", config["model_type"] in ("gpt2", "bert")))


def check_understood(checkpoint: Path, config: Mapping[str, Any], a: Architecture, names: set[str]) -> None:
    """Raise `SimonidesError` where a checkpoint holds weights that no role takes: nothing is left out unseen."""
    unread = names - layout_of(config).names(a.layers)
    strange = sorted(n for n in unread if not any(fnmatchcase(n, pattern) for pattern in _NO_WEIGHTS))
    if config.get("quantization_config") or strange:
        what = f"tensors that are not understood, such as {strange[0]}" if strange else "quantised weights"
        raise SimonidesError(f"{checkpoint} holds {what}: it may be of another kind, or quantised in its own way.")


@contextmanager
def opened_checkpoint(path: Path) -> Iterator[tuple[dict[str, Any], set[str], Read]]:
    """The configuration, the tensors' names and a reader of a checkpoint, which stays mapped meanwhile.

    Raises:
        SimonidesError: when it is no checkpoint.
    """
    if path.suffix == ".gguf":
        with gguf_files.opened(path) as found:
            yield found
        return
    config = read_config(path)
    architecture_of(config)  # a kind that is not supported is told before its files are looked for
    with tensors(path) as (names, read):
        yield config, names, read


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a checkpoint folder.

    Raises:
        SimonidesError: when there is none, or it is no JSON object.
    """
    if not folder.is_dir():
        raise SimonidesError(f"{folder} is no folder; give the folder of a checkpoint, with config.json in it.")
    path = folder / "config.json"
    if not path.exists():
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise SimonidesError(f"{folder} has no config.json; it holds {there}.")
    return read_json_object(path)


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        SimonidesError: when it cannot be read, or is something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SimonidesError(f"{path} cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise SimonidesError(f"{path} is no JSON object; is it the file that it was?")
    return found


@contextmanager
def tensors(folder: Path) -> Iterator[tuple[set[str], Read]]:
    """The names of all tensors of a folder, and a function that reads one; its files stay mapped meanwhile.

    Raises:
        SimonidesError: when there are no safetensors, or a file is damaged.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = [path.name for path in sorted(folder.iterdir()) if path.suffix in _PICKLED]
        why = f"; {pickled[0]} is pickled, which may run code: convert it to safetensors" if pickled else ""
        raise SimonidesError(f"{folder} has no .safetensors file{why}.")
    with ExitStack() as stack:
        homes: dict[str, Any] = {}
        for path in files:
            try:
                opened = stack.enter_context(safe_open(path, "pt"))
                homes |= dict.fromkeys(opened.keys(), opened)
            except (OSError, SafetensorError) as error:
                raise SimonidesError(f"{path} cannot be read: {error}; fetch it again.") from None
        yield set(homes), lambda name: homes[name].get_tensor(name) if name in homes else None

"""Checkpoints opened: a folder in Hugging Face's layout, a GGUF file, or a model that is in memory already.

Nothing is unpickled, no code of a checkpoint is run, nothing is fetched: what cannot be read so is named and refused.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import nn

from simonides.base import SimonidesError, check_finite, read_json_object
from simonides.checkpoints.bridge import CheckpointModel
from simonides.checkpoints.families import check_family, family_of
from simonides.checkpoints.gguf_files import open_gguf
from simonides.checkpoints.verification import verify_roles
from simonides.checkpoints.weight_files import check_sizes, is_weight

# heads that an encoder was trained with, which its stream does not need
_ENCODER_HEADS = ("cls.*", "lm_head.*", "vocab_*")


def open_checkpoint(
    source: nn.Module | Path | str, dtype: torch.dtype | None = None, verify: bool = True
) -> CheckpointModel:
    """A checkpoint's model with its roles (extra `checkpoints`).

    Arguments:
        source: a folder with config.json and safetensors, a GGUF file of Llama's kind, or a model of `transformers`.
        dtype: of the weights in memory; by default a folder's own, and float32 of a GGUF file.
        verify: whether its first and last layer are rebuilt from their roles before it is trusted.

    Raises:
        SimonidesError: when it is no checkpoint, is of a kind that is not supported, is damaged, or holds something
            that its roles do not tell.
    """
    if isinstance(source, nn.Module):
        return _trusted(source, verify)
    if not isinstance(source, (str, Path)):
        raise SimonidesError(
            f"a {type(source).__name__} is no checkpoint; give a path, or a model of transformers."
        )
    path = Path(source)
    with quiet_transformers():
        inner = open_gguf(path, dtype) if path.suffix == ".gguf" else _open_folder(path, dtype)
        try:
            return _trusted(inner.requires_grad_(False), verify)
        except SimonidesError:
            raise
        except Exception as error:  # a configuration may ask for what no model can do
            raise SimonidesError(f"{path} describes no model that runs: {_first_line(error)}") from None


def _trusted(inner: nn.Module, verify: bool) -> CheckpointModel:
    """A model with its roles, whose numbers are numbers and whose roles are checked."""
    model = CheckpointModel(inner)
    check_finite(**dict(model.model.named_parameters()))
    if verify:
        verify_roles(model, sorted({0, model.sizes.layers - 1}))
    return model


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a checkpoint folder, as JSON.

    Raises:
        SimonidesError: when there is none, it is no JSON object, or it asks for what is not supported.
    """
    if not folder.is_dir():
        raise SimonidesError(f"{folder} is no folder; give the folder of a checkpoint, with config.json in it.")
    path = folder / "config.json"
    if not path.exists():
        there = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
        raise SimonidesError(f"{folder} has no config.json; it holds {there}.")
    config = read_json_object(path)
    check_family(config.get("model_type"))
    if config.get("auto_map"):
        raise SimonidesError(f"{folder} brings code of its own (auto_map in config.json), which is not run.")
    if config.get("quantization_config"):
        raise SimonidesError(
            f"{folder} holds quantised weights; give the checkpoint in float32, float16 or bfloat16."
        )
    return config


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """A context in which `transformers` neither fetches nor prints.

    Raises:
        SimonidesError: when it is not installed.
    """
    offline = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"  # read where the library is imported first, and asked again on the way
    try:
        from transformers.utils import logging as theirs
    except ImportError:
        raise SimonidesError(
            "checkpoints need the package transformers; run: pip install 'simonides[checkpoints]'"
        ) from None
    verbosity, bar = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(logging.CRITICAL)
    theirs.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        theirs.set_verbosity(verbosity)
        if offline is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = offline
        if bar:
            theirs.enable_progress_bar()  # type: ignore[no-untyped-call]


def _open_folder(folder: Path, dtype: torch.dtype | None) -> Any:
    check_sizes(folder, read_config(folder))
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        family = family_of(config)
        kind: Any = transformers.AutoModel if family.unembedding is None else transformers.AutoModelForCausalLM
        model, loading = kind.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=dtype or "auto",
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, with the tensor's name
            **({"attn_implementation": "eager"} if family.eager else {}),
        )
    except SimonidesError:
        raise
    except Exception as error:  # whatever a damaged checkpoint does to the library is told with its place
        raise SimonidesError(f"{folder} cannot be opened: {_first_line(error)}") from None
    missing = sorted(loading["missing_keys"])
    if family.unembedding is None:
        missing = [name for name in missing if "pooler" not in name]
    skipped = _ENCODER_HEADS if family.unembedding is None else ()
    strange = sorted(
        name
        for name in loading["unexpected_keys"]
        if is_weight(name) and not any(fnmatchcase(name, known) for known in skipped)
    )
    if missing:
        raise SimonidesError(
            f"{folder} lacks {len(missing)} tensors that its config.json asks for, such as {missing[0]}; do they "
            "belong together, and are all files there?"
        )
    if strange:
        raise SimonidesError(
            f"{folder} holds {len(strange)} tensors that a {config.model_type} has no place for, such as "
            f"{strange[0]}: it may be of another kind, or quantised in its own way."
        )
    if loading["mismatched_keys"]:
        name, stored, asked = min(loading["mismatched_keys"])
        raise SimonidesError(
            f"{folder} holds {name} of shape {list(stored)}, and its config.json asks for {list(asked)}; do they "
            "belong together?"
        )
    return model


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"

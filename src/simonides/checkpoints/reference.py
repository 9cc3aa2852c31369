"""A checkpoint against the reference library's forward pass, where that is installed."""

import os
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from simonides.base import SimonidesError
from simonides.checkpoints.network import PretrainedModel


def reference_difference(checkpoint: Path | str, model: PretrainedModel, tokens: Int[Tensor, "B T"]) -> float:
    """The largest difference of log probabilities between a model and the same checkpoint in transformers.

    Raises:
        SimonidesError: when transformers is not installed, or does not open the checkpoint.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging
    except ImportError:
        raise SimonidesError("transformers is not installed; pip install transformers") from None
    quiet: Any = logging.disable_progress_bar
    quiet()
    path = Path(checkpoint)
    if not path.is_dir():
        raise SimonidesError("only folders are compared, not GGUF files")
    try:
        theirs: Any = AutoModelForCausalLM.from_pretrained(
            path, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        theirs.eval()
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise SimonidesError(f"transformers does not open it: {error}") from None
    with torch.no_grad():
        expected = theirs(tokens).logits.log_softmax(-1)
        found = model(tokens).float().log_softmax(-1)
    return float((found - expected).abs().max())

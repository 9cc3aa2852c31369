"""Tensors to a file, whole or not at all."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from simonides.base.files import replacing


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file; tensors that share memory are written each for itself.

    Arguments:
        path: of the file; its folder is made.
        tensors: by name, on any device.
        metadata: texts beside them.

    Raises:
        SimonidesError: when it cannot be written.
    """
    # two names may share a tensor (tied embeddings): safetensors wants copies
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with replacing(path) as partial:
        try:
            save_file(copies, partial, metadata=None if metadata is None else dict(metadata))
        except SafetensorError as error:
            raise OSError(str(error)) from None

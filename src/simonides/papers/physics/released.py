"""Released weights of multiple physics pretraining, as files of torch or safetensors, in our model.

McCabe et al. (2024), https://github.com/PolymathicAI/multiple_physics_pretraining: a bare state dictionary, or one
under "model_state", each with or without the prefix "module.".
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from simonides.base import SimonidesError
from simonides.papers.physics.avit import AViT, load_weights
from simonides.papers.physics.avit_config import AViTConfig

# the vocabulary of the released weights: twelve labels, of which two were never used
RELEASED_FIELDS = (
    "swe:h",
    "incompNS:Vx",
    "incompNS:Vy",
    "incompNS:particles",
    "diffre2d:activator",
    "diffre2d:inhibitor",
    "compNS:Vx",
    "compNS:Vy",
    "compNS:density",
    "compNS:pressure",
    "unused:10",
    "unused:11",
)
_HEADS = {"input_head": "in", "output_head": "out"}
_RENAMED = (
    (r"space_bag\.weight", "stem.columns"),
    (r"space_bag\.bias", "stem.bias"),
    (r"debed\.out_kernel", "read_out.field_kernels"),
    (r"debed\.out_bias", "read_out.field_bias"),
    (r"blocks\.(\d+)\.temporal\.gamma", r"blocks.\1.time.gain"),
    (r"blocks\.(\d+)\.temporal\.norm1\.weight", r"blocks.\1.time.read_norm.gain"),
    (r"blocks\.(\d+)\.temporal\.norm1\.bias", r"blocks.\1.time.read_norm.bias"),
    (r"blocks\.(\d+)\.temporal\.norm2\.weight", r"blocks.\1.time.write_norm.gain"),
    (r"blocks\.(\d+)\.temporal\.norm2\.bias", r"blocks.\1.time.write_norm.bias"),
    (r"blocks\.(\d+)\.spatial\.gamma_att", r"blocks.\1.space.gain"),
    (r"blocks\.(\d+)\.spatial\.gamma_mlp", r"blocks.\1.gain"),
    (r"blocks\.(\d+)\.spatial\.norm1\.weight", r"blocks.\1.space.read_norm.gain"),
    (r"blocks\.(\d+)\.spatial\.norm2\.weight", r"blocks.\1.space.write_norm.gain"),
    (r"blocks\.(\d+)\.spatial\.mlp_norm\.weight", r"blocks.\1.norm.gain"),
    (r"blocks\.(\d+)\.spatial\.mlp\.fc1\.weight", r"blocks.\1.W_in"),
    (r"blocks\.(\d+)\.spatial\.mlp\.fc1\.bias", r"blocks.\1.b_in"),
    (r"blocks\.(\d+)\.spatial\.mlp\.fc2\.weight", r"blocks.\1.W_out"),
    (r"blocks\.(\d+)\.spatial\.mlp\.fc2\.bias", r"blocks.\1.b_out"),
)
# biases that the released norms hold and never use
_UNUSED = re.compile(
    r"(embed\.in_proj\.\d+|debed\.out_proj\.\d+|blocks\.\d+\.spatial\.(norm1|norm2|mlp_norm))\.bias"
)


def unused_parameters(config: AViTConfig) -> int:
    """How many numbers the released models count beside ours: biases of norms that are never added."""
    stages = {16: 3, 8: 2, 4: 1}[config.patch]
    in_stem = (stages - 1) * (config.d // 4) + config.d
    in_read_out = (stages - 1) * (config.d // 4)
    return in_stem + in_read_out + 3 * config.d * config.blocks


def load_released(path: Path | str, fields: tuple[str, ...] = RELEASED_FIELDS) -> AViT:
    """A model with released weights; its size is read off their shapes.

    A file of torch is read by `torch.load(weights_only=True)`, which builds tensors and plain containers alone and runs
    no code of the file.

    Arguments:
        path: the released file, or the same tensors as safetensors.
        fields: names of the labels, in order.

    Raises:
        SimonidesError: when the file cannot be read, or holds other tensors.
    """
    path = Path(path)
    tensors = _tensors(path)
    try:
        kernel, columns = tensors["embed.in_proj.0.weight"], tensors["space_bag.weight"]
        h = tensors["blocks.0.temporal.qnorm.weight"].shape[0]
        blocks = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("blocks."))
        d = 4 * columns.shape[0]
        heads = d // h
    except (KeyError, ValueError, IndexError, ZeroDivisionError) as error:
        raise SimonidesError(f"{path} holds no weights of the released model ({error}).") from None
    if columns.dim() != 2 or len(fields) != columns.shape[1]:
        raise SimonidesError(
            f"{path} has {list(columns.shape)[1:]} fields; {len(fields)} names were given: {fields}."
        )
    config = AViTConfig(
        fields=fields,
        d=d,
        heads=heads,
        blocks=blocks,
        dimensions=kernel.dim() - 2,
        patch=16,
        predict="state",
        wrap="official",
        drop_path=0.2,
    )
    model = AViT(config, torch.Generator().manual_seed(0))
    named = {_renamed(name): value for name, value in tensors.items() if not _UNUSED.fullmatch(name)}
    pointwise = {
        name: value.flatten(1) if name.endswith(("attention.W_in", "attention.W_out")) else value
        for name, value in named.items()
    }
    load_weights(model, {name: value.float() for name, value in pointwise.items()}, str(path))
    return model


def _renamed(name: str) -> str:
    """Our name of a released tensor; one that is not known keeps its own, and is refused by that."""
    for pattern, ours in _RENAMED:
        if found := re.fullmatch(pattern, name):
            return found.expand(ours)
    if found := re.fullmatch(r"embed\.in_proj\.(\d+)\.weight", name):
        place = int(found[1])
        return f"stem.norms.{place // 3}.gain" if place % 3 else f"stem.kernels.{place // 3}"
    if found := re.fullmatch(r"debed\.out_proj\.(\d+)\.weight", name):
        place = int(found[1])
        return f"read_out.norms.{place // 3}.gain" if place % 3 else f"read_out.kernels.{place // 3}"
    if found := re.fullmatch(r"blocks\.(\d+)\.(temporal|spatial)\.(.+)", name):
        where = f"blocks.{found[1]}.{'time' if found[2] == 'temporal' else 'space'}.attention"
        head, _, kind = found[3].rpartition(".")
        if head in _HEADS:
            return f"{where}.{'W' if kind == 'weight' else 'b'}_{_HEADS[head]}"
        if head in ("qnorm", "knorm"):
            return f"{where}.{'query' if head == 'qnorm' else 'key'}_norm.{kind}"
        if found[3] == "rel_pos_bias.relative_attention_bias.weight":
            return f"{where}.relative.table"
    return name


def _tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their released names."""
    if not path.is_file():
        raise SimonidesError(f"{path} does not exist, or is no file; give the file of released weights.")
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        elif zipfile.is_zipfile(path):
            content = torch.load(path, map_location="cpu", weights_only=True)
        else:
            raise SimonidesError(f"{path} is neither a file of torch nor safetensors; give the released file.")
    except SimonidesError:
        raise
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise SimonidesError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}.") from None
    except Exception as error:  # the restricted reader of torch refuses by an error of its own
        raise SimonidesError(f"{path} is refused: {' '.join(str(error).split())[:200]}.") from None
    if isinstance(content, Mapping) and "model_state" in content:
        content = content["model_state"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise SimonidesError(f"{path} holds no dictionary of tensors, nor one under model_state.")
    return {str(name).removeprefix("module."): value for name, value in content.items()}

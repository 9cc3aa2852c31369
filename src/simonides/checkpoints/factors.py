"""Truncated matrices kept as two narrow ones: r (m + n) numbers in place of m n."""

import json
from collections.abc import Mapping
from pathlib import Path

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from simonides.base import SimonidesError, write_tensors

Factors = tuple[Float[Tensor, "m r"], Float[Tensor, "r n"]]


def save_factors(factors: Mapping[tuple[int, str], Factors], path: Path | str) -> int:
    """Write left and right factors of some matrices by layer and name; returns how many numbers they are.

    Raises:
        SimonidesError: when the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for (layer, matrix), (left, right) in factors.items():
        tensors[f"layers.{layer}.{matrix}.left"] = left
        tensors[f"layers.{layer}.{matrix}.right"] = right
    about = {"simonides": json.dumps({"product": "W = left @ right", "matrices": len(factors)})}
    write_tensors(Path(path), tensors, about)
    return sum(tensor.numel() for tensor in tensors.values())


def load_factors(path: Path | str) -> dict[tuple[int, str], Factors]:
    """The factors in a file, by layer and name.

    Raises:
        SimonidesError: when it cannot be read, or holds something else.
    """
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            factors: dict[tuple[int, str], Factors] = {}
            for name in names:
                _, layer, matrix, side = name.split(".")
                if side == "left":
                    right = file.get_tensor(f"layers.{layer}.{matrix}.right")
                    factors[int(layer), matrix] = (file.get_tensor(name), right)
    except (OSError, SafetensorError, ValueError) as error:
        raise SimonidesError(f"{path} holds no factors: {error}.") from None
    return factors

"""What an AViT is made of: its sizes, its vocabulary of fields, and what it predicts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simonides.base import SimonidesError, check_at_least, check_name, check_not_negative
from simonides.papers.physics.patches import STRIDES
from simonides.papers.physics.spacetime import WRAPS

PREDICTIONS = ("state", "delta")
# width, heads and blocks; the first four are the paper's
SIZES = {
    "Ti": (192, 3, 12),
    "S": (384, 6, 12),
    "B": (768, 12, 12),
    "L": (1024, 16, 24),
    "mini": (96, 3, 4),
    "micro": (64, 2, 3),
}


@dataclass(frozen=True, kw_only=True)
class AViTConfig:
    """What a model is made of.

    Arguments:
        fields: the vocabulary, as "system:field"; the place of a name is its label.
        d, heads, blocks: width, attention heads, blocks.
        dimensions: axes of space, 1 to 3.
        patch: cells along each side of a token: 16, 8 or 4.
        predict: "state", the next frame itself, as in the paper; or "delta", what is added to the last frame, in units
            of the window's own increments.
        normalise: whether fields are normalised by the window (Kim et al. 2022, without the learned affine map).
        wrap: how distances are taken on periodic axes: "shift", or "official" for released weights.
        faces: whether tokens at walls and open faces are told of them by a learned vector, zero at first; the paper's
            model knows only whether an axis is periodic.
        layer_scale: gains of residual paths at first.
        drop_path: share of the samples that skip a path of the last block in training, rising from 0 in the first.
    """

    fields: tuple[str, ...]
    d: int = 96
    heads: int = 3
    blocks: int = 4
    dimensions: int = 2
    patch: int = 8
    predict: str = "delta"
    normalise: bool = True
    wrap: str = "shift"
    faces: bool = False
    layer_scale: float = 1e-6
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        for name in ("d", "heads", "blocks", "dimensions"):
            check_at_least(name, getattr(self, name), 1)
        check_names(self.fields)
        if self.d % 4 or self.d % self.heads:
            raise SimonidesError(f"d = {self.d} has to be a multiple of 4 and of the {self.heads} heads.")
        if self.dimensions > 3:
            raise SimonidesError(f"dimensions = {self.dimensions}; space has one, two or three axes.")
        if not isinstance(self.patch, int) or self.patch not in STRIDES:
            raise SimonidesError(f"patch = {self.patch}; give one of {', '.join(map(str, STRIDES))}.")
        check_name("predict", self.predict, PREDICTIONS)
        check_name("wrap", self.wrap, WRAPS)
        for name in ("normalise", "faces"):
            if not isinstance(getattr(self, name), bool):
                raise SimonidesError(f"{name} = {getattr(self, name)!r}; give True or False.")
        for name in ("layer_scale", "drop_path"):
            if not isinstance(getattr(self, name), (int, float)):
                raise SimonidesError(f"{name} = {getattr(self, name)!r}; give a number.")
        check_not_negative("layer_scale", self.layer_scale)
        if not 0 <= self.drop_path < 1:
            raise SimonidesError(f"drop_path = {self.drop_path}; give a share of at least 0 and below 1.")


def paper_config(size: str, fields: Iterable[str], **changes: Any) -> AViTConfig:
    """The paper's setting of a size: "Ti", "S", "B" or "L"; "mini" and "micro" are for a processor without a GPU.

    Arguments:
        size: a name in `SIZES`.
        fields: the vocabulary.
        changes: other settings.

    Raises:
        SimonidesError: when the size is unknown.
    """
    check_name("size", size, SIZES)
    d, heads, blocks = SIZES[size]
    chosen: dict[str, Any] = {"d": d, "heads": heads, "blocks": blocks, "fields": tuple(fields)}
    if size in ("Ti", "S", "B", "L"):
        chosen |= {"patch": 16, "predict": "state", "drop_path": 0.2}
    else:
        # in a few hundred updates paths that begin at 1e-6 fall behind
        chosen |= {"layer_scale": 0.1}
    return AViTConfig(**{**chosen, **changes})


def check_names(fields: tuple[str, ...]) -> None:
    """Raise `SimonidesError` unless these are different names of the form "system:field"."""
    if not isinstance(fields, tuple) or not fields:
        raise SimonidesError(
            f"fields came as {fields!r}; give a tuple of names, such as ('shallow-water:height',)."
        )
    for name in fields:
        if not isinstance(name, str) or not all(name.partition(":")[::2]):
            raise SimonidesError(f"the field {name!r} is not of the form system:field, as shallow-water:height.")
    if len(set(fields)) < len(fields):
        twice = next(name for name in fields if fields.count(name) > 1)
        raise SimonidesError(f"the field {twice!r} is there twice.")

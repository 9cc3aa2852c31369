"""Trajectories in a file of any layout: which arrays hold which fields, and how a window of frames is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError
from simonides.papers.physics.file_handles import Kind, Signature, opened
from simonides.papers.physics.simulations import AXES, BOUNDARY_KINDS, Source, check_boundaries, check_piece

Boundaries = tuple[tuple[str, str], ...]
# values of a trajectory that are held in memory at once, where all of it is gone through
_MOST_VALUES = 2**24


@dataclass(frozen=True, kw_only=True)
class Block:
    """Channels that lie in one array of a file.

    Arguments:
        array: its name in the file; `{}` stands for the group of a trajectory.
        axes: a letter for each of its axes: n trajectory, t time, x, y, z space, c and d components.
        shape: of the array.
        scale, offset: value = number * scale + offset (CF conventions, section 8.1).
        missing: numbers that stand for no value.
    """

    array: str
    axes: str
    shape: tuple[int, ...]
    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[float, ...] = ()

    @property
    def components(self) -> int:
        """Channels in it."""
        return int(np.prod([size for letter, size in zip(self.axes, self.shape, strict=True) if letter in "cd"]))


@dataclass(frozen=True, kw_only=True, eq=False)
class FileSource:
    """Trajectories of one system in a file; a `Source`. It is opened at the first reading in each process.

    Arguments:
        system, fields, shape, trajectories, steps, times, boundaries, split, place: as a `Source` has them.
        coordinates: centres of the cells along each axis.
        path, kind, signature: of the file.
        blocks: arrays that hold the fields, in the order of the fields.
        groups: of the file, one for each trajectory, where the arrays lie in groups.
        axes: names of the axes of space.
        parameters: numbers that belong to each trajectory, by name.
        constant_fields: fields of the file that do not change with time; they are not read.
        left_out: scalars of the file that are no single number a trajectory; they are not read.

    Raises:
        SimonidesError: when there is no trajectory, times do not grow, or boundaries do not go together.
    """

    system: str
    fields: tuple[str, ...]
    shape: tuple[int, ...]
    trajectories: int
    steps: int
    times: Float[Tensor, " steps"]
    coordinates: tuple[Float[Tensor, " _"], ...]
    boundaries: Boundaries
    path: Path
    kind: Kind
    signature: Signature
    blocks: tuple[Block, ...]
    split: str = ""
    place: str
    groups: tuple[str, ...] = ()
    axes: tuple[str, ...]
    parameters: Mapping[str, Float[Tensor, " trajectories"]] = field(default_factory=dict)
    constant_fields: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.trajectories < 1 or self.steps < 1 or min(self.shape) < 1:
            raise SimonidesError(
                f"{self.place} holds nothing: {self.trajectories} trajectories of {self.steps} frames of "
                f"{list(self.shape)} cells."
            )
        if not self.fields or len(set(self.fields)) != len(self.fields):
            raise SimonidesError(f"{self.place} has the fields {self.fields}; expected at least one, each once.")
        if not bool((self.times.diff() > 0).all()):
            raise SimonidesError(f"{self.place}: the times of the frames do not grow from each to the next.")
        check_boundaries(self.place, self.boundaries, len(self.shape))

    def read(
        self, trajectory: int, start: int, stop: int, stride: int = 1
    ) -> Float[Tensor, "steps fields *space"]:
        """Frames start, start + stride, ... before stop of one trajectory, as float32; no other byte is read.

        Raises:
            SimonidesError: when there is no such trajectory or frame, the file cannot be read, or a value is missing,
                NaN or infinite.
        """
        check_piece(self, trajectory, start, stop, stride)
        frames = slice(start, stop, stride)
        count = len(range(start, stop, stride))
        values = np.empty((count, len(self.fields), *self.shape), np.float32)
        arrays = opened(self, self.path, self.kind, self.signature)
        first = 0
        for block in self.blocks:
            name = block.array.format(self.groups[trajectory]) if self.groups else block.array
            try:
                array = arrays(name)
                if tuple(array.shape) != block.shape:
                    raise SimonidesError(
                        f"{self.place}: {name} has shape {list(array.shape)}; expected {list(block.shape)}, as the "
                        "others have."
                    )
                piece = array[tuple({"n": trajectory, "t": frames}.get(a, slice(None)) for a in block.axes)]
            except (OSError, KeyError, RuntimeError, AttributeError) as error:
                line = " ".join(str(error).split())[:200]
                raise SimonidesError(f"{self.place}: {name} cannot be read: {line}.") from None
            channels = slice(first, first + block.components)
            ordered = self._ordered(block, piece, trajectory, frames)
            with np.errstate(over="ignore"):  # what float32 cannot hold is found below
                values[:, channels] = ordered
            if ordered.dtype.itemsize > 2 and ordered.dtype != np.float32:
                self._check_rounding(ordered, values[:, channels], first, trajectory)
            first += block.components
        if not np.isfinite(values).all():
            frame, channel = np.argwhere(~np.isfinite(values))[0][:2]
            raise SimonidesError(
                f"{self.place}: field {self.fields[channel]} is NaN or infinite, as float32, in trajectory "
                f"{trajectory}, frame {start + frame * stride}; leave this trajectory out of the file."
            )
        return torch.from_numpy(values)

    def _check_rounding(self, exact: np.ndarray, rounded: np.ndarray, first: int, trajectory: int) -> None:
        """Refuse a field whose changes float32 cannot hold beside its offset."""
        axes = (0, *range(2, exact.ndim))
        spread = exact.max(axes).astype(np.float64) - exact.min(axes)
        error = np.abs(rounded.astype(np.float64) - exact).max(axes)
        # what is not finite is told by the caller
        wrong = np.flatnonzero(np.isfinite(error) & (error > 0.01 * spread) & (spread > 0))
        if len(wrong):
            raise SimonidesError(
                f"{self.place}: field {self.fields[first + wrong[0]]} spreads over {spread[wrong[0]]:.3g} in "
                f"trajectory {trajectory}, less than float32 tells apart at its size; subtract its mean in the file."
            )

    def _ordered(self, block: Block, piece: np.ndarray, trajectory: int, frames: slice) -> np.ndarray:
        """A piece of an array as frames x channels x space, values in place of numbers."""
        for number in block.missing:
            gaps = np.isnan(piece) if np.isnan(number) else piece == number
            if gaps.any():
                frame = np.argwhere(np.moveaxis(gaps, block.axes.replace("n", "").index("t"), 0))[0][0]
                raise SimonidesError(
                    f"{self.place}: {block.array} has a missing value ({number:g}) in trajectory {trajectory}, frame "
                    f"{frames.start + frame * frames.step}; fill the gaps, or leave this trajectory out."
                )
        if (block.scale, block.offset) != (1.0, 0.0):
            piece = piece.astype(np.float64) * block.scale + block.offset
        axes = block.axes.replace("n", "")
        space = AXES[: len(self.shape)]
        order = [axes.index(letter) for letter in ("t", "c", "d", *space) if letter in axes]
        sizes = [piece.shape[axes.index(letter)] if letter in axes else 1 for letter in space]
        return piece.transpose(order).reshape(-1, block.components, *sizes)


def chosen_boundaries(
    place: str, given: str | Boundaries | None, known: str | None, dimensions: int
) -> Boundaries:
    """Boundaries that were given, one kind for all faces or two an axis, or else the kind that is known.

    Raises:
        SimonidesError: when none is given or known.
    """
    chosen = given or known
    if chosen is None:
        raise SimonidesError(
            f"{place} does not tell its boundaries; give boundaries, one of {', '.join(BOUNDARY_KINDS)}."
        )
    if isinstance(chosen, str):
        chosen = ((chosen, chosen),) * dimensions
    check_boundaries(place, chosen, dimensions)
    return chosen


def check_number_array(place: str, name: str, array: Any, dimensions: Sequence[int]) -> None:
    """Raise `SimonidesError` unless an array holds real numbers in one of these numbers of dimensions."""
    if array.dtype.kind not in "fiu":
        raise SimonidesError(f"{place}: {name} holds {array.dtype}; expected real numbers, such as float32.")
    if len(array.shape) not in dimensions:
        raise SimonidesError(
            f"{place}: {name} has shape {list(array.shape)}; expected {' or '.join(map(str, dimensions))} dimensions."
        )


def check_same_shape(place: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The one shape that all arrays have.

    Raises:
        SimonidesError: when they differ.
    """
    if len(set(shapes.values())) != 1:
        told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise SimonidesError(f"{place}: the sizes of the fields do not agree: {told}.")
    return next(iter(shapes.values()))


def axis_values(place: str, name: str, array: Any, count: int) -> Float[Tensor, " count"]:
    """The first `count` values of a grid of time or space, in its own precision; one a trajectory where all agree.

    Raises:
        SimonidesError: when there are fewer, they are not finite, or trajectories differ.
    """
    check_number_array(place, name, array, (1, 2))
    values = np.asarray(array[...])
    if values.shape[-1] < count or values.size == 0:
        raise SimonidesError(f"{place}: {name} has {values.shape[-1]} values for {count} of the fields.")
    values = values[..., :count]
    if values.dtype.kind != "f" or values.dtype.itemsize < 4:
        values = values.astype(np.float64)
    values = values.astype(values.dtype.newbyteorder("="))
    if not np.isfinite(values).all():
        raise SimonidesError(f"{place}: {name} holds NaN or infinite numbers.")
    if values.ndim == 2:
        width = float(np.ptp(values[0])) or 1.0
        if np.abs(values - values[0]).max() > 1e-4 * width / max(count - 1, 1):
            raise SimonidesError(
                f"{place}: {name} differs between trajectories; put them into files of their own."
            )
        values = values[0]
    return torch.from_numpy(values.copy())


def pieces(
    source: Source, trajectory: int, overlap: int = 0
) -> Iterator[tuple[int, Float[Tensor, "steps fields *space"]]]:
    """A trajectory in pieces that memory holds, each with the number of its first frame.

    Arguments:
        source: that is read.
        trajectory: its number.
        overlap: frames of the next piece that each has at its end.
    """
    frames = max(1, _MOST_VALUES // (len(source.fields) * int(np.prod(source.shape))))
    for start in range(0, source.steps, frames):
        yield start, source.read(trajectory, start, min(start + frames + overlap, source.steps))

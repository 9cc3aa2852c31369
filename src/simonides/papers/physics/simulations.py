"""What a simulation is to a reader: trajectories of named fields on a grid, in memory or on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_at_least, check_name

AXES = ("x", "y", "z")
# what a face of the domain may be, in the order of The Well's numbers 0, 1, 2
BOUNDARY_KINDS = ("wall", "open", "periodic")
SPLITS = ("train", "valid", "test")


@runtime_checkable
class Source(Protocol):
    """Trajectories of one system on one grid, read a piece at a time."""

    @property
    def system(self) -> str:
        """Its name."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the channels; components of a vector field end in `_x`, `_y`, `_z`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis of space, x first."""

    @property
    def trajectories(self) -> int:
        """How many there are."""

    @property
    def steps(self) -> int:
        """Frames of each trajectory."""

    @property
    def times(self) -> Float[Tensor, " steps"]:
        """Of the frames."""

    @property
    def boundaries(self) -> tuple[tuple[str, str], ...]:
        """Kinds of the lower and the upper face of each axis, names in `BOUNDARY_KINDS`."""

    @property
    def split(self) -> str:
        """ "train", "valid" or "test" where the files say so, else ""."""

    @property
    def place(self) -> str:
        """Where it comes from, for messages."""

    def read(
        self, trajectory: int, start: int, stop: int, stride: int = 1
    ) -> Float[Tensor, "steps fields *space"]:
        """Frames start, start + stride, ... before stop of one trajectory, as float32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulations:
    """Trajectories of one system on one grid, in memory; a `Source`.

    Arguments:
        system: its name.
        fields: names of the channels; components of a vector field end in `_x`, `_y`, `_z`.
        values: the fields.
        times: of the frames, in increasing order.
        coordinates: centres of the cells along each axis.
        boundaries: kinds of the lower and the upper face of each axis, names in `BOUNDARY_KINDS`.
        parameters: numbers that belong to each trajectory, by name.
        split: "train", "valid", "test", or "" where there is none.
        place: where it comes from, for messages.

    Raises:
        SimonidesError: when names, shapes and boundaries do not go together.
    """

    system: str
    fields: tuple[str, ...]
    values: Float[Tensor, "trajectories steps fields *space"]
    times: Float[Tensor, " steps"]
    coordinates: tuple[Float[Tensor, " _"], ...]
    boundaries: tuple[tuple[str, str], ...]
    parameters: Mapping[str, Float[Tensor, " trajectories"]] = field(default_factory=dict)
    split: str = ""
    place: str = "memory"

    def __post_init__(self) -> None:
        if not isinstance(self.values, Tensor) or not 4 <= self.values.dim() <= 6:
            raise SimonidesError(
                f"{self.system}: values have to be a tensor of trajectories x steps x fields x one to three axes of "
                "space."
            )
        trajectories, steps, count = self.values.shape[:3]
        if len(set(self.fields)) != count or len(self.fields) != count:
            raise SimonidesError(
                f"{self.system}: {count} channels need {count} different names, not {self.fields}."
            )
        if len(self.times) != steps or tuple(len(axis) for axis in self.coordinates) != self.shape:
            raise SimonidesError(
                f"{self.system}: {len(self.times)} times and coordinates of {[len(a) for a in self.coordinates]} cells "
                f"for {steps} frames of {list(self.shape)} cells."
            )
        if len(self.boundaries) != len(self.shape):
            raise SimonidesError(
                f"{self.system}: give boundaries of {len(self.shape)} axes, not {self.boundaries}."
            )
        for faces in self.boundaries:
            for kind in faces:
                check_name("boundary", kind, BOUNDARY_KINDS)
            if faces.count("periodic") == 1:
                raise SimonidesError(f"{self.system}: an axis is periodic on both faces or on none, not {faces}.")
        for name, numbers in self.parameters.items():
            if tuple(numbers.shape) != (trajectories,):
                raise SimonidesError(f"{self.system}: parameter {name} needs one number for each trajectory.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis of space."""
        return tuple(self.values.shape[3:])

    @property
    def trajectories(self) -> int:
        """How many there are."""
        return self.values.shape[0]

    @property
    def steps(self) -> int:
        """Frames of each trajectory."""
        return self.values.shape[1]

    def read(
        self, trajectory: int, start: int, stop: int, stride: int = 1
    ) -> Float[Tensor, "steps fields *space"]:
        """Frames start, start + stride, ... before stop of one trajectory, as float32.

        Raises:
            SimonidesError: when there is no such trajectory or frame.
        """
        check_piece(self, trajectory, start, stop, stride)
        return self.values[trajectory, start:stop:stride].float()

    def part(self, chosen: slice) -> "Simulations":
        """Some of the trajectories."""
        return Simulations(
            system=self.system,
            fields=self.fields,
            values=self.values[chosen],
            times=self.times,
            coordinates=self.coordinates,
            boundaries=self.boundaries,
            parameters={name: numbers[chosen] for name, numbers in self.parameters.items()},
            split=self.split,
            place=self.place,
        )


def check_piece(source: Source, trajectory: int, start: int, stop: int, stride: int) -> None:
    """Raise `SimonidesError` unless a source has these frames.

    Arguments:
        source: that is to be read.
        trajectory: its number.
        start, stop: the first frame, and the one behind the last.
        stride: frames from one to the next.
    """
    check_at_least("stride", stride, 1)
    if not 0 <= trajectory < source.trajectories or not 0 <= start < stop <= source.steps:
        raise SimonidesError(
            f"{source.place} has trajectories 0 to {source.trajectories - 1} of {source.steps} frames; asked for "
            f"frames {start} to {stop - 1} of trajectory {trajectory}."
        )


def check_boundaries(place: str, boundaries: tuple[tuple[str, str], ...], dimensions: int) -> None:
    """Raise `SimonidesError` unless there are two kinds of faces for each axis, both or none of them periodic."""
    if len(boundaries) != dimensions or any(len(faces) != 2 for faces in boundaries):
        raise SimonidesError(
            f"{place} has {dimensions} axes of space; give the kinds of two faces for each, not {boundaries}."
        )
    for faces in boundaries:
        for kind in faces:
            check_name(f"{place}: boundary", str(kind), BOUNDARY_KINDS)
        if faces.count("periodic") == 1:
            raise SimonidesError(f"{place}: an axis is periodic on both faces or on none, not {faces}.")


def is_periodic(boundaries: tuple[tuple[str, str], ...]) -> tuple[bool, ...]:
    """Which axes close upon themselves.

    >>> is_periodic((("periodic", "periodic"), ("wall", "open")))
    (True, False)
    """
    return tuple(tuple(faces) == ("periodic", "periodic") for faces in boundaries)


def spaced(low: float, high: float, cells: int) -> Float[Tensor, " cells"]:
    """Centres of equal cells between two ends.

    >>> spaced(0.0, 1.0, 2)
    tensor([0.2500, 0.7500])
    """
    width = (high - low) / cells
    return low + width * (torch.arange(cells, dtype=torch.float64) + 0.5).float()

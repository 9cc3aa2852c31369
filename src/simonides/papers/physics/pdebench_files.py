"""Files of PDEBench (Takamoto et al. 2022) and PDEArena (Gupta & Brandstetter 2022), known by what they contain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError
from simonides.papers.physics.file_handles import signature_of
from simonides.papers.physics.file_source import (
    Block,
    Boundaries,
    FileSource,
    axis_values,
    check_number_array,
    check_same_shape,
    chosen_boundaries,
)
from simonides.papers.physics.simulations import AXES, SPLITS

_COMPRESSIBLE = {
    "Vx": "velocity_x",
    "Vy": "velocity_y",
    "Vz": "velocity_z",
    "density": "density",
    "pressure": "pressure",
}
_ARENA = {"u": "scalar", "vx": "velocity_x", "vy": "velocity_y"}
# of one group a sample: system, fields and boundaries by dimensions and channels (PDEBench's generators)
_SAMPLED = {
    (2, 1): ("shallow_water", ("height",), "open"),
    (2, 2): ("diffusion_reaction", ("activator", "inhibitor"), "wall"),
}


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """What a group of a file is found to hold."""

    system: str
    fields: tuple[str, ...]
    blocks: tuple[Block, ...]
    times: Any
    grids: Sequence[Any]
    faces: str | None
    groups: tuple[str, ...] = ()
    parameters: Mapping[str, Float[Tensor, " trajectories"]] | None = None
    constant_fields: tuple[str, ...] = ()
    split: str = ""


def open_pdebench(
    path: Path, file: Any, boundaries: str | Boundaries | None = None
) -> tuple[FileSource, ...] | None:
    """The trajectories of a file of PDEBench or PDEArena; None where it has none of their layouts.

    Known are: a group a sample with `data` and `grid` (shallow water, diffusion-reaction); `velocity` and `particles`
    (incompressible flow); `Vx`, `density`, `pressure` (compressible flow in one to three dimensions); `tensor` (the
    equations in one dimension); groups `train`, `valid`, `test` with `u`, `vx`, `vy` (PDEArena).

    Arguments:
        path: of the file.
        file: the same, open for reading.
        boundaries: of the domain, one kind for all faces or two for each axis, in place of those of the data set.

    Raises:
        SimonidesError: when it has a layout but breaks it, or boundaries are neither told nor given.
    """
    place = str(path)
    names = set(file)
    try:
        if {"velocity", "particles", "t"} <= names:
            layouts = [_incompressible(place, file)]
        elif {"Vx", "density", "pressure", "t-coordinate"} <= names:
            layouts = [_compressible(place, file)]
        elif {"tensor", "x-coordinate", "t-coordinate"} <= names:
            layouts = [_single_tensor(place, file)]
        elif names and names <= set(SPLITS) and all(_group_has(file[name], "u", "vx") for name in names):
            layouts = [_arena(place, file, split) for split in SPLITS if split in names]
        elif names and _group_has(file[min(names)], "data", "grid"):
            layouts = [_sampled(place, file, tuple(sorted(names)))]
        else:
            return None
        return tuple(_source(path, layout, boundaries) for layout in layouts)
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        IndexError,
    ) as error:  # a group where an array should be, and the reverse
        if isinstance(error, SimonidesError):
            raise
        raise SimonidesError(
            f"{place} looks like PDEBench or PDEArena but breaks their layout: {str(error).strip(chr(34))}."
        ) from None


def _group_has(one: Any, *names: str) -> bool:
    return not hasattr(one, "dtype") and all(name in one for name in names)


def _source(path: Path, layout: _Layout, boundaries: str | Boundaries | None) -> FileSource:
    place = f"{path}:{layout.split}" if layout.split else str(path)
    sizes = dict(zip(layout.blocks[0].axes, layout.blocks[0].shape, strict=True))
    shape = tuple(sizes[axis] for axis in AXES if axis in sizes)
    return FileSource(
        system=layout.system,
        fields=layout.fields,
        shape=shape,
        trajectories=sizes.get("n", len(layout.groups)),
        steps=sizes["t"],
        times=axis_values(place, "the grid of time", layout.times, sizes["t"]),
        coordinates=tuple(
            axis_values(place, f"the grid of {axis}", grid, cells)
            for axis, grid, cells in zip(AXES, layout.grids, shape, strict=False)
        ),
        boundaries=chosen_boundaries(place, boundaries, layout.faces, len(shape)),
        path=path,
        kind="hdf5",
        signature=signature_of(path),
        blocks=layout.blocks,
        split=layout.split,
        place=place,
        groups=layout.groups,
        axes=AXES[: len(shape)],
        parameters=layout.parameters or {},
        constant_fields=layout.constant_fields,
    )


def _sampled(place: str, file: Any, groups: tuple[str, ...]) -> _Layout:
    # all of a thousand groups are compared when they are read; here the two ends
    for group in {groups[0], groups[-1]}:
        check_number_array(place, f"{group}/data", file[group]["data"], (3, 4, 5))
    shapes = {f"{group}/data": tuple(file[group]["data"].shape) for group in (groups[0], groups[-1])}
    shape = check_same_shape(place, shapes)
    dimensions = len(shape) - 2
    system, fields, faces = _SAMPLED.get(
        (dimensions, shape[-1]), ("samples", tuple(f"field_{number}" for number in range(shape[-1])), None)
    )
    grid = file[groups[0]]["grid"]
    return _Layout(
        system=system,
        fields=fields,
        blocks=(Block(array="{}/data", axes="t" + "".join(AXES[:dimensions]) + "c", shape=shape),),
        times=grid["t"],
        grids=[grid[axis] for axis in AXES[:dimensions]],
        faces=faces,
        groups=groups,
    )


def _incompressible(place: str, file: Any) -> _Layout:
    velocity, particles = file["velocity"], file["particles"]
    for name, array in (("velocity", velocity), ("particles", particles)):
        check_number_array(place, name, array, (5,))
    check_same_shape(place, {"velocity": velocity.shape[:-1], "particles": particles.shape[:-1]})
    if velocity.shape[-1] != 2 or particles.shape[-1] != 1:
        raise SimonidesError(
            f"{place}: velocity and particles have {velocity.shape[-1]} and {particles.shape[-1]} components; "
            "expected 2 and 1."
        )
    return _Layout(
        system="incompressible_flow",
        fields=("velocity_x", "velocity_y", "particles"),
        blocks=tuple(
            Block(array=name, axes="ntxyc", shape=tuple(array.shape))
            for name, array in (("velocity", velocity), ("particles", particles))
        ),
        times=file["t"],
        # the file has no grid; the domain is the unit square
        grids=[(np.arange(cells) + 0.5) / cells for cells in velocity.shape[2:4]],
        faces="wall",
        constant_fields=("force_x", "force_y") if "force" in file else (),
    )


def _compressible(place: str, file: Any) -> _Layout:
    arrays = {name: file[name] for name in _COMPRESSIBLE if name in file}
    dimensions = len(arrays) - 2
    for name, array in arrays.items():
        check_number_array(place, name, array, (2 + dimensions,))
    check_same_shape(place, {name: tuple(array.shape) for name, array in arrays.items()})
    stem = Path(place).stem.casefold()
    trajectories = arrays["Vx"].shape[0]
    words = stem.replace("-", "_").split("_")
    return _Layout(
        system="compressible_flow",
        fields=tuple(_COMPRESSIBLE[name] for name in arrays),
        blocks=_same_blocks(arrays, ""),
        times=file["t-coordinate"],
        grids=[file[f"{axis}-coordinate"] for axis in AXES[:dimensions]],
        faces="periodic" if "periodic" in words else "open" if "trans" in words else None,
        parameters={
            name: torch.full((trajectories,), float(file.attrs[name]), dtype=torch.float64)
            for name in ("eta", "zeta", "M")
            if name in file.attrs
        },
    )


def _single_tensor(place: str, file: Any) -> _Layout:
    array = file["tensor"]
    check_number_array(place, "tensor", array, (3,))
    stem = Path(place).stem.casefold()
    known = ("advection", "burgers", "reacdiff")
    return _Layout(
        system=next((name for name in known if name in stem), "equation_1d"),
        fields=("u",),
        blocks=_same_blocks({"tensor": array}, ""),
        times=file["t-coordinate"],
        grids=[file["x-coordinate"]],
        faces="periodic",
    )


def _arena(place: str, file: Any, split: str) -> _Layout:
    group = file[split]
    arrays = {name: group[name] for name in _ARENA}
    for name, array in arrays.items():
        check_number_array(place, f"{split}/{name}", array, (4,))
    shape = check_same_shape(place, {name: tuple(array.shape) for name, array in arrays.items()})
    parameters = {}
    if "buo_y" in group:
        check_number_array(place, f"{split}/buo_y", group["buo_y"], (0, 1))
        if group["buo_y"].shape not in ((), (1,), shape[:1]):
            raise SimonidesError(f"{place}: {split}/buo_y has {group['buo_y'].shape[0]} numbers for {shape[0]}.")
        numbers = np.broadcast_to(np.asarray(group["buo_y"][()], np.float64), shape[:1])
        parameters = {"buoyancy": torch.from_numpy(numbers.copy())}
    return _Layout(
        system="buoyant_flow",
        fields=tuple(_ARENA.values()),
        blocks=_same_blocks(arrays, f"{split}/"),
        times=group["t"],
        grids=[group["x"], group["y"]],
        faces="wall",
        parameters=parameters,
        split=split,
    )


def _same_blocks(arrays: Mapping[str, Any], before: str) -> tuple[Block, ...]:
    return tuple(
        Block(array=before + name, axes="nt" + "".join(AXES[: len(array.shape) - 2]), shape=tuple(array.shape))
        for name, array in arrays.items()
    )

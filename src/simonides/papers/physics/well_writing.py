"""Trajectories written as files in the layout of The Well (Ohana et al. 2024, arXiv 2412.00568)."""

import itertools
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from simonides.base import SimonidesError, check_name, replacing
from simonides.papers.physics.file_handles import h5py_module
from simonides.papers.physics.file_source import pieces
from simonides.papers.physics.simulations import AXES, SPLITS, Source

_GROUPS = ("t0_fields", "t1_fields", "t2_fields")
_ROOT = ("dataset_name", "grid_type", "n_spatial_dims", "n_trajectories", "simulation_parameters")
# bytes of all that is no field: names, grids, masks
_HEAD = 2**20


def grouped(fields: Sequence[str], axes: Sequence[str]) -> tuple[dict[str, list[str]], ...]:
    """Channels by name of their scalar, vector or tensor field; components of one are all there and in order.

    Arguments:
        fields: names of the channels.
        axes: of space.

    >>> grouped(("velocity_x", "velocity_y", "height", "flux_x"), ("x", "y"))
    ({'height': ['height'], 'flux_x': ['flux_x']}, {'velocity': ['velocity_x', 'velocity_y']}, {})
    """
    orders: tuple[dict[str, list[str]], ...] = ({}, {}, {})
    taken: set[str] = set()
    for order in (2, 1):
        ends = ["".join(c) for c in itertools.product(axes, repeat=order)]
        for name in fields:
            stem, _, end = name.rpartition("_")
            members = [f"{stem}_{other}" for other in ends]
            # a field of the same name as the stem would be written twice
            whole = end == ends[0] and stem and stem not in fields and not taken & {stem, *members}
            if whole and all(m in fields for m in members):
                orders[order][stem] = members
                taken |= {stem, *members}
    orders[0].update({name: [name] for name in fields if name not in taken})
    return orders


def write_well(folder: Path | str, source: Source, split: str, trajectories: Sequence[int] | None = None) -> Path:
    """Write trajectories as one more file `folder/data/split/SYSTEM_NUMBER.hdf5` of The Well; gives its path.

    Fields that end in all of `_x`, `_y` (`_z`) become one vector. Frames are read and written a few at a time.

    Arguments:
        folder: of the data set.
        source: trajectories of one system, such as `Simulations`.
        split: "train", "valid" or "test".
        trajectories: numbers of those that are written; all of them by default.

    Raises:
        SimonidesError: when a name cannot be written, or the disk is full; no file is left then.
    """
    check_name("split", split, SPLITS)
    target = Path(folder) / "data" / split
    h5py = h5py_module(target)
    axes = getattr(source, "axes", AXES[: len(source.shape)])
    if any(axis not in AXES for axis in axes):
        raise SimonidesError(f"{source.place} has the axes {axes}; only Cartesian grids are written.")
    for name in (*source.fields, *getattr(source, "parameters", {})):
        if not name or "/" in name or name.strip(".") == "" or name in _ROOT:
            raise SimonidesError(f"{source.place}: {name!r} cannot be the name of a field; give another.")
    chosen = list(range(source.trajectories)) if trajectories is None else list(trajectories)
    if len(set(chosen)) < len(chosen) or not set(chosen) <= set(range(source.trajectories)):
        raise SimonidesError(
            f"{source.place} has trajectories 0 to {source.trajectories - 1}; {chosen} were chosen. Name each once."
        )
    if not chosen:
        raise SimonidesError(f"{source.place}: no trajectory is chosen for {split}.")
    path = _free_name(target, source.system)
    with replacing(path) as partial:
        _check_room(partial, 4 * len(chosen) * source.steps * len(source.fields) * math.prod(source.shape))
        try:
            with h5py.File(partial, "w") as file:
                _write_head(h5py, file, source, axes, chosen)
                _write_fields(h5py, file, source, axes, chosen)
        except RuntimeError as error:  # so a full disk is told when a file is closed
            raise OSError(" ".join(str(error).split())[:200]) from None
    return path


def _check_room(path: Path, size: int) -> None:
    """Raise `OSError` where a file of so many bytes does not fit; HDF5 breaks the process where its writing fails."""
    if hasattr(os, "posix_fallocate"):
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size + _HEAD)


def _free_name(target: Path, system: str) -> Path:
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", system) or "simulations"
    return next(p for n in itertools.count() if not (p := target / f"{stem}_{n:04d}.hdf5").exists())


def _write_head(h5py: Any, file: Any, source: Source, axes: Sequence[str], chosen: list[int]) -> None:
    """All but the fields: sizes, grids, boundaries, parameters."""

    def names(values: Sequence[str]) -> np.ndarray:
        return np.array(list(values), dtype=h5py.string_dtype())

    parameters = {
        name: numbers[torch.tensor(chosen)].cpu().numpy()
        for name, numbers in getattr(source, "parameters", {}).items()
    }
    file.attrs["dataset_name"] = source.system
    file.attrs["grid_type"] = "cartesian"
    file.attrs["n_spatial_dims"] = len(axes)
    file.attrs["n_trajectories"] = len(chosen)
    file.attrs["simulation_parameters"] = names(list(parameters))
    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = names(axes)
    coordinates = getattr(source, "coordinates", None) or [torch.arange(float(n)) for n in source.shape]
    for name, values in (("time", source.times), *zip(axes, coordinates, strict=True)):
        dimensions[name] = values.cpu().numpy()
        dimensions[name].attrs["sample_varying"] = False
        dimensions[name].attrs["time_varying"] = name == "time"
    conditions = file.create_group("boundary_conditions")
    for axis, faces, cells in zip(axes, source.boundaries, source.shape, strict=True):
        for kind in dict.fromkeys(faces):
            group = conditions.create_group(f"{axis}_{kind}")
            mask = np.zeros(cells, bool)
            mask[[place for place, face in zip((0, -1), faces, strict=True) if face == kind]] = True
            group["mask"] = mask
            group.attrs["bc_type"] = kind.upper()
            group.attrs["associated_dims"] = names([axis])
            group.attrs["associated_fields"] = names([])
            group.attrs["sample_varying"] = group.attrs["time_varying"] = False
    scalars = file.create_group("scalars")
    scalars.attrs["field_names"] = names(list(parameters))
    for name, numbers in parameters.items():
        same = bool((numbers == numbers[0]).all())
        scalars[name] = numbers[0] if same else numbers
        scalars[name].attrs["sample_varying"] = not same
        scalars[name].attrs["time_varying"] = False
        # an attribute has no room for a number of each trajectory: lowest and highest
        file.attrs[name] = numbers[0] if same else np.array([numbers.min(), numbers.max()])


def _write_fields(h5py: Any, file: Any, source: Source, axes: Sequence[str], chosen: list[int]) -> None:
    arrays = []
    for order, (group, members) in enumerate(zip(_GROUPS, grouped(source.fields, axes), strict=True)):
        fields = file.create_group(group)
        fields.attrs["field_names"] = np.array(list(members), dtype=h5py.string_dtype())
        tail = (len(axes),) * order
        for name, channels in members.items():
            array = fields.create_dataset(name, (len(chosen), source.steps, *source.shape, *tail), np.float32)
            array.attrs["dim_varying"] = np.ones(len(axes), bool)
            array.attrs["sample_varying"] = array.attrs["time_varying"] = True
            arrays.append((array, [source.fields.index(c) for c in channels], tail))
    for row, trajectory in enumerate(chosen):
        for start, values in pieces(source, trajectory):
            for array, numbers, tail in arrays:
                last = np.moveaxis(values[:, numbers].cpu().numpy(), 1, -1)
                array[row, start : start + len(values)] = last.reshape(len(last), *source.shape, *tail)

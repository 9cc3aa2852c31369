"""Files in the layout of The Well (Ohana et al. 2024, arXiv 2412.00568), read a window at a time."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from simonides.base import SimonidesError, check_name
from simonides.papers.physics.file_handles import open_hdf5, signature_of
from simonides.papers.physics.file_source import (
    Block,
    Boundaries,
    FileSource,
    axis_values,
    check_number_array,
)
from simonides.papers.physics.simulations import AXES, BOUNDARY_KINDS, SPLITS

_GROUPS = ("t0_fields", "t1_fields", "t2_fields")


def is_well(file: Any) -> bool:
    """Whether an open HDF5 file has the layout of The Well."""
    return "dimensions" in file and "spatial_dims" in file["dimensions"].attrs and any(g in file for g in _GROUPS)


def open_well(path: Path | str) -> FileSource:
    """The trajectories of one file of The Well.

    Components of vectors are channels such as `velocity_x`, those of tensors such as `stress_xy`; a field that does
    not vary along an axis is repeated along it. The split is the name of the folder.

    Raises:
        SimonidesError: when the file cannot be read, or breaks the layout.
    """
    path = Path(path)
    place = str(path)
    signature = signature_of(path)
    with open_hdf5(path) as file:
        if not is_well(file):
            raise SimonidesError(f"{place} has not the layout of The Well: groups dimensions and t0_fields.")
        try:
            return _described(path, place, signature, file)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            if isinstance(error, SimonidesError):
                raise
            # an attribute or an array of another kind than it should be
            raise SimonidesError(
                f"{place} breaks the layout of The Well: {str(error).strip(chr(34))}; it needs all groups and "
                "attributes of that layout."
            ) from None


def _described(path: Path, place: str, signature: tuple[int, int], file: Any) -> FileSource:
    axes = tuple(_text(name) for name in file["dimensions"].attrs["spatial_dims"])
    if not 1 <= len(axes) <= 3:
        raise SimonidesError(f"{place} has the axes {axes}; expected one to three.")
    shape = tuple(file["dimensions"][axis].shape[-1] for axis in axes)
    steps = file["dimensions"]["time"].shape[-1]
    trajectories = int(file.attrs["n_trajectories"])
    fields: list[str] = []
    blocks: list[Block] = []
    constant: list[str] = []
    if "n_spatial_dims" in file.attrs and int(file.attrs["n_spatial_dims"]) != len(axes):
        raise SimonidesError(
            f"{place}: n_spatial_dims is {file.attrs['n_spatial_dims']}, and the axes are {axes}."
        )
    for order, group in enumerate(_GROUPS):
        if group not in file:
            raise SimonidesError(
                f"{place} breaks the layout of The Well: it has no group {group}, which may be empty."
            )
        named = set(map(_text, file[group].attrs["field_names"]))
        if unnamed := sorted(set(file[group]) - named):
            raise SimonidesError(f"{place}: {group} holds {unnamed[0]}, which is not among its field_names.")
        for name in map(_text, file[group].attrs["field_names"]):
            array = file[group][name]
            channels = [f"{name}_{''.join(c)}" if c else name for c in itertools.product(axes, repeat=order)]
            if not bool(array.attrs["time_varying"]):
                if array.ndim > len(axes) + order + bool(array.attrs["sample_varying"]):
                    raise SimonidesError(
                        f"{place}: {group}/{name} of shape {list(array.shape)} says that it does not vary with "
                        f"time, and "
                        "has an axis too many for that."
                    )
                constant += channels
                continue
            if len(array.attrs["dim_varying"]) != len(axes):
                raise SimonidesError(f"{place}: dim_varying of {group}/{name} needs an entry for each of {axes}.")
            letters = _letters(place, f"{group}/{name}", array, order, len(axes))
            expected = {"n": trajectories, "t": steps, "c": len(axes), "d": len(axes)}
            expected |= dict(zip(AXES, shape, strict=False))
            varying = dict(zip(AXES, array.attrs["dim_varying"], strict=False))
            for letter, size in zip(letters, array.shape, strict=True):
                if size != expected[letter] and (size != 1 or varying.get(letter, True)):
                    raise SimonidesError(
                        f"{place}: {group}/{name} has shape {list(array.shape)}, which does not agree with "
                        f"{trajectories} trajectories of {steps} frames of {list(shape)} cells."
                    )
            fields += channels
            blocks.append(Block(array=f"{group}/{name}", axes=letters, shape=tuple(array.shape)))
    parameters, left_out = _parameters(file, trajectories)
    return FileSource(
        system=_text(file.attrs["dataset_name"]),
        fields=tuple(fields),
        shape=shape,
        trajectories=trajectories,
        steps=steps,
        times=axis_values(place, "dimensions/time", file["dimensions"]["time"], steps),
        coordinates=tuple(
            axis_values(place, f"dimensions/{axis}", file["dimensions"][axis], cells)
            for axis, cells in zip(axes, shape, strict=True)
        ),
        boundaries=_read_boundaries(place, file, axes),
        path=path,
        kind="hdf5",
        signature=signature,
        blocks=tuple(blocks),
        split=path.absolute().parent.name if path.absolute().parent.name in SPLITS else "",
        place=place,
        axes=axes,
        parameters=parameters,
        constant_fields=tuple(constant),
        left_out=left_out,
    )


def _letters(place: str, name: str, array: Any, order: int, dimensions: int) -> str:
    """What the axes of a field are; an axis of space along which it does not vary is absent, or of one cell."""
    lead = ("n" if bool(array.attrs["sample_varying"]) else "") + "t"
    varying = [bool(one) for one in array.attrs["dim_varying"]]
    full = lead + "".join(AXES[:dimensions]) + "cd"[:order]
    short = lead + "".join(a for a, used in zip(AXES, varying, strict=False) if used) + "cd"[:order]
    check_number_array(place, name, array, sorted({len(short), len(full)}))
    return full if len(array.shape) == len(full) else short


def _parameters(file: Any, trajectories: int) -> tuple[dict[str, Float[Tensor, " trajectories"]], tuple[str, ...]]:
    found: dict[str, Tensor] = {}
    left_out = []
    scalars = file.get("scalars")
    for name in map(_text, () if scalars is None else scalars.attrs["field_names"]):
        one = scalars[name]
        wanted = (trajectories,) if bool(one.attrs["sample_varying"]) else ()
        if bool(one.attrs["time_varying"]) or one.dtype.kind not in "fiu" or one.shape != wanted:
            left_out.append(name)
            continue
        values = np.asarray(one[()])
        if values.dtype.kind != "f":
            values = values.astype(np.float64)
        if not np.isfinite(values).all():
            raise SimonidesError(f"{file.filename}: the scalar {name} is NaN or infinite; correct it.")
        found[name] = torch.from_numpy(np.broadcast_to(values, (trajectories,)).copy())
    return found, tuple(left_out)


def _read_boundaries(place: str, file: Any, axes: tuple[str, ...]) -> Boundaries:
    """Kinds of the faces. One that is not mentioned is open; a wall has to cover all of its face, others a part."""
    faces = [["open", "open"] for _ in axes]
    for name, group in file["boundary_conditions"].items():
        kind = _text(group.attrs["bc_type"]).lower()
        check_name(f"{place}: boundary", kind, BOUNDARY_KINDS)
        dims = [_text(one) for one in group.attrs["associated_dims"]]
        mask = np.asarray(group["mask"][...], bool)
        cells = [file["dimensions"][dim].shape[-1] for dim in dims if dim in axes]
        if mask.ndim != len(dims) or (len(cells) == len(dims) and list(mask.shape) != cells):
            raise SimonidesError(
                f"{place}: the mask of {name} has shape {list(mask.shape)}; it belongs to {', '.join(dims)}, "
                f"{cells} cells."
            )
        for axis, dim in enumerate(dims):
            check_name(f"{place}: the axis of {name}", dim, axes)
            for face, cell in enumerate((0, -1)):
                covered = mask.take(cell, axis)
                if covered.all() if kind == "wall" else covered.any():
                    faces[axes.index(dim)][face] = kind
                    if kind == "periodic":  # which joins the two faces, though one be marked
                        faces[axes.index(dim)] = [kind, kind]
    return tuple((low, high) for low, high in faces)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

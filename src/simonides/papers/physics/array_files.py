"""Arrays of a user as trajectories: NumPy's .npy and .npz, and NetCDF."""

import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simonides.base import SimonidesError, suggest
from simonides.papers.physics.file_handles import (
    mapped_array,
    open_hdf5,
    signature_of,
    zipped_array,
    zipped_outline,
)
from simonides.papers.physics.file_source import (
    Block,
    Boundaries,
    FileSource,
    axis_values,
    check_number_array,
    chosen_boundaries,
)
from simonides.papers.physics.simulations import AXES

_KEYS = ("values", "fields", "times", "boundaries", *AXES)
# names of dimensions of NetCDF, by the letter of a `Block`
_DIMENSIONS = {
    "n": ("sample", "trajectory", "member", "number", "n"),
    "t": ("time", "valid_time", "t"),
    "x": ("x", "lon", "longitude"),
    "y": ("y", "lat", "latitude"),
    "z": ("z", "lev", "level", "depth", "height"),
}
_CLASSIC = b"CDF"
# more fields without a name are rather an axis of space
_MOST_UNNAMED = 8
# stands where nothing was written, if a file names no other number (NetCDF's NC_FILL_FLOAT)
_UNWRITTEN = 9.969209968386869e36


def open_numpy(path: Path | str, boundaries: str | Boundaries | None = None) -> FileSource:
    """The trajectories of a .npy of trajectories x steps x fields x space, or of a .npz that has it as `values`.

    A .npz may have `fields` (names), `times`, `boundaries` (kinds, one or two an axis) and the grids `x`, `y`, `z`.
    What is not there becomes field_0, field_1, ..., and numbers of frames and cells.

    Arguments:
        path: of the file.
        boundaries: of the domain, one kind for all faces or two for each axis, where the file does not tell.

    Raises:
        SimonidesError: when it cannot be read, sizes do not agree, or boundaries are neither told nor given.
    """
    path = Path(path)
    place, signature = str(path), signature_of(path)
    found: dict[str, Any] = {}
    packed = zipfile.is_zipfile(path)
    if packed:
        with zipfile.ZipFile(path) as folder:
            names = [name.removesuffix(".npy") for name in folder.namelist()]
        if "values" not in names:
            raise SimonidesError(f"{place} has {', '.join(names[:20])}; expected a .npz with an array `values`.")
        for name in names:
            if name not in _KEYS:
                raise SimonidesError(f"{place}: {name} is unknown; {suggest(name, _KEYS)}")
        found = {name: (zipped_outline if name == "values" else zipped_array)(path, name) for name in names}
    else:
        with path.open("rb") as file:
            found["values"] = mapped_array(path, file, 0)
    values = found["values"]
    check_number_array(place, "values", values, (4, 5, 6))
    trajectories, steps, count, *shape = values.shape
    axes = AXES[: len(shape)]
    given = found.get("fields", [f"field_{number}" for number in range(count)])
    fields = tuple(str(name) for name in np.atleast_1d(given))
    if "fields" not in found and count > _MOST_UNNAMED:
        raise SimonidesError(
            f"{place} of shape {list(values.shape)} is read as trajectories x steps x fields x space, with {count} "
            "fields; where that is right, save a .npz of values and fields (their names)."
        )
    if len(fields) != count:
        raise SimonidesError(f"{place}: {len(fields)} names of fields for the {count} of values.")
    told = _told_boundaries(place, found)
    faces = chosen_boundaries(place, boundaries or told, None, len(shape))
    if told is not None and faces != told:
        raise SimonidesError(f"{place} tells the boundaries {told}; {faces} were given. Leave them out.")
    return FileSource(
        system=path.stem,
        fields=fields,
        shape=tuple(shape),
        trajectories=trajectories,
        steps=steps,
        times=axis_values(place, "times", _of_size(place, "times", found, steps), steps),
        coordinates=tuple(
            axis_values(place, axis, _of_size(place, axis, found, cells), cells)
            for axis, cells in zip(axes, shape, strict=True)
        ),
        boundaries=faces,
        path=path,
        kind="zip" if packed else "numpy",
        signature=signature,
        blocks=(Block(array="values", axes="ntc" + "".join(axes), shape=tuple(values.shape)),),
        place=place,
        axes=axes,
    )


def _of_size(place: str, name: str, found: Mapping[str, Any], count: int) -> np.ndarray:
    """Times or a grid of a .npz, or else numbers that count."""
    values = np.asarray(found.get(name, np.arange(count)))
    if values.shape != (count,):
        raise SimonidesError(f"{place}: {name} has shape {list(values.shape)}; values need [{count}].")
    return values


def _told_boundaries(place: str, found: Mapping[str, Any]) -> Boundaries | None:
    if "boundaries" not in found:
        return None
    told = np.asarray(found["boundaries"])
    if told.ndim not in (1, 2) or told.dtype.kind != "U" or (told.ndim == 2 and told.shape[1] != 2):
        raise SimonidesError(f"{place}: boundaries has to be one or two names for each axis.")
    return tuple((str(row[0]), str(row[-1])) for row in (told[:, None] if told.ndim == 1 else told))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Variable:
    """An array of a NetCDF file."""

    values: Any
    dimensions: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def open_netcdf(path: Path | str, boundaries: str | Boundaries | None = None) -> FileSource:
    """The fields of a NetCDF file over time and space, such as (time, y, x) or (sample, time, y, x), in any order.

    Packed values are unpacked (CF conventions, section 8.1). Axes become x, y, z, whichever order they have. Files of
    NetCDF 4 need h5py.

    Arguments:
        path: of the file.
        boundaries: of the domain, one kind for all faces or two for each axis.

    Raises:
        SimonidesError: when it cannot be read, fields have different grids, or boundaries are not given.
    """
    path = Path(path)
    signature = signature_of(path)
    with path.open("rb") as opened_file:
        classic = opened_file.read(3) == _CLASSIC
    if not classic:
        with open_hdf5(path) as file:
            return _of_variables(path, signature, "hdf5", _hdf5_variables(file), boundaries)
    from scipy.io import netcdf_file

    try:
        with warnings.catch_warnings():
            # an array of the file may be alive still when it is closed, in the traceback of an error
            warnings.filterwarnings("ignore", "Cannot close a netcdf_file", RuntimeWarning)
            with netcdf_file(path, "r", mmap=True) as file:
                variables = {
                    name: _Variable(values=one.data, dimensions=one.dimensions, attributes=dict(one._attributes))
                    for name, one in file.variables.items()
                }
                found = _of_variables(path, signature, "netcdf3", variables, boundaries)
                variables.clear()
                return found
    except (ValueError, TypeError, KeyError, IndexError, OSError, AssertionError) as error:
        if isinstance(error, SimonidesError):
            raise
        raise SimonidesError(f"{path} is damaged, or cut off: {error}; copy it once more.") from None


def is_netcdf4(file: Any) -> bool:
    """Whether an open HDF5 file has arrays over dimensions that have names."""
    return any("DIMENSION_LIST" in one.attrs for one in file.values() if hasattr(one, "dtype"))


def _hdf5_variables(file: Any) -> dict[str, _Variable]:
    found = {}
    for name, one in file.items():
        if not hasattr(one, "dtype"):
            continue
        if "DIMENSION_LIST" in one.attrs:
            dimensions = tuple(dim[0].name.rsplit("/", 1)[-1] if len(dim) else "" for dim in one.dims)
        else:
            dimensions = (name,) if len(one.shape) == 1 else ()
        found[name] = _Variable(values=one, dimensions=dimensions, attributes=dict(one.attrs))
    return found


def _of_variables(
    path: Path, signature: tuple[int, int], kind: Any, variables: Mapping[str, _Variable], given: Any
) -> FileSource:
    place = str(path)
    letters = {name: letter for letter, names in _DIMENSIONS.items() for name in names}
    fields: dict[str, str] = {}
    constant = []
    sizes: dict[str, int] = {}
    called: dict[str, str] = {}
    for name, one in variables.items():
        found = [letters.get(dimension.casefold(), "?") for dimension in one.dimensions]
        space = [letter for letter in found if letter in AXES]
        if not space or len(one.dimensions) < 2:
            continue
        if "?" in found or len(set(found)) < len(found):
            raise SimonidesError(
                f"{place}: {name} has the dimensions {one.dimensions}; known are "
                + ", ".join("/".join(names) for names in _DIMENSIONS.values())
                + ", each once."
            )
        if "t" not in found:
            constant.append(name)
            continue
        check_number_array(place, name, one.values, (len(found),))
        fields[name] = "".join(found)
        for letter, size, dimension in zip(found, one.values.shape, one.dimensions, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise SimonidesError(
                    f"{place}: the sizes of the fields do not agree: {name} has {size} along {dimension}, another has "
                    f"{sizes[letter]}."
                )
            called[letter] = dimension
    axes = [axis for axis in AXES if axis in sizes]
    if not fields or axes != list(AXES[: len(axes)]):
        told = ", ".join(f"{name} {one.dimensions}" for name, one in list(variables.items())[:20])
        raise SimonidesError(f"{place} has {told}; expected fields over time, and x, or x and y, or x, y and z.")
    if lacking := {name: own for name, own in fields.items() if not {"t", *axes} <= set(own)}:
        raise SimonidesError(f"{place}: the fields {', '.join(lacking)} do not have all of the axes {axes}.")
    shape = tuple(sizes[axis] for axis in axes)

    def grid(letter: str) -> Any:
        one = variables.get(called[letter])
        # a dimension without values of its own is counted
        usable = one is not None and one.values.dtype.kind in "fiu" and len(one.values.shape) == 1
        if one is None or not usable or "This is a netCDF dimension but not" in str(one.attributes.get("NAME")):
            return np.arange(sizes[letter])
        return one.values

    return FileSource(
        system=path.stem,
        fields=tuple(fields),
        shape=shape,
        trajectories=sizes.get("n", 1),
        steps=sizes["t"],
        times=axis_values(place, called["t"], grid("t"), sizes["t"]),
        coordinates=tuple(axis_values(place, called[axis], grid(axis), sizes[axis]) for axis in axes),
        boundaries=chosen_boundaries(place, given, None, len(shape)),
        path=path,
        kind=kind,
        signature=signature,
        blocks=tuple(_block(name, own, variables[name]) for name, own in fields.items()),
        place=place,
        axes=AXES[: len(shape)],
        constant_fields=tuple(constant),
    )


def _block(name: str, letters: str, variable: _Variable) -> Block:
    def number(key: str, default: float) -> float:
        return float(np.asarray(variable.attributes.get(key, default)).ravel()[0])

    if "true" in str(variable.attributes.get("_Unsigned", "")).lower():
        raise SimonidesError(
            f"{name} is packed as unsigned numbers (_Unsigned); unpack it, as xarray does, and save it."
        )
    if ranged := [key for key in ("valid_min", "valid_max", "valid_range") if key in variable.attributes]:
        raise SimonidesError(f"{name} has {ranged[0]}, which marks values as missing; fill these, and remove it.")
    keys = [key for key in ("_FillValue", "missing_value") if key in variable.attributes]
    missing = [number(key, 0.0) for key in keys]
    if not missing and variable.values.dtype.kind == "f":
        missing = [_UNWRITTEN]
    return Block(
        array=name,
        axes=letters,
        shape=tuple(variable.values.shape),
        scale=number("scale_factor", 1.0),
        offset=number("add_offset", 0.0),
        missing=tuple(dict.fromkeys(missing)),
    )

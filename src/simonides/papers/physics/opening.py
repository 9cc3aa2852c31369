"""A file, or a folder of files, of any known layout, opened as sources; only sizes and names are read."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from simonides.base import SimonidesError, check_name
from simonides.papers.physics.array_files import is_netcdf4, open_netcdf, open_numpy
from simonides.papers.physics.file_handles import open_hdf5
from simonides.papers.physics.file_source import Boundaries, FileSource, chosen_boundaries
from simonides.papers.physics.pdebench_files import open_pdebench
from simonides.papers.physics.simulations import BOUNDARY_KINDS
from simonides.papers.physics.well_files import is_well, open_well

_HDF5 = b"\x89HDF\r\n\x1a\n"
_NUMPY = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_NETCDF = (b"CDF\x01", b"CDF\x02")
# what lies beside data and is plainly none
_NO_DATA = (
    *(".yaml", ".yml", ".md", ".txt", ".json", ".csv", ".toml", ".log", ".html", ".py", ".ipynb"),
    *(".png", ".svg", ".pdf", ".gif", ".mp4", ".safetensors", ".pt"),
)
_LAYOUTS = (
    "The Well (dimensions, t0_fields), PDEBench (a group a sample with data and grid; velocity, particles, t; Vx, "
    "density, pressure; tensor), PDEArena (train/u, train/vx) and NetCDF (arrays over named dimensions)"
)


def open_sources(
    path: Path | str, system: str | None = None, boundaries: str | Boundaries | None = None
) -> tuple[FileSource, ...]:
    """All trajectories of a file, or of the files in a folder and the folders in it, by what they contain.

    Arguments:
        path: of the file or the folder. Hidden files and those that are plainly no data (`stats.yaml`, pictures) are
            passed over.
        system: a name for the trajectories, in place of that of the files.
        boundaries: of the domain, one kind for all faces or two for each axis, in place of those that are usual for a
            data set. A file of The Well that tells others is refused.

    Raises:
        SimonidesError: when there are no data, a file is damaged or of no known layout, fields are no real numbers or
            of sizes that do not agree, or boundaries are neither told nor given.
    """
    path = Path(path)
    if isinstance(boundaries, str):
        check_name("boundary", boundaries, BOUNDARY_KINDS)
    files = list(_data_files(path)) if path.is_dir() else [path]
    if not files:
        raise SimonidesError(f"{path} holds no data; give a file or a folder of HDF5, NetCDF, .npy or .npz.")
    found = [source for file in files for source in _open_file(file, boundaries)]
    return tuple(replace(source, system=system) if system else source for source in found)


def _data_files(folder: Path) -> Iterator[Path]:
    """Files in the order of their names, so that numbers of trajectories do not depend on the file system."""

    def refuse(error: OSError) -> None:
        raise SimonidesError(f"{error.filename} cannot be read: {error.strerror}; check its permissions.")

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            plain = path.suffix.lower() in _NO_DATA or name.upper() in ("README", "LICENSE", "CHECKSUMS")
            if not name.startswith(".") and not plain:
                yield path


def _open_file(path: Path, boundaries: str | Boundaries | None) -> tuple[FileSource, ...]:
    head = _head(path)
    if head.startswith(_HDF5):
        return _open_hdf5_file(path, boundaries)
    if head.startswith((_NUMPY, _ZIP)):
        return (open_numpy(path, boundaries),)
    if head.startswith(_NETCDF):
        return (open_netcdf(path, boundaries),)
    if not head:
        raise SimonidesError(f"{path} is empty; copy it once more, or remove it.")
    raise SimonidesError(f"{path} is no HDF5, NetCDF, .npy or .npz; give such a file, or move it away.")


def _head(path: Path) -> bytes:
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):  # a pipe or a device may never end
            raise SimonidesError(f"{path} is no regular file; give a file or a folder.")
        with path.open("rb") as file:
            return file.read(8)
    except FileNotFoundError:
        raise SimonidesError(f"{path} does not exist; check the path.") from None
    except (OSError, ValueError) as error:
        if isinstance(error, SimonidesError):
            raise
        why = getattr(error, "strerror", None) or error
        raise SimonidesError(f"{path} cannot be read: {why}; check the path and its permissions.") from None


def _open_hdf5_file(path: Path, boundaries: str | Boundaries | None) -> tuple[FileSource, ...]:
    with open_hdf5(path) as file:
        try:
            if is_well(file):
                return (_agreeing(open_well(path), boundaries),)
            found = open_pdebench(path, file, boundaries)
            if found is not None:
                return found
            if is_netcdf4(file):
                return (open_netcdf(path, boundaries),)
            raise SimonidesError(
                f"{path} has no known layout. It has {_contents(file)}; known are {_LAYOUTS}. `.npz` with values of "
                "trajectories x steps x fields x space is understood, too."
            )
        except (OSError, RuntimeError) as error:  # a damaged part is met only when it is looked at
            line = " ".join(str(error).split())[:200]
            raise SimonidesError(f"{path} is damaged, or cut off: {line}; copy it once more.") from None


def _agreeing(source: FileSource, boundaries: str | Boundaries | None) -> FileSource:
    if boundaries is not None:
        given = chosen_boundaries(source.place, boundaries, None, len(source.shape))
        if given != source.boundaries:
            raise SimonidesError(
                f"{source.place} tells the boundaries {source.boundaries}; {given} were given. Leave them out."
            )
    return source


def _contents(file: Any) -> str:
    """The first arrays of a file, with their shapes."""
    told: list[str] = []

    def look(name: str, one: Any) -> bool | None:
        if hasattr(one, "dtype"):
            told.append(f"{name} {list(one.shape or ())}")
        return True if len(told) == 12 else None  # anything but None ends the walk

    file.visititems(look)
    return ", ".join(told) or "no arrays"

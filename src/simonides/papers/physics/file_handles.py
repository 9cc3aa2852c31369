"""Files held open for reading, one handle a process: those of HDF5 do not survive a fork."""

import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np

from simonides.base import SimonidesError

Kind = Literal["hdf5", "numpy", "zip", "netcdf3"]
# finds an array of a file by its name
Arrays = Callable[[str], Any]
# size and time of the last change: what is read has to be the file that was opened
Signature = tuple[int, int]

_MOST_OPEN = 64
# an array that is packed in a .npz is unpacked into memory, up to so many bytes
_MOST_UNPACKED = 2**31
_handles: WeakKeyDictionary[object, tuple[int, Arrays | None]] = WeakKeyDictionary()
_inherited: list[Arrays | None] = []


def h5py_module(path: Path) -> Any:
    """The package that reads and writes HDF5.

    Raises:
        SimonidesError: when it is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError:
        raise SimonidesError(f"{path} needs h5py; run: pip install simonides[physics]") from None
    return h5py


def signature_of(path: Path) -> Signature:
    """Size and time of the last change of a file.

    Raises:
        SimonidesError: when there is none.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise SimonidesError(f"{path} cannot be read: {error.strerror}; check the path.") from None
    return found.st_size, found.st_mtime_ns


def opened(owner: object, path: Path, kind: Kind, signature: Signature) -> Arrays:
    """A file's arrays by name; the file is opened at the first call in each process and stays open.

    Arguments:
        owner: who reads; the file is closed when it is gone, or when many others have been read since.
        path: of the file.
        kind: of the file.
        signature: that it had when it was looked at first.

    Raises:
        SimonidesError: when it cannot be opened, or has changed.
    """
    process, arrays = _handles.pop(owner, (os.getpid(), None))
    if process != os.getpid():
        # kept: closing it here would take away the lock of the process that opened it
        _inherited.append(arrays)
        arrays = None
    if arrays is None:
        if signature_of(path) != signature:
            raise SimonidesError(f"{path} has changed since it was opened; open it again.")
        arrays = _OPENERS[kind](path)
    _handles[owner] = (os.getpid(), arrays)  # the one used last stands last
    if len(_handles) > _MOST_OPEN:
        _handles.pop(next(iter(_handles)), None)
    return arrays


def open_hdf5(path: Path) -> Any:
    """An HDF5 file, to be read.

    Raises:
        SimonidesError: when h5py is missing, or the file is damaged.
    """
    h5py = h5py_module(path)
    try:
        return h5py.File(path, "r", locking="best-effort")
    except (OSError, RuntimeError) as error:
        line = " ".join(str(error).split())[:200]
        raise SimonidesError(f"{path} is damaged, or cut off: {line}; copy it once more.") from None


def _hdf5_arrays(path: Path) -> Arrays:
    file = open_hdf5(path)
    known: dict[str, Any] = {}

    def array(name: str) -> Any:
        # a look-up by name takes as long as a small read
        if name not in known:
            known[name] = file[name]
        return known[name]

    return array


def _numpy_arrays(path: Path) -> Arrays:
    with path.open("rb") as file:
        values = mapped_array(path, file, 0)
    return lambda name: values


def _zip_arrays(path: Path) -> Arrays:
    known: dict[str, Any] = {}

    def array(name: str) -> Any:
        if name not in known:
            known[name] = zipped_array(path, name)
        return known[name]

    return array


def _netcdf3_arrays(path: Path) -> Arrays:
    from scipy.io import netcdf_file

    file = netcdf_file(path, "r", mmap=True)
    # looked up each time: an array that is kept would hold the map when the file is let go
    return lambda name: file.variables[name].data


_OPENERS: dict[Kind, Callable[[Path], Arrays]] = {
    "hdf5": _hdf5_arrays,
    "numpy": _numpy_arrays,
    "zip": _zip_arrays,
    "netcdf3": _netcdf3_arrays,
}


def _numpy_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type."""
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise ValueError(f"version {version} of the format is unknown")
    shape, by_column, kind = read_header(file)
    if kind.hasobject:
        raise ValueError("it holds Python objects, which are not read; save plain numbers")
    return shape, by_column, kind


def mapped_array(path: Path, file: Any, start: int) -> np.ndarray:
    """An array in NumPy's format, from a byte of an open file on, mapped into memory and not read.

    Raises:
        SimonidesError: when there is none, it is cut off, or holds Python objects.
    """
    file.seek(start)
    try:
        shape, by_column, kind = _numpy_header(file)
        offset = file.tell()
        needed = offset + int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        if file.seek(0, os.SEEK_END) < needed:
            raise ValueError(f"it is cut off: {needed} bytes are needed")
        if 0 in shape:
            return np.empty(shape, kind)
        return np.memmap(path, kind, "r", offset, shape, "F" if by_column else "C")
    except (ValueError, OSError, TypeError) as error:
        raise SimonidesError(f"{path} cannot be read as an array of NumPy: {error}.") from None


def zipped_array(path: Path, name: str) -> np.ndarray:
    """An array of a `.npz`: mapped where it is stored plainly, else unpacked into memory.

    Raises:
        SimonidesError: when it cannot be read, or is packed and larger than 2 GiB.
    """
    try:
        with zipfile.ZipFile(path) as folder:
            entry = folder.getinfo(f"{name}.npy")
            if entry.compress_type != zipfile.ZIP_STORED:
                if entry.file_size > _MOST_UNPACKED:
                    raise SimonidesError(
                        f"{path}: {name} is packed and takes {entry.file_size / 2**30:.1f} GiB of memory; save it by "
                        "np.savez, not by np.savez_compressed."
                    )
                with folder.open(entry) as packed:
                    return np.lib.format.read_array(packed, allow_pickle=False)
        with path.open("rb") as file:
            file.seek(entry.header_offset)
            # the local header ends in a name and an extra field, whose lengths it tells (PKWARE, APPNOTE 4.3.7)
            name_length, extra_length = struct.unpack("<HH", file.read(30)[26:])
            return mapped_array(path, file, entry.header_offset + 30 + name_length + extra_length)
    except (
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        OSError,
        ValueError,
        struct.error,
        NotImplementedError,
    ) as error:
        if isinstance(error, SimonidesError):
            raise
        raise SimonidesError(f"{path}: {name} cannot be read: {error}.") from None


def zipped_outline(path: Path, name: str) -> np.ndarray:
    """Shape and type of an array of a `.npz`, as an array that takes no memory; mapped where it is stored plainly.

    Raises:
        SimonidesError: when it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as folder:
            entry = folder.getinfo(f"{name}.npy")
            if entry.compress_type == zipfile.ZIP_STORED:
                return zipped_array(path, name)
            with folder.open(entry) as packed:
                shape, _, kind = _numpy_header(packed)
                return np.broadcast_to(np.zeros((), kind), shape)
    except (
        zipfile.BadZipFile,
        zlib.error,
        SyntaxError,
        TokenError,
        KeyError,
        OSError,
        ValueError,
        NotImplementedError,
    ) as error:
        if isinstance(error, SimonidesError):
            raise
        raise SimonidesError(f"{path}: {name} cannot be read: {error}.") from None

"""The header of a GGUF file: its entries and the places of its tensors, read once, every size checked."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from simonides.base import SimonidesError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
# entry types by number: what struct calls them
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_ALIGNMENT = 32
_MOST_DIMENSIONS = 4


@dataclass(frozen=True)
class TensorPlace:
    """A tensor of a GGUF file.

    Arguments:
        name: the file's own.
        shape: rows first, as torch has it.
        kind: number of its type, as the package gguf numbers them.
        offset: of its bytes in the file.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of itself."""

    entries: dict[str, Any]
    tensors: dict[str, TensorPlace]


@cache
def _read(path: Path, modified: int, size: int) -> Header:
    with path.open("rb") as file:
        return _Reader(file.read, path).header(size)


def read_header(path: Path) -> Header:
    """The entries and tensors of a file; read once for all who ask.

    Raises:
        SimonidesError: when it is no GGUF file, or damaged.
    """
    if not path.is_file():
        raise SimonidesError(f"{path} is no file; give a GGUF file or the folder of a checkpoint.")
    state = path.stat()
    try:
        return _read(path.resolve(), state.st_mtime_ns, state.st_size)
    except (struct.error, UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise SimonidesError(f"{path} is no sound GGUF file ({type(error).__name__}: {error}).") from None


class _Reader:
    def __init__(self, read: Callable[[int], bytes], path: Path) -> None:
        self._read, self._path, self._place = read, path, 0

    def header(self, size: int) -> Header:
        self._size = size
        if self._bytes(4) != _MAGIC:
            raise self._unsound("it does not begin with GGUF")
        version = self._number("I")
        if version not in _VERSIONS:
            raise self._unsound(f"version {version}, known are {_VERSIONS}")
        tensors, entries = self._number("Q"), self._number("Q")
        self._check(tensors * 24 + entries * 13)
        entries_by_name: dict[str, Any] = {}
        for _ in range(entries):
            name = self._string()
            if name in entries_by_name:
                raise self._unsound(f"the entry {name!r} comes twice")
            entries_by_name[name] = self._value(self._number("I"))
        places = [self._tensor() for _ in range(tensors)]
        alignment = entries_by_name.get("general.alignment", _ALIGNMENT)
        if not isinstance(alignment, int) or alignment < 1:
            raise self._unsound(f"general.alignment is {alignment!r}")
        start = -(-self._place // alignment) * alignment
        tensors_by_name = {
            name: TensorPlace(name, shape, kind, start + offset) for name, shape, kind, offset in places
        }
        if len(tensors_by_name) != len(places):
            raise self._unsound("two tensors have one name")
        return Header(entries_by_name, tensors_by_name)

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name, dimensions = self._string(), self._number("I")
        if not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise self._unsound(f"tensor {name!r} has {dimensions} dimensions")
        shape = tuple(self._number("Q") for _ in range(dimensions))
        return name, shape[::-1], self._number("I"), self._number("Q")

    def _value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            raise self._unsound(f"an entry of type {kind}")
        of, count = self._number("I"), self._number("Q")
        if of in _SCALARS:
            form = f"<{count}{_SCALARS[of]}"
            self._check(count)
            return list(struct.unpack(form, self._bytes(struct.calcsize(form))))
        self._check(8 * count)
        if of == _STRING:
            return [self._string() for _ in range(count)]
        raise self._unsound(f"an array of type {of}")

    def _string(self) -> str:
        return self._bytes(self._number("Q")).decode("utf-8")

    def _number(self, form: str) -> Any:
        (value,) = struct.unpack(f"<{form}", self._bytes(struct.calcsize(form)))
        return value

    def _bytes(self, count: int) -> bytes:
        self._check(count)
        self._place += count
        return self._read(count)

    def _check(self, count: int) -> None:
        if self._place + count > self._size:
            raise self._unsound(f"it ends after {self._size} bytes, where {self._place + count} are told of")

    def _unsound(self, why: str) -> SimonidesError:
        return SimonidesError(f"{self._path} is no sound GGUF file: {why}.")

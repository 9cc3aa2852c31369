"""Files: what a user brings is read whole or refused in words; what is written is whole or not there."""

import codecs
import contextlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simonides.base.errors import SimonidesError

_MOST = 2**30
# of a whole number; no count or identifier has more
_DIGITS = 1000
# marks a folder that `output_folder` made
_OURS = ".simonides"
# in the head of every page
_GENERATOR = b'name="generator" content="simonides'
_UMASK = os.umask(0)
os.umask(_UMASK)


def read_bytes(path: Path | str, most: int = _MOST) -> bytes:
    """What a regular file holds, if it is no larger than `most` bytes.

    Raises:
        SimonidesError: when there is no such file, it is no regular one, is larger, or cannot be read.
    """
    path = Path(path)
    content = b""
    try:
        kind = path.stat().st_mode
        if stat.S_ISREG(kind):  # a pipe or a device may never end
            with path.open("rb") as file:
                content = file.read(most + 1)
    except FileNotFoundError:
        raise SimonidesError(f"{path} does not exist; check the path.") from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        why = getattr(error, "strerror", None) or error
        raise SimonidesError(f"{path} cannot be read: {why}; check the path and its permissions.") from None
    if not stat.S_ISREG(kind):
        raise SimonidesError(f"{path} is {'a folder' if stat.S_ISDIR(kind) else 'no regular file'}; give a file.")
    if len(content) > most:
        raise SimonidesError(f"{path} holds more than {most / 2**20:.0f} MiB; is it the right file?")
    return content


def read_text(path: Path | str) -> str:
    """What a UTF-8 text file holds, its lines ended by a line feed whatever ended them in the file.

    Raises:
        SimonidesError: when the file cannot be read as text; names the line.
    """
    content = read_bytes(path)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SimonidesError(f"{path} is UTF-16; save the file as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SimonidesError(
            f"{path}, line {line}: byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8."
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path | str) -> Any:
    """What a JSON file holds.

    Raises:
        SimonidesError: when it cannot be read, or is no JSON.
    """
    return parse_json(read_text(path), str(path))


def parse_json(text: str, where: str) -> Any:
    """What a JSON text says; `where` it stands is told in messages.

    Raises:
        SimonidesError: when it is no JSON, an object has a name twice, or a whole number has too many digits.
    """
    try:
        return json.loads(text, object_pairs_hook=_named_once, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise SimonidesError(f"{where} is no sound JSON: {error}.") from None


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the name {twice!r} twice")
    return content


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"a whole number has {len(digits)} digits")
    return int(digits)


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        SimonidesError: when it cannot be read, or is something else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise SimonidesError(f"{path} is no JSON object; is it the file that it was?")
    return content


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside the wanted one, to be written, which then takes its place in one step; its folder is made.

    Raises:
        SimonidesError: when it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.chmod(0o666 & ~_UMASK)  # some writers make files that nobody else may read
        partial.replace(path)
    except OSError as error:
        raise SimonidesError(
            f"{path} cannot be written: {error}; free the space or choose another place."
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 file, whole or not at all.

    Raises:
        SimonidesError: when it cannot be written.
    """
    write_bytes(path, content.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        SimonidesError: when it cannot be written.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)


def check_output_folder(folder: Path) -> None:
    """Raise `SimonidesError` unless a folder is not there, is empty, or was made by `output_folder`."""
    for place in (folder, *folder.parents):
        if place.exists():
            if not place.is_dir():
                raise SimonidesError(f"{place} is a file; give a folder to write to.")
            break
    try:
        strange = folder.is_dir() and not (folder / _OURS).exists() and next(folder.iterdir(), None)
    except OSError as error:
        raise SimonidesError(f"{folder} cannot be read: {error.strerror}; give another folder.") from None
    if strange:
        raise SimonidesError(
            f"{folder} holds files that simonides did not write, such as {strange.name}; give a new folder."
        )


def check_output_page(path: Path) -> None:
    """Raise `SimonidesError` where a page would take the place of a file that is none of ours."""
    if path.exists() and (path.is_dir() or _GENERATOR not in read_bytes(path)[:2000]):
        raise SimonidesError(f"{path} exists and is no page of simonides; give another name.")


def output_folder(folder: Path) -> Path:
    """Make a folder for what is written, or take up one that was made so before: no file of a user is overwritten.

    Raises:
        SimonidesError: when it holds something else, or cannot be written.
    """
    check_output_folder(folder)
    if not (folder / _OURS).exists():
        write_text(folder / _OURS, "What simonides writes goes into this folder.\n")
    return folder


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one, which takes its place when all is well and vanishes when not.

    Raises:
        SimonidesError: when there is something in the wanted folder, or it cannot be written.
    """
    partial = folder.with_name(f".building-{folder.name}")
    try:
        check_free(folder)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        for path in partial.rglob("*"):
            if path.is_file():
                path.chmod(0o666 & ~_UMASK)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    except OSError as error:
        why = getattr(error, "strerror", None) or error
        raise SimonidesError(f"{folder} cannot be written: {why}.") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_free(folder: Path) -> None:
    """Raise `SimonidesError` unless the folder does not exist, or is empty."""
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise SimonidesError(f"{folder} holds something already; give a folder that does not exist.")

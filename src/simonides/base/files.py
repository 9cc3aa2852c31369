"""Files: what a user brings is read whole or refused in words; what is written is whole or not there."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simonides.base.errors import SimonidesError


def read_text(path: Path | str) -> str:
    """What a UTF-8 text file holds.

    Raises:
        SimonidesError: when the file cannot be read as text.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SimonidesError(f"{path} cannot be read as UTF-8 text: {error}.") from None


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        SimonidesError: when it cannot be read, or is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SimonidesError(f"{path} cannot be read: {error}.") from None
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
    with replacing(path) as partial:
        partial.write_text(content, encoding="utf-8")


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

"""The store: finished points as plain files, one folder a point::

    STORE/<paper>/<claim>/<2 digits>/<key>/rows.parquet    the measured rows
                                           point.json      definition, environment, rule, checksum of the rows
    STORE/<paper>/<claim>/failed/<key>.json                why a point failed
    STORE/<paper>/<claim>/damaged/<key>-<n>/               what was found damaged, kept out of the way

A point's folder appears by one rename when it is complete, so a killed run leaves whole points or none. Two
drivers may write at once: the first rename wins and the other's identical rows are dropped.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from simonides.errors import SimonidesError
from simonides.lab.point import Point, digest_of

ROWS, ABOUT = "rows.parquet", "point.json"
_MARK = "simonides-store.json"


@dataclass(frozen=True, kw_only=True)
class Damage:
    """A stored point that cannot be trusted, and why."""

    point: Point
    folder: Path
    reason: str

    def __str__(self) -> str:
        return f"damaged: {self.point.claim} ({self.point}) at {self.folder}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A stored point: its rows, and what is known of how they came about."""

    rows: pl.DataFrame
    about: dict[str, Any]


class Store:
    """Finished points below a folder.

    Arguments:
        root: the folder; made when the first point is written.

    Raises:
        SimonidesError: when `root` exists and is no folder, or holds other things than a store.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        if self.root.exists() and not self.root.is_dir():
            raise SimonidesError(f"store {self.root} is a file; give a folder.")
        try:
            strange = self.root.is_dir() and not (self.root / _MARK).exists() and any(self.root.iterdir())
        except OSError as error:
            raise SimonidesError(f"store {self.root} cannot be read: {error.strerror}.") from None
        if strange:
            raise SimonidesError(
                f"folder {self.root} is not empty and no store of simonides; "
                "give a new folder, or an earlier store."
            )

    def open_for_writing(self) -> None:
        """Make the folder and its mark.

        Raises:
            SimonidesError: when the folder cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not (self.root / _MARK).exists():
                (self.root / _MARK).write_text('{"format": 1}\n')
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise SimonidesError(f"store {self.root} cannot be written: {error.strerror}; give another.") from None

    def folder(self, point: Point) -> Path:
        """Where a point is, or would be."""
        return self.root / point.claim / point.key[:2] / point.key

    def read(self, point: Point) -> Stored | Damage | None:
        """A stored point, the damage found, or None when it is not there."""
        folder = self.folder(point)
        if not folder.is_dir():
            return None

        def damage(reason: str) -> Damage:
            return Damage(point=point, folder=folder, reason=reason)

        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            checksum, definition = about.pop("checksum"), about["definition"]
            content = (folder / ROWS).read_bytes()
        except FileNotFoundError as error:
            return damage(f"{Path(str(error.filename)).name} is missing")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return damage(f"{ABOUT} is unreadable ({error})")
        if digest_of(definition) != point.key:
            return damage(f"{ABOUT} defines another point than its folder's name says")
        if _checksum(content, about) != checksum:
            return damage(f"{ROWS} or {ABOUT} differs from its checksum: cut short or edited")
        try:
            rows = pl.read_parquet(io.BytesIO(content))
        except pl.exceptions.PolarsError as error:
            return damage(f"{ROWS} is no parquet table ({error})")
        return Stored(rows=rows, about=about)

    def write(self, point: Point, rows: pl.DataFrame, about: dict[str, Any]) -> None:
        """Put a finished point in place, whole or not at all; an earlier failure of it is forgotten."""
        folder = self.folder(point)
        folder.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        content = buffer.getvalue()
        about = {"definition": point.definition, **about}
        about["checksum"] = _checksum(content, about)
        building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
        try:
            (building / ROWS).write_bytes(content)
            (building / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
            building.chmod(0o755)  # mkdtemp makes a folder that only its owner can read
            building.rename(folder)
        except OSError:
            shutil.rmtree(building, ignore_errors=True)
            if not folder.is_dir():  # unless another driver put the same point in place meanwhile
                raise
        self._failure(point).unlink(missing_ok=True)

    def set_aside(self, damage: Damage) -> Path:
        """Move a damaged point out of the way; returns where it now is."""
        aside = self.root / damage.point.claim / "damaged"
        aside.mkdir(parents=True, exist_ok=True)
        place = aside / f"{damage.point.key}-{sum(1 for _ in aside.glob(f'{damage.point.key}-*'))}"
        with contextlib.suppress(FileNotFoundError):  # another driver may have done so meanwhile
            damage.folder.rename(place)
        return place

    def write_failure(self, point: Point, message: str) -> None:
        """Keep why a point failed, until it succeeds."""
        path = self._failure(point)
        path.parent.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(f".{os.getpid()}")
        building.write_text(
            json.dumps({"definition": point.definition, "message": message}, indent=1) + "\n", encoding="utf-8"
        )
        building.replace(path)

    def read_failure(self, point: Point) -> str | None:
        """Why a point failed when it was last tried, or None."""
        try:
            return str(json.loads(self._failure(point).read_text(encoding="utf-8"))["message"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError):
            return "failed, and the record of why is unreadable"

    def _failure(self, point: Point) -> Path:
        return self.root / point.claim / "failed" / f"{point.key}.json"


def _checksum(rows: bytes, about: dict[str, Any]) -> str:
    """Of the rows and of all that is told of them."""
    return hashlib.sha256(rows + json.dumps(about, sort_keys=True).encode()).hexdigest()

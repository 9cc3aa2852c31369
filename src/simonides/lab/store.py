"""The store: finished points as plain files, one folder a point::

    STORE/<paper>/<claim>/<2 digits>/<key>/rows.parquet    the measured rows
                                           point.json      definition, environment, rule, checksum of the rows
    STORE/<paper>/<claim>/failed/<key>.json                why a point failed
    STORE/<paper>/<claim>/damaged/<key>-<n>/               what was found damaged, kept out of the way
    STORE/<paper>/<claim>/plans/<scale>.json               the keys of the last plan that was run, for `status`

A point's folder appears by one rename when it is complete, so a killed run leaves whole points or none. Two
drivers may write at once: the first rename wins and the other's identical rows are dropped.
"""

import contextlib
import hashlib
import io
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from simonides.base import SimonidesError, read_bytes, read_json_object
from simonides.lab.point import KEY_LENGTH, Point, digest_of, settings_text

ROWS, ABOUT = "rows.parquet", "point.json"
_MARK = "simonides-store.json"
_FORMAT = 1


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
    """A stored point: its rows, and what is known of how they came about.

    Arguments:
        about: its definition, rule, environment and so on.
        content: the bytes of its table, which agree with their checksum.
    """

    about: dict[str, Any]
    content: bytes

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The table of measured columns."""
        return pl.read_parquet(self.content)


def rows_of(points: Sequence[Stored]) -> tuple[pl.DataFrame, list[int]]:
    """The rows of several points of one schema below one another, and how many each has.

    Raises:
        polars.exceptions.PolarsError: when their columns differ.
    """
    # one call for all is ten times faster than one for each
    counts = [entry.about.get("rows") or entry.rows.height for entry in points]
    return pl.read_parquet([entry.content for entry in points]), counts


def failure_in(path: Path) -> tuple[str, str]:
    """The point that a record of failure is of, or the record's name, and why it failed, in a line."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        definition = record["definition"]
        name = settings_text(definition["parameters"], definition["seed"])
        return name, str(record.get("reason") or record["message"].strip().splitlines()[-1])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return path.stem, "failed, and the record of why is unreadable"


class StoreError(SimonidesError):
    """A store that cannot be written: there is no use in measuring on."""


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
        if (self.root / _MARK).exists() and (
            known := read_json_object(self.root / _MARK).get("format")
        ) != _FORMAT:
            raise SimonidesError(
                f"store {self.root} has the format {known!r}; this version of simonides reads {_FORMAT}."
            )
        if strange:
            raise SimonidesError(
                f"folder {self.root} is not empty and no store of simonides; "
                "give a new folder, or an earlier store."
            )

    def open_for_writing(self) -> None:
        """Make the folder and its mark.

        Raises:
            StoreError: when the folder cannot be written.
        """
        with _writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            if self.identity is None:
                _put(self.root / _MARK, json.dumps({"format": _FORMAT, "id": uuid.uuid4().hex}) + "\n")
            with tempfile.TemporaryFile(dir=self.root):
                pass

    @property
    def identity(self) -> str | None:
        """What tells this store from another at the same path on another machine; None where there is none."""
        try:
            return str(json.loads((self.root / _MARK).read_text(encoding="utf-8"))["id"])
        except (OSError, ValueError, KeyError):
            return None

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
            about = json.loads(read_bytes(folder / ABOUT))
            checksum, definition = about.pop("checksum"), about["definition"]
            content = read_bytes(folder / ROWS)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if lost := [name for name in (ABOUT, ROWS) if not (folder / name).exists()]:
                return damage(f"{lost[0]} is missing")
            return damage(f"{ABOUT} is unreadable ({error})")
        if digest_of(definition) != point.key:
            return damage(f"{ABOUT} defines another point than its folder's name says")
        if _checksum(content, about) != checksum:
            return damage(f"{ROWS} or {ABOUT} differs from its checksum: cut short or edited")
        return Stored(about=about, content=content)

    def write(self, point: Point, rows: pl.DataFrame, about: dict[str, Any]) -> None:
        """Put a finished point in place, whole or not at all; an earlier failure of it is forgotten.

        Raises:
            StoreError: when the system cannot write it, as on a full disk.
        """
        folder = self.folder(point)
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        content = buffer.getvalue()
        about = {"definition": point.definition, "rows": rows.height, **about}
        about["checksum"] = _checksum(content, about)
        with _writing(self.root):
            folder.parent.mkdir(parents=True, exist_ok=True)
            building = folder.parent / f".building-{uuid.uuid4().hex}"
            building.mkdir()
            try:
                (building / ROWS).write_bytes(content)
                (building / ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")
                building.rename(folder)
            except OSError:
                shutil.rmtree(building, ignore_errors=True)
                if not folder.is_dir():  # unless another driver put the same point in place meanwhile
                    raise
            self.forget_failure(point)

    def set_aside(self, damage: Damage) -> Path:
        """Move a damaged point out of the way; returns where it now is."""
        aside = self.root / damage.point.claim / "damaged"
        aside.mkdir(parents=True, exist_ok=True)
        place = aside / f"{damage.point.key}-{sum(1 for _ in aside.glob(f'{damage.point.key}-*'))}"
        with contextlib.suppress(FileNotFoundError):  # another driver may have done so meanwhile
            damage.folder.rename(place)
        return place

    def write_failure(self, point: Point, message: str, reason: str = "") -> None:
        """Keep why a point failed, whole and in a line, until it succeeds.

        Raises:
            StoreError: when the system cannot write it.
        """
        path = self._failure(point)
        with _writing(self.root):
            path.parent.mkdir(parents=True, exist_ok=True)
            _put(
                path,
                json.dumps({"definition": point.definition, "reason": reason, "message": message}, indent=1)
                + "\n",
            )

    def read_failure(self, point: Point) -> str | None:
        """Why a point failed when it was last tried, in a line, or None."""
        path = self._failure(point)
        return failure_in(path)[1] if path.exists() else None

    def forget_failure(self, point: Point) -> None:
        """Remove the record of a failure, if there is one."""
        self._failure(point).unlink(missing_ok=True)

    def write_plan(self, claim: str, scale: str, plan: dict[str, Any]) -> None:
        """Keep what a plan consists of, so that it can be counted without loading the claim.

        Raises:
            StoreError: when the system cannot write it.
        """
        path = self._plan(claim, scale)
        with _writing(self.root):
            path.parent.mkdir(parents=True, exist_ok=True)
            _put(path, json.dumps(plan) + "\n")

    def read_plan(self, claim: str, scale: str) -> dict[str, Any]:
        """The plan kept last; empty where there is none that can be read."""
        try:
            plan = json.loads(self._plan(claim, scale).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return plan if isinstance(plan, dict) else {}

    def listing(self, claim: str) -> tuple[set[str], dict[str, Path]]:
        """The keys of all points of a claim that are there, unread, and the records of its failures by key."""
        folder = self.root / claim
        present = {path.name for path in folder.glob("[0-9a-f][0-9a-f]/[0-9a-f]*") if len(path.name) == KEY_LENGTH}
        return present, {path.stem: path for path in (folder / "failed").glob("*.json")}

    def _failure(self, point: Point) -> Path:
        return self.root / point.claim / "failed" / f"{point.key}.json"

    def _plan(self, claim: str, scale: str) -> Path:
        return self.root / claim / "plans" / f"{scale}.json"


def _put(path: Path, text: str) -> None:
    """Write a file whole or not at all, whoever else writes it."""
    building = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        building.write_text(text, encoding="utf-8")
        building.replace(path)
    except OSError:
        building.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"store {root} cannot be written: {error.strerror}. Finished runs are kept; make room or give "
            "another folder by --store, and run the same command again."
        ) from None


def _checksum(rows: bytes, about: dict[str, Any]) -> str:
    """Of the rows and of all that is told of them."""
    return hashlib.sha256(rows + json.dumps(about, sort_keys=True).encode()).hexdigest()

"""Results that are kept with the code: what was measured of each claim, and its verdict, as files that travel.

RESULTS/<scale>/<paper>.json               verdicts, cells with means and intervals, environments, cost
RESULTS/<scale>/<paper>/<claim>.parquet    every run
"""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from simonides.base import (
    SimonidesError,
    json_text,
    mean_estimate,
    read_bytes,
    read_json_object,
    write_bytes,
    write_text,
)
from simonides.lab.cell_values import cell_columns, measured_columns
from simonides.lab.loading import ClaimFile
from simonides.lab.locking import rules_hash
from simonides.lab.plan import Plan
from simonides.lab.registry import results_folder
from simonides.lab.verdict import Gathered, Verdict, judge


def record(plan: Plan, gathered: Gathered, folder: Path | None = None) -> Verdict:
    """Keep what was measured of a claim, all of it, beside the code.

    Raises:
        SimonidesError: when runs are missing, or the folder cannot be written.
    """
    if gathered.missing or not gathered.present:
        raise SimonidesError(
            f"{plan.file.id}: {gathered.missing} of {len(plan.points)} runs are missing; run it first: simonides run "
            f"{plan.file.id} --scale {plan.scale}"
        )
    verdict = judge(plan, gathered)
    folder = (folder or results_folder()) / plan.scale
    name = plan.file.id.partition("/")[2]
    buffer = io.BytesIO()
    gathered.table.write_parquet(buffer, compression="zstd", compression_level=15)
    write_bytes(folder / plan.file.paper / f"{name}.parquet", buffer.getvalue())
    place = folder / f"{plan.file.paper}.json"
    kept = read_json_object(place) if place.exists() else {}
    kept[plan.file.id] = {
        **verdict.as_json(),
        "rules": rules_hash(plan),
        "code": plan.points[0].code,
        "version": plan.claim.version,
        "setting": _setting(plan),
        "differs": plan.claim.differs,
        "cost in seconds": round(sum(float(about.get("seconds", 0.0)) for about in gathered.about), 1),
        "measured": _dates(gathered),
        "environments": environments_of(gathered),
        "diverged runs": [list(one) for one in gathered.diverged],
        "cells": _cells(gathered.table),
    }
    write_text(place, json_text(dict(sorted(kept.items()))) + "\n")
    return verdict


def recorded_entry(file: ClaimFile, scale: str, folder: Path | None = None) -> dict[str, Any]:
    """What was kept of a claim.

    Raises:
        SimonidesError: when nothing was.
    """
    place = (folder or results_folder()) / scale / f"{file.paper}.json"
    entry = read_json_object(place).get(file.id) if place.exists() else None
    if entry is None:
        raise SimonidesError(f"no result of {file.id} is recorded at scale {scale}; see: simonides record --help")
    return dict(entry)


def recorded(plan: Plan, folder: Path | None = None) -> Gathered:
    """The runs that were kept of a claim, as a store would give them.

    Raises:
        SimonidesError: when nothing was kept, or the claim's grid or code has changed since.
    """
    entry = recorded_entry(plan.file, plan.scale, folder)
    if (entry["code"], entry["version"]) != (plan.points[0].code, plan.claim.version):
        raise SimonidesError(
            f"{plan.file.id}: what is recorded was measured with other code; run and record it again."
        )
    name = plan.file.id.partition("/")[2]
    place = (folder or results_folder()) / plan.scale / plan.file.paper / f"{name}.parquet"
    table = pl.read_parquet(io.BytesIO(read_bytes(place)))
    about = tuple(
        {"rule": one["rule"], "environment": one["environment"]}
        for one in entry["environments"]
        for _ in range(one["runs"])
    )
    return Gathered(
        table=table,
        about=about,
        present=len(about),
        missing=max(0, len(plan.points) - len(about)),
        damaged=(),
        diverged=tuple((point, why) for point, why in entry["diverged runs"]),
        failed=(),
    )


def _setting(plan: Plan) -> dict[str, Any]:
    """The values of each parameter, and how many seeds."""
    values = {name: sorted({cell[name] for cell in plan.grid.cells}, key=_order) for name in plan.grid.axes}
    return {**values, "seeds": plan.grid.seeds}


def _order(value: object) -> tuple[bool, Any]:
    return isinstance(value, str), value


def _dates(gathered: Gathered) -> list[str]:
    """The first and the last day of measuring."""
    days = sorted(str(about["finished"])[:10] for about in gathered.about if "finished" in about)
    return [days[0], days[-1]] if days else []


def environments_of(gathered: Gathered) -> list[dict[str, Any]]:
    """What runs were computed with, the commonest first, and how many of each."""
    counts = Counter(
        json.dumps({"rule": about.get("rule"), "environment": about.get("environment", {})}, sort_keys=True)
        for about in gathered.about
    )
    return [{"runs": count, **json.loads(text)} for text, count in counts.most_common()]


def _cells(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Each cell with the mean of every column and its 95 % interval; of trainings, which have rows, the last row."""
    keys = cell_columns(table)
    last = table.filter(pl.col("row") == pl.col("row").max())
    cells = []
    for key, group in last.group_by([key for key in keys if key != "row"], maintain_order=True):
        cell: dict[str, Any] = {
            name.removeprefix("cell "): value
            for name, value in zip([key for key in keys if key != "row"], key, strict=True)
        }
        for column in measured_columns(table):
            estimate = mean_estimate(group[column].cast(pl.Float64).to_numpy())
            cell[column] = [_short(estimate.value), *map(_short, estimate.interval())]
        cells.append(cell)
    return cells


def _short(value: float) -> float:
    return float(f"{value:.6g}")

"""What a store holds, as a frame for one's own figures and tables."""

from pathlib import Path

import polars as pl

from simonides.base import SimonidesError
from simonides.lab.exploring import plain_columns
from simonides.lab.loading import find
from simonides.lab.plan import Plan
from simonides.lab.store import Store
from simonides.lab.verdict import gather


def results(target: str, scale: str = "desk", store: Path | str = "simonides-store") -> pl.DataFrame:
    """The runs of some claims that a store holds, a row for each, or for each row of a run.

    Columns: claim, the parameters, seed, row, what was measured, and "predicted NAME" for each prediction; what a claim
    does not have is null. `to_pandas()` makes a frame of pandas of it.

    Arguments:
        target: a claim, a paper, "talk", "all", the path of a claim's file, or several with commas.
        scale: "smoke", "desk" or "paper".
        store: folder of the results.

    Raises:
        SimonidesError: when there is no such claim or store, or the store holds nothing of it at this scale.
    """
    folder = Path(store)
    if not folder.is_dir():
        raise SimonidesError(f"store {folder} does not exist; run the claims first: simonides run {target}")
    place = Store(folder)
    frames = []
    for file in find(target):
        gathered = gather(Plan(file, scale), place)
        if gathered.present:
            named = pl.lit(file.id).alias("claim")
            frames.append(plain_columns(gathered.table).select(named, pl.all()))
    if not frames:
        raise SimonidesError(
            f"{folder} holds no runs of {target} at scale {scale}; run them first: "
            f"simonides run {target} --scale {scale}"
        )
    return pl.concat(frames, how="diagonal_relaxed")

"""The page of a file or folder of simulations: what it holds, with pictures of the fields."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from simonides.base import output_folder, place_figure, place_table, write_sheet
from simonides.papers.physics.inspecting import SourceSummary, fields_figure
from simonides.papers.physics.simulations import Source

# pictures of so many sources are drawn
_MOST = 6


def write_inspection(out: Path, title: str, sources: Sequence[Source], found: Sequence[SourceSummary]) -> Path:
    """Write the page, its figures and tables; returns the page's path.

    Arguments:
        out: a folder.
        title: of what was looked at.
        sources: that were looked at.
        found: what `inspect_sources` says of them.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    output_folder(out)
    figures = [
        place_figure(
            fields_figure(source),
            out,
            f"fields-{number}",
            f"{source.system}{f' ({source.split})' if source.split else ''}: the first trajectory at five times",
        )
        for number, source in enumerate(sources[:_MOST])
    ]
    sizes = pl.DataFrame(
        {
            "system": [one.system for one in found],
            "split": [one.split for one in found],
            "file": [Path(one.place).name for one in found],
            "trajectories": [one.trajectories for one in found],
            "frames": [one.steps for one in found],
            "cells": [" x ".join(map(str, one.shape)) for one in found],
            "boundaries": [
                "; ".join(" to ".join(dict.fromkeys(pair)) for pair in one.boundaries) for one in found
            ],
        }
    )
    ranges = pl.DataFrame(
        [
            {
                "system": one.system,
                "split": one.split,
                "field": name,
                "least": field.least,
                "mean": field.mean,
                "deviation": field.std,
                "most": field.most,
                **{
                    f"NRMSE of the last frame, stride {stride}": error
                    for stride, error in field.persistence.items()
                },
            }
            for one in found
            for name, field in one.fields.items()
        ],
        infer_schema_length=None,
    )
    return write_sheet(
        out,
        title=f"Simulations: {title}",
        about="What the files hold, read a few frames at a time.",
        footer="Ranges are those of the frames that were looked at: "
        + "; ".join(dict.fromkeys(one.sample for one in found)),
        summary=[
            ("sources", str(len(found))),
            ("trajectories", f"{sum(one.trajectories for one in found):,}"),
            ("frames constant in every field", str(sum(one.constant_frames for one in found))),
        ],
        figures=figures,
        tables=[
            place_table(sizes, out, "sources", "Sources", str),
            place_table(ranges, out, "ranges", "Fields", cell_text),
        ],
    )


def cell_text(value: object) -> str:
    """A number or a text as a table shows it; empty where there is none."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)

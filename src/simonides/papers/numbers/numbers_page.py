"""The page of several encodings on one's own documents: predicted against true, errors, tokens and time."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from simonides.base import COLOURS, INK, output_folder, painted, place_figure, place_table, write_sheet
from simonides.papers.numbers.predictor import Fitted, quality_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_comparison(out: Path, title: str, mask: str, found: Sequence[Fitted]) -> Path:
    """Write the page, its figures and tables; returns the page's path.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    output_folder(out)
    caption = "Numbers held out: what each encoding says against what is true, with 90 % intervals"
    scatter = place_figure(
        painted(lambda f: _draw_scatter(f, found), caption, (3.0 * len(found) + 0.6, 3.2)),
        out,
        "predicted",
        caption,
    )
    caption = "Loss along training"
    losses = place_figure(painted(lambda f: _draw_losses(f, found), caption, (5.6, 3.2)), out, "losses", caption)
    rows = [row for one in found for row in quality_rows(one)]
    qualities = pl.DataFrame(rows, infer_schema_length=None).rename(
        {
            "error": "root mean square error",
            "constant": "error of the mean",
            "linear": "error of least squares",
            "explained": "R^2",
            "covered": "share in intervals",
            "invalid": "share ill-formed",
        }
    )
    costs = pl.DataFrame(
        {
            "encoding": [one.predictor.config.encoding for one in found],
            "tokens of the longest document": [one.tokens for one in found],
            "steps": [one.predictor.config.steps for one in found],
            "steps a second": [one.predictor.config.steps / one.seconds for one in found],
            "seconds": [one.seconds for one in found],
        }
    )
    train, calibration, test = found[0].documents
    return write_sheet(
        out,
        title=f"Encodings of numbers: {mask} of {title}",
        about="A small transformer for each encoding, trained on the same documents at equal compute (steps in inverse "
        "proportion to tokens), and asked for numbers it has not seen (Golkar et al. 2023).",
        footer="One seed each: differences between encodings of the size of those between seeds mean nothing.",
        summary=[
            ("documents in training", f"{train:,}"),
            ("for intervals", f"{calibration:,}"),
            ("held out", f"{test:,}"),
        ],
        figures=[scatter, losses],
        tables=[
            place_table(qualities, out, "errors", "Errors on documents held out", _text),
            place_table(costs, out, "costs", "What each costs", _text),
        ],
    )


def _text(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.4g}"


def _draw_scatter(picture: "Figure", found: Sequence[Fitted]) -> None:
    frames = picture.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
    for axes, fitted in zip(frames, found, strict=True):
        own = [one for one in fitted.filled if one.given is not None and one.value == one.value]
        truth = [one.given for one in own if one.given is not None]
        values = [one.value for one in own]
        ends = [
            (one.value - one.low, one.high - one.value)
            for one in own
            if one.low is not None and one.high is not None
        ]
        if len(ends) == len(own) and own:
            below, above = ([max(end, 0.0) for end in side] for side in zip(*ends, strict=True))
            axes.errorbar(truth, values, [below, above], fmt="none", elinewidth=0.5, color=COLOURS[0], alpha=0.4)
        axes.plot(truth, values, ".", ms=3, color=COLOURS[0])
        if truth:
            axes.plot([min(truth), max(truth)], [min(truth), max(truth)], lw=0.8, color=INK)
        axes.set(xlabel="true", title=fitted.predictor.config.encoding)
    frames[0].set_ylabel("predicted")


def _draw_losses(picture: "Figure", found: Sequence[Fitted]) -> None:
    axes = picture.subplots()
    for colour, fitted in zip(COLOURS * len(found), found, strict=False):
        history = fitted.history
        axes.plot(
            history.steps, history.column("loss").flatten(), color=colour, label=fitted.predictor.config.encoding
        )
    axes.set(xlabel="step", ylabel="loss (each encoding's own)", yscale="log")
    axes.legend(fontsize=8)

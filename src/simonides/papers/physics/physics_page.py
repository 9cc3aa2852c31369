"""The page of a rollout: fields beside predictions and errors, errors by step and by band, and a film."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from markupsafe import Markup
from torch import Tensor

from simonides.base import (
    COLOURS,
    INK,
    output_folder,
    painted,
    place_figure,
    place_table,
    write_bytes,
    write_sheet,
)
from simonides.papers.physics.inspection_page import cell_text
from simonides.papers.physics.rollout import BANDS, Rollout
from simonides.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class RolledOut:
    """A rollout of one system, with its name on the page."""

    system: str
    rollout: Rollout


def write_rollouts(
    out: Path,
    title: str,
    rolled: Sequence[RolledOut],
    histories: Mapping[str, History] | None = None,
    curves: pl.DataFrame | None = None,
    summary: Sequence[tuple[str, str]] = (),
) -> Path:
    """Write the page, its figures, tables and films; gives the page's path.

    Arguments:
        out: a folder.
        title: of the page.
        rolled: rollouts, one for each system.
        histories: of trainings, by name: NRMSE by system along each.
        curves: errors by number of samples, with the columns samples, kind and error.
        summary: names with values.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    output_folder(out)
    figures: list[Mapping[str, Any]] = []
    films: list[str] = []
    for name, history in (histories or {}).items():
        caption = f"{name}: NRMSE of one step on windows held out, by system"
        figures.append(
            _placed(out, f"training-{name}", caption, lambda f, h=history: _draw_history(f, h), (6.0, 3.4))
        )
    if curves is not None:
        caption = "Fine-tuned and from scratch, by number of trajectories"
        figures.append(_placed(out, "samples", caption, lambda f: _draw_samples(f, curves), (5.0, 3.4)))
    for one in rolled:
        found = one.rollout
        caption = f"{one.system}: error by step, with the last frame and the last increment repeated"
        figures.append(
            _placed(out, f"errors-{one.system}", caption, lambda f, r=found: _draw_errors(f, r), (6.4, 3.4))
        )
        caption = (
            f"{one.system}: root of the error's power over the truth's in bands of wave number; 1 is the error of a "
            "field without the band"
        )
        figures.append(
            _placed(out, f"bands-{one.system}", caption, lambda f, r=found: _draw_bands(f, r), (5.0, 3.2))
        )
        if found.truth.dim() == 5:
            caption = (
                f"{one.system}, {float(found.times[-1]):.3g} ahead: truth and prediction in one scale of colours, "
                "the error in one of the same width about zero"
            )
            size = (7.0, 1.9 * len(found.fields) + 0.3)
            figures.append(
                _placed(out, f"fields-{one.system}", caption, lambda f, r=found: _draw_fields(f, r), size)
            )
            films.append(f"film-{one.system}.gif".replace(" ", "-"))
            write_bytes(out / films[-1], film(found))
            picture = Markup('<img src="{}" alt="film of {}" style="max-width:100%">').format(
                films[-1], one.system
            )
            caption = f"{one.system}: the rollout as a film"
            figures.append(
                {"svg": picture, "png": films[-1], "pdf": f"figures/fields-{one.system}.pdf", "caption": caption}
            )
    table = pl.concat([_rows(one) for one in rolled])
    return write_sheet(
        out,
        title=title,
        about="Predictions that are fed back into a transformer of space and time (McCabe et al. 2024), beside the "
        "truth and simple baselines.",
        footer="VRMSE: root mean square error over the standard deviation of the field in space; 1 is the error of the "
        "field's mean. One model: differences of the size of those between seeds mean nothing.",
        summary=list(summary),
        figures=figures,
        tables=[place_table(table, out, "errors", "VRMSE by step and field", cell_text)],
        more_files=films,
    )


def film(rollout: Rollout, window: int = 0) -> bytes:
    """An animated GIF of truth, prediction and error of one window, a row for each field.

    Arguments:
        rollout: of two axes of space.
        window: its number.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    truth, predicted = rollout.truth[window], rollout.predicted[window]
    scales = [_scale(truth[:, place]) for place in range(len(rollout.fields))]
    pictures = []
    for step in range(len(truth)):
        figure = Figure(figsize=(6.0, 1.7 * len(rollout.fields) + 0.4), dpi=80, layout="constrained")
        canvas: Any = FigureCanvasAgg(figure)
        panels = figure.subplots(len(rollout.fields), 3, squeeze=False)
        for place, (name, (low, high)) in enumerate(zip(rollout.fields, scales, strict=True)):
            own = (truth[step, place], predicted[step, place], predicted[step, place] - truth[step, place])
            _draw_panels(panels[place], own, low, high, name)
        figure.suptitle(f"t = {float(rollout.times[step]):.3g} ahead", fontsize=9)
        canvas.draw()
        pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, format="GIF", save_all=True, append_images=pictures[1:], duration=400, loop=0, optimize=True
    )
    return buffer.getvalue()


def _placed(out: Path, name: str, caption: str, draw: Any, size: tuple[float, float]) -> Mapping[str, Any]:
    return place_figure(painted(draw, caption, size), out, re.sub(r"[^\w.-]+", "-", name), caption)


def _scale(values: Float[Tensor, "..."]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _draw_panels(panels: Sequence["Axes"], own: Sequence[Tensor], low: float, high: float, name: str) -> None:
    """Truth, prediction and error of one field; the error in a scale of the same width about zero."""
    half = (high - low) / 2
    for panel, values, title in zip(panels, own, ("truth", "prediction", "error"), strict=True):
        ends = (-half, half) if title == "error" else (low, high)
        colours = "RdBu_r" if title == "error" else "viridis"
        mesh = panel.imshow(values.numpy().T, origin="lower", vmin=ends[0], vmax=ends[1], cmap=colours)
        panel.set_title(f"{name}: {title}", fontsize=8)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.grid(visible=False)
        if title != "truth":  # truth and prediction share a scale
            bar = panel.figure.colorbar(mesh, ax=panel, fraction=0.05)
            bar.ax.tick_params(labelsize=6)


def _draw_fields(figure: "Figure", rollout: Rollout) -> None:
    """The first window at its last step."""
    panels = figure.subplots(len(rollout.fields), 3, squeeze=False)
    truth, predicted = rollout.truth[0, -1], rollout.predicted[0, -1]
    for place, name in enumerate(rollout.fields):
        low, high = _scale(rollout.truth[0, :, place])
        own = (truth[place], predicted[place], predicted[place] - truth[place])
        _draw_panels(panels[place], own, low, high, name)


def _draw_errors(figure: "Figure", rollout: Rollout) -> None:
    axes = figure.subplots()
    times = rollout.times.numpy()
    curves = {
        "model": rollout.errors,
        "last frame": rollout.persistence,
        "last increment repeated": rollout.extrapolation,
    }
    for (label, values), colour, dash in zip(curves.items(), COLOURS, ("-", "--", ":"), strict=False):
        mean = values.mean(2)
        axes.plot(times, mean.mean(0).numpy(), dash, color=colour, lw=1.6, label=label, marker="o", ms=3)
        axes.fill_between(times, mean.amin(0).numpy(), mean.amax(0).numpy(), color=colour, alpha=0.15, lw=0)
    axes.axhline(1.0, ls=":", lw=1, color=INK)
    axes.set(xlabel="time ahead", ylabel="VRMSE, mean of fields (shade: windows)", yscale="log")
    axes.text(times[-1], 1.0, "spatial mean", fontsize=7, ha="right", va="bottom", color=INK)
    axes.legend(fontsize=8)


def _draw_bands(figure: "Figure", rollout: Rollout) -> None:
    axes = figure.subplots()
    means = rollout.bands.mean((0, 2))
    for place, (name, colour) in enumerate(zip(BANDS, COLOURS, strict=False)):
        axes.plot(
            rollout.times.numpy(),
            means[:, place].numpy(),
            color=colour,
            marker="o",
            ms=3,
            label=f"{name} structures",
        )
    axes.axhline(1.0, ls=":", lw=1, color=INK)
    axes.set(xlabel="time ahead", ylabel="error over truth", yscale="log")
    axes.legend(fontsize=8)


def _draw_history(figure: "Figure", history: History) -> None:
    axes = figure.subplots()
    steps = np.asarray(history.steps)
    for (name, values), colour in zip(history.columns.items(), COLOURS, strict=False):
        if name.startswith("NRMSE "):
            axes.plot(
                steps, values.double().numpy(), color=colour, marker="o", ms=3, label=name.removeprefix("NRMSE ")
            )
    axes.set(xlabel="updates", ylabel="NRMSE of one step", yscale="log")
    axes.legend(fontsize=8)


def _draw_samples(figure: "Figure", curves: pl.DataFrame) -> None:
    axes = figure.subplots()
    for (kind, group), colour in zip(curves.group_by("kind", maintain_order=True), COLOURS, strict=False):
        axes.plot(group["samples"], group["error"], color=colour, marker="o", ms=4, label=str(kind[0]))
    axes.set(xlabel="trajectories in training", ylabel="NRMSE of one step", xscale="log", yscale="log")
    axes.legend(fontsize=8)


def _rows(one: RolledOut) -> pl.DataFrame:
    found = one.rollout
    rows = []
    for step, time in enumerate(found.times.tolist()):
        for place, name in enumerate(found.fields):
            rows.append(
                {
                    "system": one.system,
                    "time ahead": float(f"{time:.6g}"),
                    "field": name,
                    "model": float(found.errors[:, step, place].mean()),
                    "last frame": float(found.persistence[:, step, place].mean()),
                    "last increment repeated": float(found.extrapolation[:, step, place].mean()),
                }
            )
    return pl.DataFrame(rows)


def blow_up_text(rollout: Rollout) -> str:
    """When windows leave the truth, in words."""
    times = rollout.blow_up_times()
    gone = torch.isfinite(times)
    if not bool(gone.any()):
        return f"none of {len(times)} windows by {float(rollout.times[-1]):.3g}"
    return f"{int(gone.sum())} of {len(times)} windows, the first at {float(times[gone].min()):.3g}"

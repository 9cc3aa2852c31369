"""Figures: measurement and prediction in one frame, with intervals over seeds.

A claim lists what to draw; matplotlib is imported when something is drawn.
"""

import io
from typing import Any

import polars as pl

from simonides.lab.figures.capacity_plot import CapacityPlot
from simonides.lab.figures.curves import Curves
from simonides.lab.figures.film import Film
from simonides.lab.figures.heat_map import HeatMap
from simonides.lab.figures.overlay import Overlay
from simonides.lab.figures.style import INK
from simonides.lab.prediction import Predictions

__all__ = ["CapacityPlot", "Curves", "Figure", "Film", "HeatMap", "Overlay", "render"]

Figure = Overlay | Curves | CapacityPlot | HeatMap | Film


def render(figure: Figure, table: pl.DataFrame, predictions: Predictions) -> dict[str, bytes]:
    """A figure as "svg" (page colours), "png" and "pdf" (black on white)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "simonides",
        "font.size": 10,
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    }
    with plt.rc_context(style):
        picture, axes = plt.subplots(figsize=(6.4, 4.0))
        figure.draw(axes, table, predictions)
        out = {}
        for kind in ("svg", "png", "pdf"):
            buffer = io.BytesIO()
            # no dates: the same numbers give the same files
            none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            metadata = {"svg": none, "pdf": {"CreationDate": None}}.get(kind)
            transparent = kind == "svg"
            picture.savefig(buffer, format=kind, dpi=160, metadata=metadata, transparent=transparent)
            out[kind] = buffer.getvalue()
        plt.close(picture)
    svg = out["svg"].decode()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    out["svg"] = svg.replace("<svg ", f'<svg role="img" aria-label="{_plain(figure.title)}" ', 1).encode()
    return out


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in " .,()=-")

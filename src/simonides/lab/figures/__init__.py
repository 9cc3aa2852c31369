"""Figures: measurement and prediction in one frame, with intervals over seeds.

A claim lists what to draw; matplotlib is imported when something is drawn.
"""

import polars as pl

from simonides.base import painted
from simonides.lab.figures.capacity_plot import CapacityPlot
from simonides.lab.figures.curves import Curves
from simonides.lab.figures.film import Film
from simonides.lab.figures.heat_map import HeatMap
from simonides.lab.figures.overlay import Overlay
from simonides.lab.prediction import Predictions

__all__ = ["CapacityPlot", "Curves", "Figure", "Film", "HeatMap", "Overlay", "painted", "render"]

Figure = Overlay | Curves | CapacityPlot | HeatMap | Film


def render(figure: Figure, table: pl.DataFrame, predictions: Predictions) -> dict[str, bytes]:
    """A figure as "svg" (page colours), "png" and "pdf" (black on white)."""
    return painted(lambda picture: figure.draw(picture.subplots(), table, predictions), figure.title)

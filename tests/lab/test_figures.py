"""Curves and heat maps of a table: they draw, and refuse what is not there."""

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest

from simonides.base import SimonidesError
from simonides.lab.figures import Curves, Film, HeatMap, Overlay, render


def table():
    rows = [
        {"cell d": d, "cell t": t, "seed": seed, "row": 0, "error": 1 / d + 1 / t + 0.01 * seed, "loss": 2.0 / d}
        for d in (2, 4, 8)
        for t in (10, 100)
        for seed in range(5)
    ]
    return pl.DataFrame(rows).with_columns(pl.col("error").alias("predicted error"))


MAP = {"z": "error", "x": "d", "y": "t", "levels": [0.2, 0.4], "title": "map", "z_label": "error"}
LABELS = {"x_label": "d", "y_label": "t"}


def test_a_heat_map_shows_measurement_and_prediction():
    pictures = render(HeatMap(**MAP, **LABELS), table(), {})
    assert set(pictures) == {"svg", "png", "pdf"}
    assert b"prediction" in pictures["svg"]
    assert b"measured" in pictures["svg"]


def test_a_heat_map_needs_the_whole_rectangle():
    with pytest.raises(SimonidesError, match="every pair"):
        render(HeatMap(**MAP, **LABELS), table().filter((pl.col("cell d") != 4) | (pl.col("cell t") != 10)), {})


def test_curves_of_several_columns():
    curves = Curves(ys={"the error": "error", "the loss": "loss"}, x="d", where={"t": 10}, title="c", **LABELS)
    svg = render(curves, table(), {})["svg"]
    assert b"the error" in svg
    assert b"the loss" in svg
    with pytest.raises(SimonidesError, match="did you mean 'loss'"):
        render(Curves(ys={"a": "los"}, x="d", title="c", **LABELS), table(), {})


def test_curves_along_a_measured_column():
    steps = np.arange(40)
    rows = pl.DataFrame(
        [
            {"cell d": 2, "seed": seed, "row": int(s), "step": float(s), "error": 1 / (1 + s) + 0.01 * seed}
            for seed in range(5)
            for s in steps
        ]
    )
    svg = render(Curves(ys={"the error": "error"}, x="step", title="c", log="", **LABELS), rows, {})["svg"]
    assert b"the error" in svg


def film_table():
    entries = [(s, q, k) for s in (0, 50, 100) for q in range(3) for k in range(3)]
    return pl.DataFrame(
        [
            {"cell d": 2, "seed": seed, "row": n, "step": float(s), "q": q, "k": k, "a": float(q == k)}
            for seed in range(5)
            for n, (s, q, k) in enumerate(entries)
        ]
    )


FILM = {
    "zs": {"layer": "a"},
    "time": "step",
    "down": "q",
    "across": "k",
    "title": "f",
    "z_label": "a",
    "labels": "abc",
}


def test_a_film_shows_a_map_for_every_moment():
    svg = render(Film(**FILM, **LABELS), film_table(), {})["svg"]
    assert all(f">{moment}<".encode() in svg for moment in (0, 50, 100))


def test_a_film_needs_square_maps():
    with pytest.raises(SimonidesError, match="no square map"):
        render(Film(**FILM, **LABELS), film_table().filter((pl.col("q") > 0) | (pl.col("k") > 0)), {})


def test_no_figure_averages_over_what_it_was_not_told_of():
    for figure, names in (
        (Overlay(y="error", x="d", title="o", **LABELS), "average over t"),
        (Overlay(y="error", x="row", title="o", **LABELS), "'row' is unknown"),
        (Curves(ys={"a": "error"}, x="d", title="c", **LABELS), "average over t"),
        (Curves(ys={"a": "error"}, x="loss", title="c", **LABELS), "average over d, t"),
    ):
        with pytest.raises(SimonidesError, match=names):
            render(figure, table(), {})
    render(Overlay(y="error", x="d", by="t", title="o", **LABELS), table(), {})
    along = table().filter(pl.col("cell t") == 10).with_columns((pl.col("cell d") * 3).alias("cell steps"))
    render(Overlay(y="error", x="d", title="o", **LABELS), along, {})  # steps go with d


def test_a_prediction_of_one_cell_is_a_mark():
    one = table().filter(pl.col("cell d") == 4)
    figure, axes = plt.subplots()
    Overlay(y="error", x="d", by="t", title="o", smooth=False, **LABELS).draw(
        axes, one, {"error": lambda d: 1 / d}
    )
    marks = [line for line in axes.lines if line.get_marker() == "_" and line.get_markersize() == 12]
    assert len(marks) == 2 and [float(m.get_ydata()[0]) for m in marks] == pytest.approx([0.37, 0.28])
    plt.close(figure)

"""The page of a corpus or of trainings by class frequency: ranks and counts, and losses by bin along training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Float

from simonides.base import (
    COLOURS,
    INK,
    SimonidesError,
    output_folder,
    painted,
    place_figure,
    place_table,
    write_sheet,
)
from simonides.papers.imbalance.bins import Counts, checked_counts
from simonides.papers.imbalance.corpus import CorpusReport
from simonides.papers.imbalance.meter import FrequencyHistory
from simonides.papers.imbalance.rate_runs import RateRuns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False)
class LossCurves:
    """Losses by bin along one training.

    Arguments:
        steps: of the records.
        losses: in nats; NaN where nothing was seen.
    """

    steps: tuple[int, ...]
    losses: Float[np.ndarray, "records bins"]

    @classmethod
    def of(cls, source: "FrequencyHistory | RateRuns") -> "LossCurves":
        """Of a user's training, or of the best rate of a method."""
        if isinstance(source, RateRuns):
            return cls(steps=source.steps, losses=source.by_bin[:, source.best].numpy())
        columns = [source.column(f"loss/{name}") for name in source.bins]
        return cls(steps=tuple(source.steps), losses=np.array(columns, dtype=float).T)


def write_frequencies(
    out: Path,
    title: str,
    trainings: "Mapping[str, FrequencyHistory | RateRuns]",
    counts: Counts | None = None,
    report: CorpusReport | None = None,
) -> Path:
    """Write the page, its figures and tables; returns the page's path.

    Arguments:
        out: the folder.
        title: of the page.
        trainings: what was read along each, by its name, such as {"Adam": ..., "SGD": ...}; may be empty.
        counts: samples of each class, drawn against their ranks.
        report: of the counts.

    Raises:
        SimonidesError: when there is nothing to show, trainings have different bins, or the folder cannot be written.
    """
    out = Path(out)
    if "bin" in trainings:
        raise SimonidesError("a training is called 'bin', as the column of bins is; give it another name.")
    curves = {name: LossCurves.of(source) for name, source in trainings.items()}
    if not curves and counts is None:
        raise SimonidesError("there is nothing to show; give trainings, or counts.")
    if empty := [name for name, curve in curves.items() if not curve.steps]:
        raise SimonidesError(f"nothing was read of {empty[0]!r} yet; train first.")
    if len({curve.losses.shape[1] for curve in curves.values()}) > 1:
        raise SimonidesError("trainings have different numbers of bins; read all with the same counts and bins.")
    output_folder(out)
    figures: list[dict[str, Any]] = []

    def show(draw: Any, file: str, size: tuple[float, float], caption: str) -> None:
        figures.append(place_figure(painted(draw, caption, size), out, file, caption))

    if counts is not None:
        caption = "Samples of each class against its rank, and the fitted power law; dashed: cuts between bins"
        show(lambda f: _draw_ranks(f.subplots(), counts, report), "ranks", (6.4, 3.8), caption)
    if curves:
        caption = "Loss along training by class frequency, darkest: the most frequent bin; one frame a training"
        show(lambda f: _draw_curves(f, curves), "curves", (3.6 * len(curves) + 1.2, 3.8), caption)
        caption = "Loss at the end by class frequency"
        show(lambda f: _draw_ends(f.subplots(), curves), "ends", (6.4, 3.6), caption)
    sweeps = {name: source for name, source in trainings.items() if isinstance(source, RateRuns)}
    if sweeps:
        caption = "Loss at the end against the learning rate, by bin; a dot marks each bin's best rate"
        show(lambda f: _draw_rates(f, sweeps), "rates", (3.6 * len(sweeps) + 1.2, 3.8), caption)
    tables = _tables(curves, sweeps, report)
    titles = {
        "bins": "Bins",
        "losses": "Losses at the end, in nats",
        "rates": "Learning rates",
        "exponents": "Ranks",
    }
    return write_sheet(
        out,
        title=title,
        about="Classes are sorted by falling count and cut into bins of about equal numbers of samples: bin 0 holds "
        "the most frequent classes, the last the rarest. Losses are means over samples. Kunstner et al. (2024) found "
        "that gradient descent leaves the last bins behind where Adam does not.",
        footer=" ".join(report.advice) if report else "",
        summary=_summary(report),
        figures=figures,
        tables=[place_table(table, out, name, titles[name], _text) for name, table in tables.items()],
    )


def _summary(report: CorpusReport | None) -> list[tuple[str, str]]:
    if report is None:
        return []
    lines = [("samples", f"{report.samples:,.0f}"), ("classes", f"{report.classes:,}")]
    if report.exponent is not None:
        low, high = report.exponent.interval
        lines.append(("exponent of Zipf's law", f"{report.exponent.value:.3f} [{low:.3f}, {high:.3f}]"))
    lines.append(("the median sample's class is rarer than the commonest", f"{report.median_ratio:.3g} times"))
    return [*lines, *(("advice", line) for line in report.advice)]


def _tables(
    curves: Mapping[str, LossCurves], sweeps: Mapping[str, RateRuns], report: CorpusReport | None
) -> dict[str, pl.DataFrame]:
    tables: dict[str, pl.DataFrame] = {}
    if report is not None:
        rows = [
            {"bin": number, "classes": classes, "share of samples": mass}
            for number, (classes, mass) in enumerate(zip(report.bin_classes, report.bin_mass, strict=True))
        ]
        tables["bins"] = pl.DataFrame(rows)
        if report.local:
            fits = [asdict(one) for one in report.local]
            tables["exponents"] = pl.DataFrame(
                [
                    {
                        "from rank": fit["ranks"][0],
                        "to rank": fit["ranks"][1],
                        "exponent": fit["value"],
                        "low": fit["interval"][0],
                        "high": fit["interval"][1],
                    }
                    for fit in fits
                ]
            )
    if curves:
        bins = next(iter(curves.values())).losses.shape[1]
        ends = [
            {"bin": number, **{name: float(curve.losses[-1, number]) for name, curve in curves.items()}}
            for number in range(bins)
        ]
        tables["losses"] = pl.DataFrame(ends)
    if sweeps:
        rates = [
            {
                "method": name,
                "rate": rate,
                "loss": float(runs.mean[-1, place]),
                "best": place == runs.best,
                "on the grid's edge": place == runs.best and runs.on_edge,
            }
            for name, runs in sweeps.items()
            for place, rate in enumerate(runs.rates)
        ]
        tables["rates"] = pl.DataFrame(rates)
    return tables


def _text(value: float | int | str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if not isinstance(value, float):
        return str(value)
    if np.isnan(value):
        return "-"
    return "not finite" if np.isinf(value) else f"{value:.4g}"


def _draw_ranks(axes: "Axes", counts: Counts, report: CorpusReport | None) -> None:
    ordered = checked_counts(counts).sort(descending=True).values.numpy()
    ordered = ordered[ordered > 0]
    ranks = np.arange(1, len(ordered) + 1)
    axes.loglog(ranks, ordered, ".", ms=3, color=COLOURS[0], label="counted")
    if report is not None and report.exponent is not None:
        first, last = report.exponent.ranks
        inside = ranks[first - 1 : last].astype(float)
        powers = inside**-report.exponent.value
        fitted = powers * ordered[first - 1 : last].sum() / powers.sum()
        axes.plot(inside, fitted, color=COLOURS[1], label=f"rank to the power -{report.exponent.value:.2f}")
    if report is not None:
        for cut in np.cumsum(report.bin_classes)[:-1]:
            axes.axvline(cut + 0.5, color=INK, ls="--", lw=0.6, alpha=0.6)
    axes.set(xlabel="rank of the class", ylabel="samples")
    axes.legend()


def _shades(count: int) -> list[Any]:
    import matplotlib

    return [matplotlib.colormaps["viridis"](0.92 * place / max(count - 1, 1)) for place in range(count)]


def _draw_curves(picture: "Figure", curves: Mapping[str, LossCurves]) -> None:
    frames = picture.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    seen = range(next(iter(curves.values())).losses.shape[1])
    for axes, (name, curve) in zip(frames, curves.items(), strict=True):
        for colour, number in zip(_shades(len(seen)), seen, strict=True):
            losses = curve.losses[:, number]
            if np.isfinite(losses).any():
                axes.plot(curve.steps, losses, color=colour, label=f"{number}")
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("step")
    finite = np.concatenate([curve.losses[np.isfinite(curve.losses)] for curve in curves.values()])
    first = np.concatenate([curve.losses[0][np.isfinite(curve.losses[0])] for curve in curves.values()])
    if len(first):  # a training that blows up does not hide the others
        frames[0].set_ylim(0, min(float(finite.max()), 1.5 * float(first.max())) * 1.05)
    frames[0].set_ylabel("loss (nats)")
    _name_bins(frames[-1])


def _name_bins(axes: "Axes") -> None:
    """A legend of the bins, right of the last frame."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(title="bin", fontsize=7, title_fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _draw_ends(axes: "Axes", curves: Mapping[str, LossCurves]) -> None:
    for colour, marker, (name, curve) in zip(list(COLOURS) * 4, "osD^v<>P" * 4, curves.items(), strict=False):
        axes.plot(range(curve.losses.shape[1]), curve.losses[-1], f"{marker}:", ms=5, color=colour, label=name)
    axes.set(xlabel="bin (0: the most frequent classes)", ylabel="loss (nats)")
    axes.set_ylim(bottom=0)
    axes.legend()


def _draw_rates(picture: "Figure", sweeps: Mapping[str, RateRuns]) -> None:
    from matplotlib.ticker import NullFormatter

    frames = picture.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
    for axes, (name, runs) in zip(frames, sweeps.items(), strict=True):
        ends = runs.by_bin[-1].numpy()
        for number, colour in enumerate(_shades(ends.shape[1])):
            losses = ends[:, number]
            if not np.isfinite(losses).any():
                continue
            axes.plot(runs.rates, losses, color=colour, label=f"{number}")
            best = int(np.nanargmin(losses))
            axes.plot(runs.rates[best], losses[best], "o", ms=5, color=colour)
        axes.set(xscale="log", xlabel="learning rate")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(name, fontsize=9)
    most = max(float(runs.by_bin[0].nan_to_num(0.0).max()) for runs in sweeps.values())
    frames[0].set_ylim(0, 1.6 * most)
    frames[0].set_ylabel("loss (nats)")
    _name_bins(frames[-1])


def names_of(methods: Sequence[str]) -> dict[str, str]:
    """What each method is called on the page."""
    known = {"gd": "gradient descent", "gd-momentum": "descent with momentum", "adam": "Adam"}
    return {method: known.get(method, method.replace("-", " ")) for method in methods}

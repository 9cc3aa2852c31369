"""The page of a counter: how often each region is counted right, what it compares with, and what breaks elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from simonides.base import COLOURS, INK, output_folder, painted, place_figure, place_table, write_sheet
from simonides.nn import EncoderDecoder
from simonides.papers.counting.bias_report import BiasReport, token_class
from simonides.papers.counting.circuit import effective_values, reading, token_scores
from simonides.papers.counting.strings import BEGINNING, CHARACTERS, ContextualCounting
from simonides.papers.counting.training import answers_of
from simonides.training import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# strings behind each figure
_STRINGS = 400


def write_counter(
    model: EncoderDecoder,
    task: ContextualCounting,
    report: BiasReport,
    shifts: Mapping[str, ContextualCounting],
    out: Path,
    name: str,
    history: History | None = None,
) -> Path:
    """Write the page, its figures and tables; returns the page's path.

    Arguments:
        model: the counter.
        task: what it was made for.
        report: what was found of it.
        shifts: the other laws of the report.
        out: the folder.
        name: of the counter, as the page's title says it.
        history: of its training, with the accuracy of each region.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    output_folder(out)
    figures: list[dict[str, Any]] = []

    def show(draw: Any, file: str, size: tuple[float, float], caption: str) -> None:
        figures.append(place_figure(painted(draw, caption, size), out, file, caption))

    laws = {"as in training": task, **shifts}
    if history is not None:
        caption = "Share of strings answered right along training, by region; dashed: the best constant answer"
        show(lambda f: _draw_history(f.subplots(), history, report), "training", (6.4, 3.6), caption)
    caption = "Share of strings answered right, by region and law; marks: the best constant answer of that law"
    show(lambda f: _draw_accuracies(f.subplots(), report), "accuracy", (6.4, 3.6), caption)
    caption = (
        "Mean answer against the count, by region; lines: slopes predicted from attention; dashed: answer = count"
    )
    size = (3.0 * len(laws) + 0.6, 3.4)
    show(lambda f: _draw_slopes(f, model, laws, report), "slopes", size, caption)
    caption = "Where each reader looks in one string"
    show(lambda f: _draw_reading(f.subplots(), model, task), "reading", (9.0, 2.6), caption)
    if model.encoder.config.heads == 1:
        caption = "Attention scores of each token for each other in the encoder's first layer, positions apart"
        show(lambda f: _draw_scores(f.subplots(), model), "scores", (4.6, 3.8), caption)
    if model.config.feed_forward == "none" and model.config.layers == 1 and model.encoder.config.heads == 1:
        caption = "What looking at one class of tokens alone adds to each answer's logit, region 1; mean taken off"
        show(lambda f: _draw_values(f.subplots(), model, task, report), "values", (6.4, 3.6), caption)
    tables = _tables(report)
    titles = {"regions": "By region", "classes": "By class of tokens", "shifts": "Under other laws"}
    return write_sheet(
        out,
        title=name,
        about=f"Golkar et al. (2024): strings of {task.length} characters with {task.regions} bracketed regions, and "
        "the number of 1s in each. A reader sees the share n/(n + B) of its attention that counted tokens take, and "
        "must know B, the attention of what it compares with.",
        footer=f"{_STRINGS} strings behind each figure. Slopes are of answers in counts, through the origin.",
        summary=[("best constant answer", f"{report.constant:.1%}")],
        figures=figures,
        tables=[place_table(table, out, n, titles[n], _text) for n, table in tables.items()],
    )


def _tables(report: BiasReport) -> dict[str, pl.DataFrame]:
    """All numbers of a report."""
    regions, classes, shifts = [], [], []
    for reader in report.readers:
        regions.append(
            {
                "region": reader.region,
                "accuracy": reader.accuracy,
                "best constant": report.constant,
                "slope": reader.slope,
                "compares with": reader.bias,
                "B": reader.bias_attention,
                "leans on": reader.leans_on,
                "slope, bias doubled": reader.doubled,
                "slope, bias halved": reader.halved,
            }
        )
        for name, one in reader.classes.items():
            classes.append(
                {
                    "region": reader.region,
                    "tokens": name,
                    "attention": one.attention,
                    "size of value": one.value,
                    "accuracy without": one.accuracy_without,
                }
            )
        for name, shift in reader.shifts.items():
            shifts.append(
                {
                    "region": reader.region,
                    "law": name,
                    "B over training's, tokens": shift.bias_tokens,
                    "B over training's, attention": shift.bias_attention,
                    "slope predicted, tokens": shift.slope_by_tokens,
                    "slope predicted, attention": shift.slope_by_attention,
                    "slope": shift.slope,
                    "accuracy": shift.accuracy,
                    "best constant": shift.constant,
                }
            )
    made = {"regions": pl.DataFrame(regions), "classes": pl.DataFrame(classes)}
    return {**made, "shifts": pl.DataFrame(shifts)} if shifts else made


def _text(value: float | int | str) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.0f}"


def _draw_history(axes: "Axes", history: History, report: BiasReport) -> None:
    for colour, reader in zip(_colours(), report.readers, strict=False):
        accuracy = history.column(f"accuracy_{reader.region}").float().numpy()
        axes.plot(history.steps, accuracy, color=colour, label=f"region {reader.region}")
    axes.axhline(report.constant, color=INK, ls="--", lw=1)
    axes.set(xlabel="step", ylabel="share answered right", ylim=(0, 1.02))
    axes.legend()


def _draw_accuracies(axes: "Axes", report: BiasReport) -> None:
    laws = ["as in training", *dict.fromkeys(name for r in report.readers for name in r.shifts)]
    width = 0.8 / len(report.readers)
    for place, (colour, reader) in enumerate(zip(_colours(), report.readers, strict=False)):
        values = {"as in training": (reader.accuracy, report.constant)}
        values |= {name: (shift.accuracy, shift.constant) for name, shift in reader.shifts.items()}
        x = np.array([laws.index(name) for name in values]) + width * (place - (len(report.readers) - 1) / 2)
        right, constant = np.array(list(values.values())).T
        axes.bar(x, right, 0.9 * width, color=colour, label=f"region {reader.region}")
        axes.scatter(x, constant, marker="_", color=INK, s=1500 * width**2 + 60, zorder=3)
    axes.set_xticks(range(len(laws)), laws)
    axes.set(ylabel="share answered right", ylim=(0, 1.25), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.legend(fontsize=8, ncols=4, loc="upper center")


def _draw_slopes(
    picture: "Figure", model: EncoderDecoder, laws: Mapping[str, ContextualCounting], report: BiasReport
) -> None:
    frames = picture.subplots(1, len(laws), sharey=True, squeeze=False)[0]
    generator = torch.Generator().manual_seed(0)
    for axes, (name, law) in zip(frames, laws.items(), strict=True):
        strings = law.sample(_STRINGS, generator).on(model.prompts.device)
        answers, counts = answers_of(model, strings).cpu().double(), strings.counts.cpu()
        reach = float(counts.max())
        axes.plot([0, reach], [0, reach], color=INK, ls="--", lw=1)
        for colour, reader in zip(_colours(), report.readers, strict=False):
            if reader.region > counts.shape[1]:
                continue
            own, said = counts[:, reader.region - 1], answers[:, reader.region - 1]
            seen = own[own >= 0].unique()
            means = [float(said[own == n].mean()) for n in seen]
            axes.scatter(seen, means, s=9, color=colour, label=f"region {reader.region}")
            if name in reader.shifts:
                slope = reader.shifts[name].slope_by_attention
                axes.plot([0, reach], [0, slope * reach], color=colour, lw=1)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("count of 1s")
    frames[0].set_ylabel("mean answer")
    frames[0].legend(fontsize=7)


def _draw_reading(axes: "Axes", model: EncoderDecoder, task: ContextualCounting) -> None:
    strings = task.sample(1, torch.Generator().manual_seed(1)).on(model.prompts.device)
    weights = reading(model, strings.tokens)[0, : strings.counts.shape[1]].cpu()
    mesh = axes.pcolormesh(weights.sqrt().numpy(), cmap="magma", vmin=0, vmax=1)
    tokens = [CHARACTERS[token] if token <= BEGINNING else "r" for token in strings.tokens[0].tolist()]
    size = 7 if len(tokens) < 90 else 3
    axes.set_xticks(np.arange(len(tokens)) + 0.5, tokens, fontsize=size, family="monospace")
    axes.set_yticks(np.arange(len(weights)) + 0.5, [f"region {r + 1}" for r in range(len(weights))], fontsize=8)
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    axes.set_xlabel("the string (^ is its beginning)")
    bar = axes.figure.colorbar(mesh, ax=axes)
    bar.set_ticks([0, 0.5, 1], labels=["0", "0.25", "1"])
    bar.set_label("attention")


def _draw_scores(axes: "Axes", model: EncoderDecoder) -> None:
    scores = token_scores(model).detach().cpu()
    most = max(1e-6, float(scores.abs().max()))
    mesh = axes.pcolormesh(scores.numpy(), cmap="RdBu", vmin=-most, vmax=most)
    names = [CHARACTERS[t] if t <= BEGINNING else f"r{t - BEGINNING}" for t in range(len(scores))]
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(np.arange(len(names)) + 0.5, names)
    for row in range(len(names)):
        for column in range(len(names)):
            value = float(scores[row, column])
            colour = "white" if abs(value) > 0.6 * most else "black"
            text = f"{value:.1f}"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8, color=colour)
    axes.invert_yaxis()
    axes.grid(False)
    axes.set(xlabel="is looked at", ylabel="looks")
    axes.figure.colorbar(mesh, ax=axes, label="score")


def _draw_values(axes: "Axes", model: EncoderDecoder, task: ContextualCounting, report: BiasReport) -> None:
    strings = task.sample(_STRINGS, torch.Generator().manual_seed(2)).on(model.prompts.device)
    members = token_class(strings)
    parts: dict[str, tuple[str, ...]] = {"counted 1s": ("ones inside",)}
    bias = report.readers[0].bias
    curves: list[np.ndarray] = []
    parts[f"compared with: {bias}"] = ("zeros inside", "zeros elsewhere") if bias == "zeros" else (bias,)
    for colour, dash, (label, names) in zip(_colours(), ("-", "--"), parts.items(), strict=False):
        chosen = torch.stack([members[name][:, 0] for name in names]).any(0)
        if not bool(chosen.any()):
            continue
        values = effective_values(model, strings.tokens, chosen).cpu()
        curves.append((values - values.mean()).numpy())
        axes.plot(curves[-1], dash, color=colour, label=label)
    # the answer 0 may lie far below all others
    lowest, highest = (end([end(curve[1:]) for curve in curves]) for end in (min, max))
    reach = 0.1 * max(highest - lowest, 1e-6)
    axes.set_ylim(lowest - reach, highest + reach)
    axes.set(xlabel="answer", ylabel="effective value (logit)")
    axes.legend()


def _colours() -> list[str]:
    return list(COLOURS) * 8

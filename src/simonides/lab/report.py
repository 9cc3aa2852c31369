"""The report: one offline page a paper and an index, with figures and tables beside them."""

import ast
import base64
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
from latex2mathml.converter import convert_to_element
from markupsafe import Markup

from simonides.base import output_folder, page, place_figure, replacing, write_text
from simonides.lab.cell_values import cell_columns
from simonides.lab.claim import Claim
from simonides.lab.exploring import plain_columns
from simonides.lab.figures import render
from simonides.lab.figures.caterpillar import caterpillar, placed
from simonides.lab.judging import HOLDS, Judgement
from simonides.lab.plan import Plan
from simonides.lab.recording import recorded
from simonides.lab.references import bibtex
from simonides.lab.registry import folders
from simonides.lab.store import Store
from simonides.lab.verdict import Gathered, Verdict, gather, judge

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """What a page shows of a claim; everything but `formula` and the figures' SVG is escaped."""

    anchor: str
    claim: Claim
    verdict: Verdict
    origin: str
    effect: str
    interval: str
    formula: Markup | None
    checks: list[dict[str, str]]
    figures: list[dict[str, Any]]
    problems: list[str]
    columns: list[str]
    rows: list[tuple[str, ...]]
    csv: str
    parquet: str
    command: str
    configuration: str
    environments: list[dict[str, Any]]
    bibtex: str


def write_report(
    plans: Sequence[Plan], store: Store | None, folder: Path, with_recorded: bool = False
) -> tuple[Path, list[Verdict], list[str]]:
    """Write the pages of some claims at one scale; returns the index, the verdicts, and what could not be drawn.

    Arguments:
        plans: the claims.
        store: what was measured; may be left out where recorded results are shown.
        folder: of the pages.
        with_recorded: whether claims that the store does not hold whole are shown as they were recorded.

    Raises:
        SimonidesError: when the folder cannot be written, or holds files of others.
    """
    output_folder(folder)
    scale = plans[0].scale
    papers: dict[str, list[_Entry]] = {}
    for plan in plans:
        papers.setdefault(plan.file.paper, []).append(_entry(plan, *_runs(plan, store, with_recorded), folder))
    for paper, entries in papers.items():
        text = page(
            _TEMPLATES / "paper.html",
            title=paper_title(paper),
            entries=entries,
            counts=_counts(entries),
            scale=scale,
        )
        write_text(folder / f"{paper}.html", text)
    listing = [{"name": n, "title": paper_title(n), "entries": entries} for n, entries in papers.items()]
    every = [entry for entries in papers.values() for entry in entries]
    shown = {"papers": listing, "counts": _counts(every), "scale": scale, "overview": _overview(every, folder)}
    titles = {
        "index": "What weights remember: the claims and their verdicts",
        "measured": "What the papers say, what was measured",
        "gallery": "All figures, with their verdicts",
    }
    for name, title in titles.items():
        write_text(folder / f"{name}.html", page(_TEMPLATES / f"{name}.html", title=title, **shown))
    problems = [f"{entry.verdict.claim}: {problem}" for entry in every for problem in entry.problems]
    return folder / "index.html", [entry.verdict for entry in every], problems


def _overview(entries: Sequence[_Entry], folder: Path) -> dict[str, Any] | None:
    """All claims in one figure, where there are several whose bands have two ends."""
    verdicts = [entry.verdict for entry in entries]
    rows = [one for v in verdicts if (one := placed(v.claim, v.verdict, v.checks)) is not None]
    if len(rows) < 2:
        return None
    caption = (
        f"Where the numbers of {len(rows)} claims lie in their bands (shaded), with 95 % intervals; bands of the other "
        f"{len(verdicts) - len(rows)} have one end."
    )
    return place_figure(caterpillar(rows), folder, "overview", caption)


def paper_title(paper: str) -> str:
    """First line of the docstring of a paper's folder, or the name itself."""
    paths = (folder / paper / "__init__.py" for folder in folders())
    path = next((path for path in paths if path.is_file()), None)
    text = None if path is None else ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return text.splitlines()[0].rstrip(".") if text else f"Claims from {paper} files"


def number(value: float | None) -> str:
    """A number to four significant digits, or a dash."""
    return "–" if value is None or value != value else f"{value:.4g}"


def interval_text(ends: tuple[float, float] | None) -> str:
    """An interval in brackets, or a dash."""
    return "–" if ends is None else f"[{number(ends[0])}, {number(ends[1])}]"


def _counts(entries: list[_Entry]) -> str:
    counts = Counter(entry.verdict.verdict for entry in entries)
    one_and_many = {
        "holds": ("holds", "hold"),
        "partly": ("holds partly", "hold partly"),
        "fails": ("fails", "fail"),
        "undecided": ("undecided", "undecided"),
    }
    words = [f"{counts[name]} {texts[counts[name] != 1]}" for name, texts in one_and_many.items() if counts[name]]
    return ", ".join(words) + "."


def _runs(plan: Plan, store: Store | None, with_recorded: bool) -> tuple[Gathered, str]:
    """The runs that are shown, and a word on where they are from."""
    there = None if store is None else gather(plan, store)
    if with_recorded and (there is None or there.missing):
        return recorded(plan), "recorded"
    assert there is not None
    return there, "measured here" if with_recorded else ""


def _entry(plan: Plan, gathered: Gathered, origin: str, folder: Path) -> _Entry:
    verdict = judge(plan, gathered)
    anchor = plan.file.id.replace("/", "-")
    columns, rows = means_table(gathered)
    figures, problems = _figures(plan.claim, gathered, anchor, folder)
    return _Entry(
        anchor=anchor,
        claim=plan.claim,
        verdict=verdict,
        origin=origin,
        effect=number(verdict.effect),
        interval=interval_text(verdict.interval),
        formula=formula(plan.claim.statement),
        checks=[_check(check) for check in verdict.checks],
        figures=figures,
        problems=problems,
        columns=columns,
        rows=rows,
        csv=_tables(gathered, anchor, folder),
        parquet=f"tables/{anchor}.parquet",
        command=f"simonides run {plan.file.id if plan.file.paper != 'local' else plan.file.path.name} "
        f"--scale {plan.scale} --store DIR",
        configuration=_configuration(plan),
        environments=_environments(gathered),
        bibtex=bibtex(plan.claim.references),
    )


def _check(check: Judgement) -> dict[str, str]:
    """What a page shows of a rule: what was asked, what was measured, the band, and what the paper says."""
    return {
        "rule": check.rule,
        "quantity": check.quantity + (f", at {check.place}" if check.place and check.cells > 1 else ""),
        "verdict": check.verdict,
        "effect": number(check.effect),
        "interval": interval_text(check.interval),
        "band": band_text(check.low, check.high),
        "paper": "" if check.paper is None else f"{number(check.paper.value)} ({check.paper.where})",
        "note": "; ".join(filter(None, [check.note, check.reason if check.verdict != HOLDS else ""])),
    }


def band_text(low: float, high: float) -> str:
    """A band in words.

    >>> band_text(0.9, float("inf")), band_text(1.0, 2.0)
    ('at least 0.9', '1 to 2')
    """
    if math.isinf(high):
        return f"at least {number(low)}"
    return f"at most {number(high)}" if math.isinf(low) else f"{number(low)} to {number(high)}"


def formula(latex: str) -> Markup | None:
    """LaTeX as MathML, or as escaped text where it is not understood; never anything but mathematics."""
    if not latex:
        return None
    try:
        tree = convert_to_element(latex, display="block")
        for element in tree.iter():
            element.attrib.pop("href", None)
        text = ElementTree.tostring(tree, "unicode")
    except Exception:  # the converter raises whatever its parser runs into
        return Markup("<code>{}</code>").format(latex)
    # the converter writes characters as references, which serialising escapes once more
    return Markup(re.sub(r"&amp;(#x[0-9A-Fa-f]+|#[0-9]+|[a-z]+);", r"&\1;", text))


def _figures(
    claim: Claim, gathered: Gathered, anchor: str, folder: Path
) -> tuple[list[dict[str, Any]], list[str]]:
    """Those that can be drawn, and why others cannot: one wrong column does not cost the report."""
    drawn, problems = [], []
    for place, figure in enumerate(claim.figures if gathered.present else (), start=1):
        try:
            files = render(figure, gathered.table, claim.predictions)
        except Exception as error:  # a label may be no formula, and the painter raises whatever it runs into
            problems.append(f"figure {place} of {len(claim.figures)} is not drawn: {error}")
            continue
        caption = f"{figure.title}. Points: means with 95 % intervals over seeds."
        drawn.append(place_figure(files, folder, f"{anchor}-{place}", caption))
    return drawn, problems


def _tables(gathered: Gathered, anchor: str, folder: Path) -> str:
    """Write the table of all runs; returns it as a link that carries its content."""
    if not gathered.present:
        return ""
    table = plain_columns(gathered.table)
    with replacing(folder / "tables" / f"{anchor}.parquet") as partial:
        table.write_parquet(partial)
    text = table.write_csv()
    write_text(folder / "tables" / f"{anchor}.csv", text)
    return "data:text/csv;base64," + base64.b64encode(text.encode()).decode()


def means_table(gathered: Gathered) -> tuple[list[str], list[tuple[str, ...]]]:
    """Column names, and for every cell its parameters, number of runs, means and predictions, as texts."""
    if not gathered.present:
        return [], []
    keys = cell_columns(gathered.table)
    values = [n for n in gathered.table.columns if n not in (*keys, "seed", "row")]
    means = (
        gathered.table.group_by(keys)
        .agg(pl.len().alias("runs"), *(pl.col(name).mean() for name in values))
        .sort(keys)
    )
    names = [name.removeprefix("cell ") for name in means.columns]
    return names, [tuple(number(v) if isinstance(v, float) else str(v) for v in row) for row in means.iter_rows()]


def _configuration(plan: Plan) -> str:
    return json.dumps(
        {
            "claim": plan.file.id,
            "version": plan.claim.version,
            "code": plan.points[0].code,
            "rule": plan.rule,
            "scale": plan.scale,
            "seeds": plan.grid.seeds,
            "cells": [dict(cell) for cell in plan.grid.cells],
        },
        indent=None,
    )


def _environments(gathered: Gathered) -> list[dict[str, Any]]:
    environments = Counter(json.dumps(about.get("environment", {}), sort_keys=True) for about in gathered.about)
    return [
        {"points": count, "text": "\n".join(f"{name}: {value}" for name, value in json.loads(text).items())}
        for text, count in environments.most_common()
    ]

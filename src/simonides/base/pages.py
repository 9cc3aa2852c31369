"""Pages that stand alone: a template filled in, everything escaped, with one style inside."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from simonides.base.files import write_bytes, write_text

if TYPE_CHECKING:
    import polars as pl

_TEMPLATES = Path(__file__).parent / "templates"
# a page of a summary, figures, tables and the files that have all numbers
SHEET = _TEMPLATES / "sheet.html"


def page(template: Path, **values: Any) -> str:
    """The text of an HTML page.

    Arguments:
        template: its file, which extends "page.html".
        values: what it is filled with.
    """
    folders = [template.parent, _TEMPLATES]
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    css = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    text = pages.get_template(template.name).render(css=css, version=package_version("simonides"), **values)
    return text.encode("utf-8", "backslashreplace").decode()  # half a character is written out


def package_version(name: str) -> str:
    """The version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def place_figure(files: Mapping[str, bytes], folder: Path, name: str, caption: str) -> dict[str, Any]:
    """Write a figure's files as figures/NAME.*; returns what a page's template shows of it."""
    for kind, content in files.items():
        write_bytes(folder / "figures" / f"{name}.{kind}", content)
    svg = Markup(files["svg"].decode())
    return {"svg": svg, "png": f"figures/{name}.png", "pdf": f"figures/{name}.pdf", "caption": caption}


def place_table(
    table: "pl.DataFrame", folder: Path, name: str, title: str, text: Callable[[Any], str]
) -> dict[str, Any]:
    """Write a table's numbers as NAME.csv; returns what a page's template shows of it.

    Arguments:
        table: what is shown.
        folder: of the page.
        name: of the file.
        title: above the table.
        text: a value as it is shown.
    """
    write_text(folder / f"{name}.csv", table.write_csv())
    rows = [[text(value) for value in row] for row in table.iter_rows()]
    return {"title": title, "columns": table.columns, "rows": rows, "file": f"{name}.csv"}


def write_sheet(
    folder: Path,
    *,
    title: str,
    about: str,
    footer: str,
    summary: Sequence[tuple[str, str]],
    figures: Sequence[Mapping[str, Any]],
    tables: Sequence[Mapping[str, Any]],
    more_files: Sequence[str] = (),
) -> Path:
    """Write a page of a summary, figures and tables as index.html; returns its path.

    Arguments:
        folder: of the page.
        title, about, footer: texts.
        summary: names with values.
        figures: as `place_figure` gives them.
        tables: as `place_table` gives them; their files are named at the end.
        more_files: files with numbers that no table shows.
    """
    files = [*(table["file"] for table in tables), *more_files]
    content = page(
        SHEET,
        title=title,
        about=about,
        footer=footer,
        summary=summary,
        figures=figures,
        tables=tables,
        files=files,
    )
    write_text(folder / "index.html", content)
    return folder / "index.html"

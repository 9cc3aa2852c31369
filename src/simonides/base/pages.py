"""Pages that stand alone: a template filled in, everything escaped, with one style inside."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from simonides.base.files import write_bytes

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

"""Pages that stand alone: a template filled in, everything escaped, with one style inside."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


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
    return pages.get_template(template.name).render(css=css, version=package_version("simonides"), **values)


def package_version(name: str) -> str:
    """The version of an installed package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def place_figure(files: Mapping[str, bytes], folder: Path, name: str, caption: str) -> dict[str, Any]:
    """Write a figure's files as figures/NAME.*; returns what a page's template shows of it."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for kind, content in files.items():
        (folder / "figures" / f"{name}.{kind}").write_bytes(content)
    svg = Markup(files["svg"].decode())
    return {"svg": svg, "png": f"figures/{name}.png", "pdf": f"figures/{name}.pdf", "caption": caption}

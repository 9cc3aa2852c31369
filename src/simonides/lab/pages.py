"""Pages that stand alone: a template filled in, everything escaped, with the report's style inside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from simonides.lab.environment import environment

_TEMPLATES = Path(__file__).parent / "templates"


def page(template: str, **values: Any) -> str:
    """The text of an HTML page."""
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    css = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    return pages.get_template(template).render(css=css, version=environment()["simonides"], **values)


def script(name: str) -> str:
    """The text of a script beside the templates."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def placed(files: Mapping[str, bytes], folder: Path, name: str, caption: str) -> dict[str, Any]:
    """Write a figure's files as figures/NAME.*; returns what a page's template shows of it."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for kind, content in files.items():
        (folder / "figures" / f"{name}.{kind}").write_bytes(content)
    svg = Markup(files["svg"].decode())
    return {"svg": svg, "png": f"figures/{name}.png", "pdf": f"figures/{name}.pdf", "caption": caption}

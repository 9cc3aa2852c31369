"""An interactive page on which one matrix is filled with facts, complete in itself."""

from pathlib import Path

from simonides.base import page

_TEMPLATES = Path(__file__).parent / "templates"


def explore_page() -> str:
    """The text of the page."""
    script = (_TEMPLATES / "explore.js").read_text(encoding="utf-8")
    return page(_TEMPLATES / "explore.html", title="What one matrix remembers", script=script)

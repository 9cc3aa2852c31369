"""Sphinx configuration."""

import re
from importlib.metadata import version as installed

project = "simonides"
author = "The simonides developers"
copyright = "2026, the simonides developers"
release = version = installed("simonides")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "simonides"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_custom_sections = [("Arguments", "params_style"), ("Memory", "notes")]
suppress_warnings = ["myst.header"]
default_role = "code"


def escape_signs(app, what, name, obj, options, lines):
    """Docstrings write |x| for norms and * among signs, which reStructuredText would take for marks of its own."""

    def escaped(line):
        return re.sub(r"(?<= )\*(?=,)", r"\\*", line.replace("|", r"\|"))

    lines[:] = [line if line.lstrip().startswith(">>>") else escaped(line) for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", escape_signs)

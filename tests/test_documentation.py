"""The reference names every public module."""

from pathlib import Path

import simonides

# what users type has its own help, and claims their pages
ELSEWHERE = {"papers", "commands", "cli", "options"}


def test_the_reference_has_every_public_module():
    package = Path(simonides.__file__).parent
    reference = (Path(__file__).parent.parent / "docs" / "api.md").read_text()
    missing = []
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        if parts[0] in ELSEWHERE or any(part.startswith("_") for part in parts):
            continue
        name = ".".join(["simonides", *parts])
        if f"automodule:: {name}\n" not in reference:
            missing.append(name)
    assert not missing

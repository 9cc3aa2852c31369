"""What is public: names are entered by their room, load on first use, and are found by completion."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import simonides

PACKAGE = Path(simonides.__file__).parent
ROOMS = ["base", "checkpoints", "data", "lab", "memories", "memories.laws", "nn", "probes", "tasks", "training"]
# entered by their modules: what must answer before torch is loaded, and modules whose name is their idea
LIGHT = {
    "base.errors",
    "base.files",
    "base.machine",
    "lab.figures",
    "lab.engines",
    "memories.laws",
    "memories.embeddings",
}


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_a_room_is_there(room):
    module = importlib.import_module(f"simonides.{room}")
    assert module.__all__ == sorted(module.__all__) or module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert set(module.__all__) <= set(dir(module))


def test_the_top_has_what_users_start_with():
    assert {"FactMemory", "Transformer", "fit", "inspect", "truncate", "run", "SimonidesError"} <= set(
        dir(simonides)
    )
    assert len(simonides.__all__) <= 26
    for name in simonides.__all__:
        assert getattr(simonides, name)


def room_of(module: str) -> str | None:
    parts = module.split(".")[1:]
    return next((room for room in (".".join(parts[:2]), parts[0] if parts else "") if room in ROOMS), None)


def test_rooms_are_entered_by_their_face():
    deep = []
    for path in PACKAGE.rglob("*.py"):
        own = "simonides." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if own.split(".")[1] in ("commands", "cli", "lab", "__init__", "base"):
            continue  # these answer before anything heavy is loaded
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("simonides."):
                continue
            room = room_of(node.module)
            inside = node.module.removeprefix("simonides.")
            if room is None or inside == room or room == room_of(own) or room.startswith(own.split(".")[1]):
                continue
            face = importlib.import_module(f"simonides.{room}")
            hidden = [a.name for a in node.names if a.name in getattr(face, "__all__", ())]
            if hidden and not any(inside.startswith(light) for light in LIGHT):
                deep.append(f"{own}: from {node.module} import {', '.join(hidden)}")
    assert not deep


def test_importing_costs_nothing():
    asked = "import sys, simonides; print(sorted({'torch', 'numpy', 'polars', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

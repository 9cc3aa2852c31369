"""Fingerprints of code: they change when what is computed may change, not with comments or docstrings."""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path


def code_fingerprint(path: Path, names: Iterable[str]) -> str:
    """Hash of the definitions `names` in a Python file and, transitively, of all they use in that file.

    What they import from elsewhere enters by its import line alone: a claim whose result depends on code
    outside its file states so by its version number. A name that the file does not define, such as one made
    at run time, makes the whole file count.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = _definitions(tree)
    wanted, seen = list(names), set()
    if any(name not in defined for name in wanted):
        wanted = list(defined)
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        used = {node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name)}
        wanted += sorted(used & defined.keys())
    texts = [f"{name}: {ast.unparse(_without_docstrings(defined[name]))}" for name in sorted(seen)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def _definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    defined: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined[node.name] = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                defined[(alias.asname or alias.name).split(".")[0]] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (n for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)):
                defined[name.id] = node
    return defined


def _without_docstrings(node: ast.stmt) -> ast.stmt:
    for inner in ast.walk(node):
        if isinstance(inner, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(inner) is not None:
            inner.body = inner.body[1:] or [ast.Pass()]
    return node

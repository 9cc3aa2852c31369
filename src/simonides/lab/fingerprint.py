"""Fingerprints of code: they change when what is computed may change, not with comments or docstrings.

A statement is left out only where it can be seen to do no more than give a name to something that is not used; all
else counts. So a change that does not matter may measure again, and one that matters is never taken for an old result.
"""

import ast
import hashlib
from collections.abc import Iterable, Sequence

from simonides.lab.purity import Pure, is_call_of

# with these a file may reach any name, or its own text: then all of it counts, docstrings and all
_REACH_ANYTHING = frozenset(
    {
        "globals",
        "locals",
        "vars",
        "getattr",
        "setattr",
        "delattr",
        "eval",
        "exec",
        "compile",
        "__import__",
        "__dict__",
        "__doc__",
        "__builtins__",
        "inspect",
        "importlib",
        "modules",
        "attrgetter",
        "methodcaller",
    }
)


def code_fingerprint(source: str, names: Iterable[str], modules: Sequence[str] = ()) -> str:
    """Hash of what the definitions `names` in a file's source may depend on.

    These are the definitions with all that they use in the file, transitively; every statement that may do more than
    bind an unused name (decorators, classes with bases, calls, assignments to parts, if, for, try, :=, global); and
    the whole of a file that looks names up at run time.

    Arguments:
        source: the file's text.
        names: what is measured with; a name that the file does not define makes all of it count.
        modules: texts of the files that it imports from beside it, which count whole.
    """
    own = _fingerprint(ast.parse(source), names, extra=())
    whole = [_text(ast.parse(text)) for text in modules]
    return hashlib.sha256("\n".join([own, *whole]).encode()).hexdigest()[:16]


def keyword_fingerprint(source: str, assigned: str, keyword: str) -> str:
    """Hash of one keyword argument in `assigned = Call(..., keyword=...)`, and of all it uses in the source.

    Where the file has no such statement, the whole file counts.
    """
    tree = ast.parse(source)
    for node in tree.body:
        if (call := is_call_of(node, assigned)) is not None:
            values: list[ast.stmt] = [ast.Expr(given.value) for given in call.keywords if given.arg == keyword]
            used = {n.id for expression in values for n in ast.walk(expression) if isinstance(n, ast.Name)}
            return _fingerprint(tree, used & _definitions(tree).keys(), extra=values)
    return _fingerprint(tree, [""], extra=())


def imported_modules(source: str) -> list[str]:
    """The modules that a file may import at its top, dotted; "package.name" also where name may be no module."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found.append(base)
            found += [f"{base}.{alias.name}" if node.module else base + alias.name for alias in node.names]
    return found


def _fingerprint(tree: ast.Module, names: Iterable[str], extra: Sequence[ast.stmt]) -> str:
    tree = _one_name_an_import(tree)
    defined = _definitions(tree)
    wanted = list(names)
    if _reaches_anything(tree) or any(name not in defined for name in wanted):
        return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]
    pure = Pure(tree)
    kept = [*extra]
    for node in tree.body:
        kept += pure.counts(node)
    for node in kept:
        wanted += _used(node, defined)
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in defined[name]:
            wanted += _used(node, defined)
    # a claim's own statement has given what counts of it above
    kept += [
        node for node in tree.body if not is_call_of(node, "claim") and any(node in defined[name] for name in seen)
    ]
    return hashlib.sha256("\n".join(_text(node) for node in dict.fromkeys(kept)).encode()).hexdigest()[:16]


def _reaches_anything(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _REACH_ANYTHING:
            return True
        if isinstance(node, ast.Attribute) and node.attr in _REACH_ANYTHING:
            return True
        if isinstance(node, (ast.Import, ast.ImportFrom)) and any(
            alias.name in _REACH_ANYTHING or alias.asname in _REACH_ANYTHING for alias in node.names
        ):
            return True
    return False


def _one_name_an_import(tree: ast.Module) -> ast.Module:
    """The same module with every import split, so that a name imported beside others does not count with them."""
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            body += [ast.ImportFrom(node.module, [alias], node.level) for alias in node.names]
        elif isinstance(node, ast.Import):
            body += [ast.Import([alias]) for alias in node.names]
        else:
            body.append(node)
    return ast.Module(body, [])


def _used(node: ast.stmt, defined: dict[str, list[ast.stmt]]) -> list[str]:
    return sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & defined.keys())


def _definitions(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    """Every top-level statement that binds a name, or a part of it, by that name."""
    defined: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        names: set[str] = set()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names = {node.name}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        for name in names:
            defined.setdefault(name, []).append(node)
    return defined


def _text(node: ast.stmt | ast.Module) -> str:
    """Source without comments and docstrings, in one spelling."""
    for inner in ast.walk(node):
        if isinstance(inner, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(inner) is not None:
            inner.body = inner.body[1:] or [ast.Pass()]
    return ast.unparse(node)

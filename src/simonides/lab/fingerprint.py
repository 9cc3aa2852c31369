"""Fingerprints of code: they change when what is computed may change, not with comments or docstrings."""

import ast
import hashlib
from collections.abc import Iterable, Sequence


def code_fingerprint(source: str, names: Iterable[str]) -> str:
    """Hash of the definitions `names` in a file's source and, transitively, of all they use in that file.

    Every statement that binds, changes or is called upon a name counts as part of it, and so do top-level
    statements that are no plain definitions (if, for, try, +=, calls). What comes from elsewhere enters by its
    import line alone: a claim whose result depends on code outside its file states so by its version number.
    A name that the file does not define, such as one made at run time, makes the whole file count.
    """
    return _fingerprint(ast.parse(source), names, extra=())


def keyword_fingerprint(source: str, assigned: str, keyword: str) -> str:
    """Hash of one keyword argument in `assigned = Call(..., keyword=...)`, and of all it uses in the source.

    Where the file has no such statement, the whole file counts.
    """
    tree = ast.parse(source)
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and any(isinstance(target, ast.Name) and target.id == assigned for target in node.targets)
        ):
            values = [ast.Expr(given.value) for given in node.value.keywords if given.arg == keyword]
            if not any(given.arg is None for given in node.value.keywords):
                used = {n.id for expression in values for n in ast.walk(expression) if isinstance(n, ast.Name)}
                return _fingerprint(tree, used & _definitions(tree).keys(), extra=values)
    return _fingerprint(tree, [""], extra=())


def _fingerprint(tree: ast.Module, names: Iterable[str], extra: Sequence[ast.stmt]) -> str:
    tree = _one_name_an_import(tree)
    defined = _definitions(tree)
    wanted = list(names)
    if any(name not in defined for name in wanted):
        wanted = list(defined)
    kept = [*extra, *(node for node in tree.body if not _is_definition(node))]
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
    kept += [node for node in tree.body if any(node in defined[name] for name in seen)]
    texts = [ast.unparse(_without_docstrings(node)) for node in dict.fromkeys(kept)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


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


def _is_definition(node: ast.stmt) -> bool:
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    plain = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    return text or isinstance(node, plain)


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


def _without_docstrings(node: ast.stmt) -> ast.stmt:
    for inner in ast.walk(node):
        if isinstance(inner, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(inner) is not None:
            inner.body = inner.body[1:] or [ast.Pass()]
    return node

"""Which statements at the top of a file can be seen to do no more than bind a name."""

import ast

_BUILTINS = frozenset(
    {
        "abs",
        "all",
        "any",
        "bool",
        "dict",
        "divmod",
        "enumerate",
        "float",
        "frozenset",
        "int",
        "len",
        "list",
        "max",
        "min",
        "pow",
        "range",
        "reversed",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "zip",
        "Path",
    }
)
# methods that change nothing, of grids and of Python's own containers
_METHODS = frozenset(
    {"with_seeds", "items", "keys", "values", "format", "join", "split", "removeprefix", "removesuffix"}
)
_DECORATORS = frozenset({"cache", "lru_cache", "dataclass", "wraps"})
# what changes names outside a function, or may
_CHANGING = (ast.Global, ast.Nonlocal, ast.NamedExpr, ast.Import, ast.ImportFrom)
# of a Claim, what is shown, planned or judged, not measured; parameters are part of each point
_NOT_MEASURED = frozenset(
    {
        "question",
        "statement",
        "source",
        "references",
        "predictions",
        "rules",
        "figures",
        "finding",
        "sanity",
        "untested",
        "differs",
        "deterministic",
        "scales",
        "version",
        "stack",
    }
)


class Pure:
    """Which statements at the top of a file do no more than bind a name."""

    def __init__(self, tree: ast.Module) -> None:
        self._functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self._library = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "simonides"
            for alias in node.names
        }

    def counts(self, node: ast.stmt) -> list[ast.stmt]:
        """What of a statement counts whatever is measured."""
        if (call := is_call_of(node, "claim")) is not None:
            own = [k for k in call.keywords if k.arg not in _NOT_MEASURED or not self._expression(k.value)]
            return [ast.Expr(k.value) for k in own]
        return [] if self._statement(node) else [node]

    def _statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Import():
                return True
            case ast.ImportFrom():
                return node.names[0].name != "*"
            case ast.FunctionDef():
                return self._definition(node) and not any(isinstance(n, ast.Global) for n in ast.walk(node))
            case ast.ClassDef(bases=[], keywords=[]):
                plain = (ast.FunctionDef, ast.AnnAssign, ast.Assign, ast.Expr)
                inner = all(isinstance(part, plain) and self._statement(part) for part in node.body)
                return inner and self._decorators(node)
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = all(
                    isinstance(part, (ast.Name, ast.Tuple, ast.expr_context))
                    for t in targets
                    for part in ast.walk(t)
                )
                kind = [node.annotation] if isinstance(node, ast.AnnAssign) else []
                values = [*kind, *([] if node.value is None else [node.value])]
                return names and all(self._expression(value) for value in values)
        return False

    def _definition(self, node: ast.FunctionDef) -> bool:
        arguments = node.args
        defaults = [*arguments.defaults, *(value for value in arguments.kw_defaults if value is not None)]
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        types = [part.annotation for part in given if part is not None] + [node.returns]
        evaluated = [*defaults, *(kind for kind in types if kind is not None)]
        return self._decorators(node) and all(self._expression(value) for value in evaluated)

    def _decorators(self, node: ast.FunctionDef | ast.ClassDef) -> bool:
        given = (part.func if isinstance(part, ast.Call) else part for part in node.decorator_list)
        return all(isinstance(part, ast.Name) and part.id in _DECORATORS for part in given)

    def _expression(self, node: ast.expr) -> bool:
        """Whether nothing but a value comes of an expression."""
        if isinstance(node, ast.Lambda):
            return True
        if isinstance(node, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(node, ast.Call) and not self._callable(node.func):
            return False
        return all(self._expression(part) for part in _parts(node))

    def _callable(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name) and node.id in self._functions:
            return self._body(node.id)
        whole = not isinstance(node, ast.Attribute) or self._expression(node.value)
        return whole and self._changes_nothing(node)

    def _body(self, name: str) -> bool:
        """Whether calling a function of the file, with all of the file that it calls, changes nothing outside."""
        reached: set[str] = set()
        waiting = [name]
        while waiting:
            function = self._functions[waiting.pop()]
            if function.name in reached:
                continue
            reached.add(function.name)
            if not self._decorators(function):
                return False
            for part in ast.walk(function):
                stores = isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load)
                if stores or isinstance(part, _CHANGING):
                    return False
                if isinstance(part, ast.Call):
                    called = part.func.id if isinstance(part.func, ast.Name) else None
                    if called in self._functions:
                        waiting.append(called)
                    elif not self._changes_nothing(part.func):
                        return False
        return True

    def _changes_nothing(self, called: ast.expr) -> bool:
        """Whether what is called is known to change nothing, short of functions of the file."""
        if isinstance(called, ast.Attribute):
            return called.attr in _METHODS
        return isinstance(called, ast.Name) and (called.id in self._library or called.id in _BUILTINS)


def _parts(node: ast.AST) -> list[ast.expr]:
    """The expressions right inside one, through comprehensions and keywords."""
    found: list[ast.expr] = []
    for part in ast.iter_child_nodes(node):
        found += [part] if isinstance(part, ast.expr) else _parts(part)
    return found


def is_call_of(node: ast.stmt, name: str) -> ast.Call | None:
    """The call of a statement `name = Call(...)`, all by keywords; None of another."""
    if not isinstance(node, ast.Assign) or [ast.unparse(target) for target in node.targets] != [name]:
        return None
    call = node.value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        return None
    return call if all(keyword.arg is not None for keyword in call.keywords) else None

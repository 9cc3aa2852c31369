"""Finding claim files and loading them; `scan` reads them without importing anything, so listing is fast."""

import ast
import hashlib
import importlib
import re
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType

from simonides.base import SimonidesError, read_text, suggest
from simonides.lab.fingerprint import imported_modules
from simonides.lab.registry import folders, groups

_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class ClaimFile:
    """A claim's file, known by its identifier before it is loaded.

    Arguments:
        id: "<paper>/<claim>", or "local/<file name>" for a file outside the package.
        path: the file.
    """

    id: str
    path: Path

    def __reduce__(self) -> tuple[object, ...]:
        # modules do not travel, and a worker's machine may lack a stranger's file, or hold a later one
        if self.path.is_relative_to(_PACKAGE):
            return _in_package, (self.id, self.path.relative_to(_PACKAGE).parts)
        return _from_text, (self.id, self.path, self.text, self.local_modules)

    @cached_property
    def text(self) -> str:
        """The source, read once.

        Raises:
            SimonidesError: when the file cannot be read, or is no UTF-8 text.
        """
        return read_text(self.path)

    @cached_property
    def local_modules(self) -> tuple[str, ...]:
        """The texts of the files that this one imports, and those import in turn, short of libraries.

        Of a claim of the package these are its paper's own; of a stranger's file whatever lies beside it, in the
        working folder or on Python's path outside the places of installed packages.
        """
        texts: dict[Path, str] = {}
        waiting = [(self.path, self.text)]
        while waiting:
            path, text = waiting.pop()
            try:
                names = imported_modules(text)
            except (SyntaxError, ValueError):  # told when it is loaded
                continue
            for place in (found for name in names for found in _local_files(name, path)):
                if place not in texts and place != self.path:
                    texts[place] = read_text(place)
                    waiting.append((place, texts[place]))
        return tuple(texts[place] for place in sorted(texts))

    @property
    def paper(self) -> str:
        """The part of the identifier before the slash."""
        return self.id.split("/")[0]

    @cached_property
    def summary(self) -> str:
        """First line of the file's docstring."""
        try:
            text = ast.get_docstring(ast.parse(self.text)) or ""
        except (SyntaxError, ValueError):
            return "(the file cannot be parsed)"
        return text.split("\n\n")[0].replace("\n", " ")

    @cached_property
    def module(self) -> ModuleType:
        """The imported file.

        Raises:
            SimonidesError: when it cannot be imported, or defines no `claim`.
        """
        try:
            module = self._import()
        except SimonidesError as error:
            raise SimonidesError(f"{self.path}: {error}") from None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a stranger's file raises is reported with its place
            line = line_in(self.path, error)
            raise SimonidesError(
                f"{self.path}{line} cannot be loaded: {type(error).__name__}: {error}; mend the file."
            ) from error
        if not hasattr(module, "claim"):
            raise SimonidesError(f"{self.path} defines no `claim`; it must hold: claim = Claim(...).")
        return module

    def _import(self) -> ModuleType:
        if self.path.is_relative_to(_PACKAGE):
            parts = self.path.relative_to(_PACKAGE.parent).with_suffix("").parts
            return importlib.import_module(".".join(parts))
        if self.path.suffix != ".py":
            raise SimonidesError("is no Python file; give one that ends in .py.")
        module = ModuleType(f"simonides_local_{self.path.stem}")
        module.__file__ = str(self.path)
        sys.modules[module.__name__] = module
        exec(compile(self.text, self.path, "exec"), module.__dict__)
        return module


def _local_files(name: str, importer: Path) -> list[Path]:
    """The files of a module that is no part of a library, where there is one of this name."""
    if name.startswith("simonides.papers."):
        return _files_of(_PACKAGE.parent.joinpath(*name.split(".")))
    level = len(name) - len(name.lstrip("."))
    if level:
        base = importer.parents[level - 1] if level <= len(importer.parents) else importer.parent
        return _files_of(base.joinpath(*name.strip(".").split(".")))
    first = name.partition(".")[0]
    if first == "simonides" or first in sys.stdlib_module_names:
        return []
    libraries = {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib", "stdlib")}
    for folder in (importer.parent, *map(Path, sys.path or ["."])):
        if any(folder.is_relative_to(library) for library in libraries):
            continue
        if files := _files_of(folder.joinpath(*name.split("."))):
            return files
    return []


def _files_of(place: Path) -> list[Path]:
    """The file of a module, or of a package."""
    return [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]


def _in_package(name: str, parts: tuple[str, ...]) -> ClaimFile:
    return ClaimFile(name, _PACKAGE.joinpath(*parts))


def _from_text(name: str, path: Path, text: str, local_modules: tuple[str, ...]) -> ClaimFile:
    file = ClaimFile(name, path)
    file.__dict__.update(text=text, local_modules=local_modules)
    return file


def scan() -> list[ClaimFile]:
    """Every claim of the registered folders, by paper and name."""
    return [
        ClaimFile(f"{folder.name}/{path.stem.replace('_', '-')}", path)
        for papers in folders()
        for folder in sorted(papers.iterdir())
        for path in sorted(folder.glob("claims/[!_]*.py"))
    ]


def local(path: Path) -> ClaimFile:
    """A claim file outside the package.

    Raises:
        SimonidesError: when its name is not one that folders, links and terminals agree on.
    """
    if not re.fullmatch(r"[\w-]+", path.stem) or not path.stem.isprintable():
        raise SimonidesError(
            f"claim file {path.name!r}: give it a name of letters, digits, _ and -, such as my_claim.py."
        )
    return ClaimFile(f"local/{path.stem.replace('_', '-')}", path.resolve())


def find(target: str) -> list[ClaimFile]:
    """The claims that a name means: a claim, a paper, a group, all, a file's path, or several with commas between.

    Raises:
        SimonidesError: when it names none.
    """
    if "," in target and not Path(target).exists():
        files = [file for part in target.split(",") for file in find(part.strip())]
        by_id = {file.id: file for file in files}
        for file in files:
            if (other := by_id[file.id]).path != file.path:
                raise SimonidesError(f"{file.path} and {other.path} would both be {file.id}; rename one of them.")
        return list(by_id.values())
    path = Path(target)
    if path.suffix == ".py" or path.is_file():
        if not path.is_file():
            raise SimonidesError(f"claim file {target} does not exist; check the path.")
        return [local(path)]
    known = scan()
    chosen = [file for file in known if target in ("all", file.id, file.paper)]
    if target in groups():
        by_name = {file.id: file for file in known}
        chosen = [by_name[name] for name in groups()[target] if name in by_name]
    if not chosen:
        names = {file.id for file in known} | {file.paper for file in known} | {"all", *groups()}
        near = suggest(target, names)
        raise SimonidesError(f"no claim or paper is called {target!r}; {near}")
    return chosen


@cache
def package_fingerprint() -> str:
    """Hash of all of the package's source, once a process: two machines with the same may share a run."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(_PACKAGE).as_posix()).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def sources(file: ClaimFile) -> str:
    """Hash of what a plan is made from: the claim's file and the package."""
    # of a claim of the package the last covers what it imports
    beside = () if file.path.is_relative_to(_PACKAGE) else file.local_modules
    texts = (file.text, *beside, package_fingerprint())
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def line_in(path: Path, error: BaseException) -> str:
    """ ", line N" of the last place in a file that an error went through; empty where it did not."""
    trace, line = error.__traceback__, ""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = f", line {trace.tb_lineno}"
        trace = trace.tb_next
    return line

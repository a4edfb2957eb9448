"""The code that a result depends on: modules, all that they import, and what that imports in turn.

Imports are read from the sources, so that one inside a function counts and nothing has to be run. Code of the
standard library is left out; an installed package is represented by its version.

Code reads files, too: those in the folder of a package that is followed count as its modules do.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from datasets.located import without_place

TREE = frozenset(("bench", "solvers", "datasets"))  # followed even where it is installed

# Modules are found by their imports, and a library by being loaded: what it is built from changes nothing before that.
_NOT_READ = frozenset((".py", ".pyc", ".so", ".pyd", ".c", ".cpp", ".h", ".md"))


@dataclass(frozen=True)
class Code:
    """Sources by module name, versions by the name of an installed package, data files by package and path in it."""

    sources: dict[str, Path]
    versions: dict[str, str]
    data: dict[str, Path]

    def digest(self) -> str:
        """SHA-256 of the contents and the versions, wherever the files lie."""
        total = hashlib.sha256()
        for name, path in sorted((without_place(name), path) for name, path in (self.sources | self.data).items()):
            total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        for name, version in sorted(self.versions.items()):
            total.update(f"{name}=={version}\n".encode())
        return total.hexdigest()


def closure(roots: Iterable[str], packages: Iterable[str] = ()) -> Code:
    """The import closure of these modules; `packages` are followed even where they are installed, as TREE is.

    Of a package outside TREE all files count, in whatever folder. In TREE those beside the modules do: what lies in
    folders of its own, weights and images, is named by the solver and by the data set that read it.
    """
    waiting = list(roots)
    own = TREE.union(packages)
    seen: set[str] = set()
    known: dict[str, ModuleSpec | None] = {}
    sources: dict[str, Path] = {}
    versions: dict[str, str] = {}
    data: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        top, parent = name.partition(".")[0], name.rpartition(".")[0]
        if name in seen or top in sys.stdlib_module_names:
            continue
        seen.add(name)
        if top not in own and _installed(top, known):
            versions[top] = _version(top)
            continue
        spec = _find(name, known)
        if spec is None:  # an attribute of a module, or an optional package that is not here
            continue
        if parent:
            waiting.append(parent)
        for folder in map(Path, spec.submodule_search_locations or []):
            for path in _data(folder, deep=top not in TREE):
                data[f"{name}/{path.relative_to(folder).as_posix()}"] = path
        if spec.origin and (path := Path(spec.origin)).is_file():
            sources[name] = path
            if path.suffix == ".py":
                package = name if spec.submodule_search_locations is not None else parent
                waiting += imports(path.read_bytes(), package)
    return Code(sources, versions, data)


def _data(folder: Path, deep: bool) -> Iterator[Path]:
    """The files of a package's folder that its code may read."""
    for path in sorted(folder.rglob("*") if deep else folder.glob("*")):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
        if not hidden and path.suffix not in _NOT_READ and path.is_file():
            yield path


def modules_of(package: str) -> list[str]:
    """The modules of a package whose sources can be seen, itself included; a plug-in may load any of them by name."""
    spec = _find(package, {})
    found = [package]
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            if all(part.isidentifier() for part in parts):
                found.append(".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts))))
    return found


@cache
def imports(source: bytes, package: str) -> tuple[str, ...]:
    """What a module of this package imports, wherever in the file; of `from a import b` both a and a.b."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a template that a package carries along
        return ()
    return tuple(dict.fromkeys(_imports(tree, package)))


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(filter(None, (*above, base)))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements, however deep, and nothing of what they consist of: expressions are most of a tree, and have no
    imports."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, block, ())


def _find(name: str, known: dict[str, ModuleSpec | None]) -> ModuleSpec | None:
    """Where a module lies. Nothing is imported for that: to look a module up in Python's way runs its package.

    Args:
        known: what was found before, to which this is added.
    """
    if name not in known:
        parent = name.rpartition(".")[0]
        if parent:
            known[name] = _find_in(_places(_find(parent, known)), name)
        else:
            try:
                known[name] = importlib.util.find_spec(name)
            except (ImportError, AttributeError, ValueError):  # it is in memory, and does not say where it came from
                known[name] = None
    return known[name]


def _find_in(places: list[str], name: str) -> ModuleSpec | None:
    """A module of a package with these folders."""
    try:
        return PathFinder.find_spec(name, places) if places else None
    except KeyError:  # a folder without __init__.py wants to ask its imported parent for its places
        spec = ModuleSpec(name, None, is_package=True)
        folders = [Path(place, name.rpartition(".")[2]) for place in places]
        spec.submodule_search_locations = [str(folder) for folder in folders if folder.is_dir()]
        return spec


def _places(spec: ModuleSpec | None) -> list[str]:
    """The folders of a package; none of a module that is no package."""
    return list((spec and spec.submodule_search_locations) or [])


def _installed(top: str, known: dict[str, ModuleSpec | None]) -> bool:
    spec = _find(top, known)
    if spec is None:
        return False
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or [])
    return any({"site-packages", "dist-packages"} & set(Path(place).parts) for place in places)


@cache
def _version(top: str) -> str:
    names = _distributions().get(top, [])
    return " ".join(sorted({f"{name} {metadata.version(name)}" for name in names}))


@cache
def _distributions() -> dict[str, list[str]]:
    return {top: list(names) for top, names in metadata.packages_distributions().items()}

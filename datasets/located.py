"""Classes that are asked for by where they lie: `mine.py:Mine` is in a file, `package.module:Mine` in a module.

    location = path of a file that ends in .py, or of a module : name of the class

A file needs no class in its location where it defines only one that fits. It is imported as if it were run: what lies
beside it can be imported, and comes first. The location has one spelling: the file as it is seen from the present
folder if it lies in there, else its whole path, both without links, and always with the class. A file that is called in
two ways is therefore one, and two files of one name are two.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

_FILE = re.compile(r"(?P<path>.*\.py)(?::(?P<name>[^\W\d]\w*))?", re.DOTALL)
_MODULE = re.compile(r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*)")
_MARK = "@"  # between the name of a file's module and what makes it the only one: no import statement can name it


class LocationError(ValueError):
    """There is no such file, module or class; the message says in one line what is there."""


@dataclass(frozen=True)
class Location:
    """Where a class lies.

    Attributes:
        place: path of a file, or name of a module.
        name: of the class; empty for the only one of a file.
    """

    place: str
    name: str

    @property
    def is_file(self) -> bool:
        return self.place.endswith(".py") or "/" in self.place

    def __str__(self) -> str:
        return f"{self.place}:{self.name}" if self.name else self.place


def located(text: str) -> Location | None:
    """The location that a text is; None for the name of something registered."""
    if match := _FILE.fullmatch(text):
        return Location(match["path"], match["name"] or "")
    if match := _MODULE.fullmatch(text):
        return Location(match["module"], match["name"])
    return Location(text, "") if "/" in text else None


def load(location: Location) -> ModuleType:
    """The module of a location. Its code is run the first time that it is asked for in this process.

    Raises:
        LocationError: there is none.
        BaseException: whatever the code raises.
    """
    return _of_file(location) if location.is_file else _of_name(location.place)


def classes(module: ModuleType, base: type) -> dict[str, type]:
    """The subclasses of `base` that a module defines for others: by name, without abstract ones and those with an _."""
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, base)
        and kind.__module__ == module.__name__
        and not name.startswith("_")
        and not getattr(kind, "__abstractmethods__", None)
    }


def choose(module: ModuleType, location: Location, base: type, noun: str, written: str) -> type:
    """The class of a location.

    Args:
        noun, written: what it should be, and how its base class is written, for messages.

    Raises:
        LocationError: it is not there, or is none of these; or there are several.
    """
    found = classes(module, base)
    if location.name:
        kind = vars(module).get(location.name)
        if kind is None:
            choices = f"choose from {', '.join(found)}" if found else f"it defines no {noun}"
            raise LocationError(f"'{location.place}' has no class '{location.name}': {choices}")
        if not (isinstance(kind, type) and issubclass(kind, base)):
            raise LocationError(f"'{location}' is not a subclass of {written}")
        if location.is_file and kind.__module__ != module.__name__:
            raise LocationError(f"'{location}' is defined in '{without_place(kind.__module__)}': name it there")
        return kind
    if not found:
        raise LocationError(f"'{location}' defines no {noun}: write a subclass of {written}")
    if len(found) > 1:
        choices = " or ".join(f"{location}:{name}" for name in found)
        raise LocationError(f"'{location}' defines more than one {noun}: write {choices}")
    return next(iter(found.values()))


def spelling(location: Location, kind: type) -> str:
    """The one spelling of the location of a class that was found there."""
    if not location.is_file:
        return f"{kind.__module__}:{kind.__name__}"
    path, here = _resolved(location), Path.cwd().resolve()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{kind.__name__}"


def without_place(module: str) -> str:
    """The name of a module without what says where its file lies."""
    return module.partition(_MARK)[0]


def _of_file(location: Location) -> ModuleType:
    path = _resolved(location)
    if path.is_dir():
        raise LocationError(f"'{location.place}' is a folder: name a file in it that ends in .py")
    if not path.exists():
        raise LocationError(f"there is no file '{location.place}'")
    if path.suffix != ".py" or not path.is_file():
        raise LocationError(f"'{location.place}' is no file of Python code: its name must end in .py")
    name = f"{path.stem.replace('.', '_')}{_MARK}{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None  # for a name that ends in .py
    module = importlib.util.module_from_spec(spec)
    folder = str(path.parent)
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
    sys.modules[name] = module  # before it is run: pydantic looks there for the names in annotations
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise LocationError(f"there is no module '{error.name}'") from error
        raise


def _resolved(location: Location) -> Path:
    try:
        return Path(location.place).expanduser().resolve()
    except (OSError, RuntimeError) as error:  # a circle of links, a user that there is not
        raise LocationError(f"'{location.place}' cannot be found: {error}") from error

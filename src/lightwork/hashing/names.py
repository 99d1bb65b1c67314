"""What functions and classes are called, the same in every process.

``__main__`` is another file in each script, and a worker runs functions of the caller's ``__main__`` while
its own is something else. So a function of ``__main__`` is named after the file that its code came from.
"""

import os
import re
import sys
from typing import Any

from .library import is_library

__all__ = ["class_name", "function_name", "is_importable", "public_name", "source_name"]

# ipykernel writes each cell to <tmp>/ipykernel_<pid>/<number>.py; old IPython counts: <ipython-input-7-ab12>
_KERNEL = re.compile(r".*ipykernel_\d+[/\\]\d+\.py")
# Where Python itself has moved a class between releases, it keeps the name that it had.
_MOVED = {"pathlib._local": "pathlib"}
_CELL = re.compile(r"<ipython-input-\d+-(\w+)(>|-.*)")


def source_name(filename: str) -> str:
    """The name of a source file, without what differs from one kernel or interpreter session to the next."""
    if _KERNEL.fullmatch(filename):
        return "ipykernel"
    cell = _CELL.fullmatch(filename)
    if cell:
        return f"<ipython-input-{cell[1]}>"
    # ``python ./job.py`` and ``python job.py`` run the same file.
    return os.path.normpath(filename) if os.path.isabs(filename) else filename


def function_name(function: Any) -> str:  # Any: whatever can be called
    """``module:qualname`` of a function, or of the type of another callable."""
    code = getattr(function, "__code__", None)
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if not isinstance(name, str):
        return class_name(type(function))
    if module is None:
        owner = getattr(function, "__objclass__", None) or type(getattr(function, "__self__", None))
        module = getattr(owner, "__module__", None) or "builtins"
    if module == "__main__" and code is not None:
        module = f"__main__ {source_name(code.co_filename)}"
    return f"{module}:{name}"


def class_name(cls: type) -> str:
    """``module:qualname`` of a class. Classes of ``__main__`` keep that name: they carry no file."""
    return f"{_MOVED.get(cls.__module__, cls.__module__)}:{cls.__qualname__}"


def public_name(cls: type) -> "str | type":
    """What stands for a class in a family's rule: package and name for a library's, else the class itself.

    Libraries move classes between their modules from one release to the next.
    """
    if is_library(cls.__module__) and is_importable(cls):
        return f"{cls.__module__.partition('.')[0]}:{cls.__qualname__}"
    return cls


def is_importable(thing: Any) -> bool:  # Any: a function or class
    """Whether its name leads to it, so that the name says which one it is. ``__main__`` counts as such."""
    if "<locals>" in thing.__qualname__ or "<lambda>" in thing.__qualname__:
        return False
    if thing.__module__ == "__main__":
        return True
    found, names = _module(thing.__module__), thing.__qualname__.split(".")
    for name in names:
        found = getattr(found, name, None)
    return found is thing


def _module(name: str) -> Any:  # Any: a module, or None
    """A module as `pickle` would find it. Some say that they belong to one which loads on first use."""
    loaded = sys.modules.get(name)
    parent, _, last = name.rpartition(".")
    return loaded if loaded is not None or not parent else getattr(_module(parent), last, None)

"""What functions and classes are called, the same in every process.

``__main__`` is another file in each script, and a worker runs functions of the caller's ``__main__`` while
its own is something else. So a function of ``__main__`` is named after the file that its code came from.
"""

import os
import re
import sys
from typing import Any

from .library import is_library

__all__ = ["class_name", "function_name", "is_importable", "leads_to", "public_name", "source_name"]

# ipykernel writes each cell to <tmp>/ipykernel_<pid>/<digest of the cell>.py
_KERNEL = re.compile(r".*ipykernel_\d+[/\\]\d+\.py")
# What interpreters call the inputs that they read: with a counter, or a digest of the whole input.
_INPUTS = (
    (re.compile(r"<ipython-input-\d+-\w+(>|-.*)"), "<ipython-input>"),
    (re.compile(r"<python-input-\d+>|<stdin>-\d+"), "<stdin>"),
    (re.compile(r"<doctest (.*)\[\d+\]>"), r"<doctest \1>"),
)
# What Python and numpy have moved between releases keeps one name, and so does the script where
# `multiprocessing` has spawned a process for it.
_MOVED = {
    "__mp_main__": "__main__",
    "pathlib._local": "pathlib",
    "numpy.ma.core": "numpy.ma",
    "numpy.rec": "numpy",
    "numpy.char": "numpy",
}


def source_name(filename: str) -> str:
    """The name of a source file, without what differs from one kernel or interpreter session to the next."""
    if _KERNEL.fullmatch(filename):
        return "ipykernel"
    for pattern, name in _INPUTS:
        found = pattern.fullmatch(filename)
        if found:
            return found.expand(name)
    # However it was started (``./job.py``, from another folder, through a link), a script is one file.
    return os.path.realpath(filename) if os.path.isabs(filename) or os.path.exists(filename) else filename


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
    module = _MOVED.get(module, module)
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
    return leads_to(thing.__module__, thing.__qualname__, thing)


def leads_to(module: str, name: str, thing: object) -> bool:
    """Whether a dotted name in a module that is loaded stands for a thing."""
    found = _module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is thing


def _module(name: str) -> Any:  # Any: a module, or None
    """A module as `pickle` would find it. Some say that they belong to one which loads on first use."""
    loaded = sys.modules.get(name)
    parent, _, last = name.rpartition(".")
    return loaded if loaded is not None or not parent else getattr(_module(parent), last, None)

"""Where the user's own code ends: code of the standard library and of installed packages is not followed."""

import os
import sys
from functools import lru_cache

__all__ = ["is_library", "is_library_file", "is_users"]

_STDLIB = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
_OWN = __name__.partition(".")[0]  # a library too where it is developed
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_library(module_name: str | None) -> bool:
    """Whether a module is of the standard library, built in, or lies among the installed packages.

    ``__main__``, and modules that have no file (made by hand, by ``exec``), are not. For one that is not
    loaded its package answers.
    """
    if module_name is None or module_name == "__main__":
        return False
    if module_name.partition(".")[0] == _OWN:
        return True
    module = sys.modules.get(module_name)
    if module is None:  # one that a library loads on first use belongs to it all the same
        parent = module_name.rpartition(".")[0]
        return bool(parent) and is_library(parent)
    file = getattr(module, "__file__", None)
    if file is None:
        return module_name.partition(".")[0] in sys.stdlib_module_names
    return is_library_file(file)


@lru_cache(maxsize=1000)  # following links takes 50 µs, and files do not move
def is_library_file(file: str) -> bool:
    """Whether a file lies in the standard library or among the installed packages."""
    path = os.path.realpath(file)
    return path.startswith(_STDLIB) or any(place in path for place in _INSTALLED)


def is_users(module_name: object, packages: frozenset[str]) -> bool:
    """Whether code of a module is followed: all that is not a library is, and what lies in `packages`.

    `packages` are top-level names. The package of the function that is tracked belongs in it: a project
    that was installed with ``pip install .`` is still the user's project. `module_name` is what a
    ``__module__`` says; on types written in C that may be a descriptor, which names no module.
    """
    if not isinstance(module_name, str):
        return module_name is None
    if module_name.partition(".")[0] in packages:
        return True
    return not is_library(module_name)

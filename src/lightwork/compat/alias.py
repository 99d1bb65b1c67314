"""``import joblib`` gives lightwork: an alias for a whole process, and for the workers that it starts.

A finder stands first in ``sys.meta_path`` and answers for ``joblib`` and all its modules with those of
`lightwork.compat.joblib`: the same objects under both names, so that what somebody assigns to
``joblib.parallel.BACKENDS`` is seen by both.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["install", "installed", "uninstall"]

_NAME = "joblib"
_FACE = "lightwork.compat.joblib"


class _Finder(MetaPathFinder):
    """Finds the modules of the face under joblib's names."""

    travels_to_workers = True
    """Workers call `install` of this module before they run a task."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _NAME and not fullname.startswith(f"{_NAME}."):
            return None
        name = _FACE + fullname.removeprefix(_NAME)
        if importlib.util.find_spec(name) is None:
            return None  # such as `joblib.test`: whoever extended the path of the package finds it
        return ModuleSpec(fullname, _Same(importlib.import_module(name)))


class _Same(Loader):
    """A loader for a module that is there under another name."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # the import system has just put the one of the other name there


def installed() -> bool:
    """Whether ``import joblib`` gives lightwork in this process."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def install() -> ModuleType:
    """Let ``import joblib`` give lightwork from now on, here and in workers. Returns the module.

    Call it before anything imports joblib, scikit-learn for instance. Calling it again changes nothing.

    Raises
    ------
    ImportError
        joblib itself is imported already: those who did so keep what they have, and the two would mix.
    """
    if not installed():
        if _NAME in sys.modules:
            raise ImportError(
                "joblib is imported already, so lightwork cannot take its place: call "
                "lightwork.compat.install() first, or run the program with `python -m lightwork.compat`"
            )
        sys.meta_path.insert(0, _Finder())
    return importlib.import_module(_NAME)


def uninstall() -> None:
    """Undo `install` for imports to come. Modules that hold the face keep it."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in [name for name in sys.modules if name == _NAME or name.startswith(f"{_NAME}.")]:
        del sys.modules[name]

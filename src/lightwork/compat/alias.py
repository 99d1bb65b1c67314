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
        package = fullname.rpartition(".")[0]
        if not _is_joblibs(fullname) or (package and not _is_ours(package)):
            return None
        name = _face_of(fullname)
        face = importlib.util.find_spec(name)
        if face is None:
            return None  # such as `joblib.test`: somebody else may have one
        spec = ModuleSpec(fullname, _Same(name), origin=face.origin)
        spec.submodule_search_locations = face.submodule_search_locations
        return spec


class _Same(Loader):
    """A loader that gives the module that has another name. It imports it when it is asked for it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self._own_spec = importlib.import_module(self._name).__spec__
        return sys.modules[self._name]

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just put the one of the other name there. `importlib.reload` needs this one.
        module.__spec__ = self._own_spec


def installed() -> bool:
    """Whether ``import joblib`` gives lightwork in this process."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def install() -> ModuleType:
    """Let ``import joblib`` give lightwork from now on, here and in workers. Returns the module.

    Call it before anything imports joblib, scikit-learn for instance. Calling it again changes nothing.
    Workers are those of lightwork. A process that `multiprocessing` spawns runs the main module again, so
    call it there at the top, above ``if __name__ == "__main__"``; forked ones have it from their parent.

    Raises
    ------
    ImportError
        joblib itself is imported already: those who did so keep what they have, and the two would mix.
    """
    theirs = [name for name in list(sys.modules) if _is_joblibs(name) and not _is_ours(name)]
    if _NAME in theirs or (theirs and not installed()):
        raise ImportError(
            "joblib is imported already, so lightwork cannot take its place: call "
            "lightwork.compat.install() first, or run the program with `python -m lightwork.compat`"
        )
    if not installed():
        sys.meta_path.insert(0, _Finder())
    return importlib.import_module(_NAME)


def uninstall() -> None:
    """Undo `install` for imports to come. Who holds the face keeps it; joblib itself is not touched."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    for name in [name for name in sys.modules if _is_joblibs(name) and _is_ours(name)]:
        del sys.modules[name]


def _is_joblibs(name: str) -> bool:
    return name == _NAME or name.startswith(f"{_NAME}.")


def _face_of(name: str) -> str:
    return _FACE + name.removeprefix(_NAME)


def _is_ours(name: str) -> bool:
    """Whether the module under a name of joblib's is the one of the face."""
    return name in sys.modules and sys.modules[name] is sys.modules.get(_face_of(name))

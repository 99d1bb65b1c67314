"""What a worker takes over from its parent when a session begins: folder, path, variables, limits."""

import importlib
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

__all__ = [
    "NUMERIC_LIMITS",
    "THREAD_LIMITS",
    "Change",
    "Environment",
    "apply_change",
    "difference",
    "install_finders",
    "look",
    "told_finders",
]

NUMERIC_LIMITS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Read by the numeric libraries when they are imported, and only then."""

THREAD_LIMITS: Final = (*NUMERIC_LIMITS, "LIGHTWORK_HELPER_THREADS")
"""Those, and what our own helpers read (`lightwork.system.threads`; its import alone would take 10 ms)."""


class Environment(NamedTuple):
    """What the parent looks like at one moment."""

    folder: str | None
    """The working directory; ``None`` if it was deleted."""

    path: tuple[str, ...]
    arguments: tuple[str, ...]
    finders: tuple[str, ...]
    """Modules of the import hooks that editable installs put into ``sys.meta_path``."""

    variables: Mapping[str, str]


class Change(NamedTuple):
    """What a worker has to do to look like its parent. ``None``: leave it as it is."""

    folder: str | None
    path: tuple[str, ...] | None
    arguments: tuple[str, ...] | None
    finders: tuple[str, ...]
    variables: Mapping[str, str | None]
    """New values; ``None`` removes a variable."""


def look() -> Environment:
    """The parent as it is now."""
    try:
        folder: str | None = os.getcwd()
    except FileNotFoundError:
        folder = None
    return Environment(folder, tuple(sys.path), tuple(sys.argv), _travelling_finders(), dict(os.environ))


def difference(old: Environment | None, new: Environment) -> Change | None:
    """What leads from `old` (``None``: a fresh worker) to `new`; ``None`` if nothing does."""
    if old is None:
        # It inherited its variables from the template, which may be hours old: all of them are sent once.
        return Change(new.folder, new.path, new.arguments, new.finders, new.variables)
    if old == new:
        return None
    variables: dict[str, str | None] = {
        name: value for name, value in new.variables.items() if old.variables.get(name) != value
    }
    variables.update(dict.fromkeys(old.variables.keys() - new.variables.keys()))
    return Change(
        new.folder if new.folder != old.folder else None,
        new.path if new.path != old.path else None,
        new.arguments if new.arguments != old.arguments else None,
        tuple(name for name in new.finders if name not in old.finders),
        variables,
    )


def apply_change(change: Change, *, first: bool) -> None:
    """Make this worker look like its parent.

    `first` says that the change lists all variables, so that others are removed. A folder that was deleted
    in the meantime raises `FileNotFoundError`.
    """
    if change.folder is not None:
        os.chdir(change.folder)
    if change.path is not None:
        sys.path[:] = change.path
        importlib.invalidate_caches()
    if change.arguments is not None:
        sys.argv[:] = change.arguments
    if first:
        for name in os.environ.keys() - change.variables.keys():
            del os.environ[name]
    for name, value in change.variables.items():
        if value is None:
            os.environ.pop(name, None)
        elif os.environ.get(name) != value:
            os.environ[name] = value
    install_finders(change.finders)


def told_finders() -> tuple[str, ...]:
    """Modules of the finders in ``sys.meta_path`` that say themselves that workers need them too."""
    return tuple(dict.fromkeys(_module_of(finder) for finder in sys.meta_path if _is_told(finder)))


def install_finders(modules: Iterable[str]) -> None:
    """Call `install` of each of these modules. Once more changes nothing."""
    for name in modules:
        importlib.import_module(name).install()


def _travelling_finders() -> tuple[str, ...]:
    """Modules whose `install` puts into ``sys.meta_path`` what is in the parent's."""
    # setuptools installs `__editable___<name>_finder.install()` through a .pth file; an interpreter without
    # `site` has none of them, and the packages behind them would be missing in the workers.
    modules = [
        _module_of(finder)
        for finder in sys.meta_path
        if _is_told(finder) or _module_of(finder).startswith("__editable__")
    ]
    return tuple(dict.fromkeys(modules))


def _module_of(finder: object) -> str:
    return str(getattr(finder, "__module__", ""))


def _is_told(finder: object) -> bool:
    return bool(getattr(finder, "travels_to_workers", False))

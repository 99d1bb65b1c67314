"""Which user modules a worker has loaded, and whether their files are still the same.

A worker that imported `helper` before the user edited it must not run the old code in the next call. It
reports the files at the end of each session; the parent looks at them before it uses the worker again, and
lets it go if one differs.
"""

import os
import sys
import sysconfig
from collections.abc import Iterable
from types import ModuleType
from typing import NamedTuple

__all__ = ["Source", "SourceWatch", "changed"]

_UNKNOWN = (-1, -1)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Source(NamedTuple):
    """A module's file as it was when it was loaded."""

    path: str
    mtime_ns: int
    nbytes: int


class SourceWatch:
    """The worker's side: files of modules that were loaded since the last look."""

    def __init__(self, own_package: str) -> None:
        """`own_package` is the folder of lightwork, which is no user's module."""
        self._known: set[str] = set()
        self._borders = (sysconfig.get_path("stdlib") + os.sep, own_package + os.sep)

    def new(self, since_ns: int) -> list[Source]:
        """Files of user modules that were loaded since the last look.

        A file that changed after `since_ns` (of ``time.time_ns``), when the session began, may have done
        so after it was read: it is reported as one that differs from whatever is on disk.
        """
        if len(sys.modules) == len(self._known):
            return []
        fresh = [(name, module) for name, module in list(sys.modules.items()) if name not in self._known]
        self._known = set(sys.modules)
        return [source for _, module in fresh if (source := self._source(module, since_ns))]

    def _source(self, module: object, since_ns: int) -> Source | None:
        path = module.__dict__.get("__file__") if isinstance(module, ModuleType) else None
        if (
            not isinstance(path, str)
            or path.startswith(self._borders)
            or any(part in path for part in _INSTALLED)
        ):
            return None
        mtime_ns, nbytes = _state(path)
        return Source(path, *(_UNKNOWN if mtime_ns > since_ns else (mtime_ns, nbytes)))


def changed(sources: Iterable[Source]) -> bool:
    """Whether any file differs from what was loaded."""
    return any(_state(source.path) != (source.mtime_ns, source.nbytes) for source in sources)


def _state(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:  # gone, or inside a zip file: as unchanged as it can be told
        return (0, 0)
    return status.st_mtime_ns, status.st_size

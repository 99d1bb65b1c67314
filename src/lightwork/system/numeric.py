"""How many threads BLAS and OpenMP use in this process, limited while parallel calls run in its threads.

Process workers need none of this: they have variables before the libraries are imported. In a process that
has loaded them already, `threadpoolctl` reaches them (an optional dependency).
"""

import sys
import threading
from collections.abc import Sequence
from typing import Any

from . import log
from .forks import after_fork_in_child
from .optional import installed, loaded, require

__all__ = ["NUMERIC", "NumericThreads"]

_SIGNS = ("numpy", "torch")
"""One of them is loaded wherever BLAS or OpenMP is."""


class NumericThreads:
    """The limits in force. Safe to use from several threads, each of which puts back what it has limited.

    Two kinds of libraries: OpenMP has a number for each thread, so a thread sets its own. BLAS (but for some
    builds) has one for the process, so the smallest limit in force holds for all, and what was there before
    comes back with the end of the last one. Limits only ever lower.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[int] = []
        self._before: dict[str, tuple[Any, int]] = {}  # by file; Any: a LibController of threadpoolctl
        self._own = threading.local()
        self._libraries: Sequence[Any] = ()  # Any: as above
        self._seen = -1
        self._is_absent = False
        after_fork_in_child(self._forget)

    def check(self, option: str) -> None:
        """Raise `MissingDependency` if limits cannot be kept here; `option` is what asked for them."""
        require("threadpoolctl", purpose=f"{option} in threads of this process", extra="threads")

    def is_at_hand(self) -> bool:
        """Whether there may be libraries to limit, and the means. Says once if only the means is missing."""
        if self._is_absent or not any(loaded(name) is not None for name in _SIGNS):
            return False
        if installed("threadpoolctl") is None:
            self._is_absent = True
            log.info(
                "threadpoolctl is not installed: BLAS and OpenMP use all cores in each thread of a parallel "
                "call; pip install 'lightwork[threads]'"
            )
        return not self._is_absent

    def limit(self, count: int) -> None:
        """Let the libraries that are loaded by now use at most `count` threads for calls of this thread."""
        own = []
        with self._lock:
            for library in self._found():
                if _is_of_threads(library):
                    before = library.num_threads
                    own.append((library, before))
                    if before > count:
                        library.set_num_threads(count)
                elif library.filepath not in self._before:
                    self._before[library.filepath] = (library, library.num_threads)
            self._active.append(count)
            self._apply()
        self._stack().append((count, own))

    def put_back(self) -> None:
        """Undo the last `limit` of this thread, if there is one."""
        stack = self._stack()
        if not stack:
            return
        count, own = stack.pop()
        for library, before in own:
            library.set_num_threads(before)
        with self._lock:
            self._active.remove(count)
            self._apply()

    def _apply(self) -> None:
        for library, before in self._before.values():
            wanted = min(before, *self._active) if self._active else before
            if library.num_threads != wanted:
                _set_for_all(library, wanted)
        if not self._active:
            self._before.clear()

    def _found(self) -> Sequence[Any]:  # Any: as above
        """The libraries of this process. Looking costs up to 20 ms: they come with modules."""
        if len(sys.modules) != self._seen:
            control = require("threadpoolctl", purpose="limiting threads", extra="threads")
            self._libraries = control.ThreadpoolController().lib_controllers
            self._seen = len(sys.modules)
        return self._libraries

    def _stack(self) -> list[tuple[int, list[tuple[Any, int]]]]:  # Any: as above
        if not hasattr(self._own, "stack"):
            self._own.stack = []
        stack: list[tuple[int, list[tuple[Any, int]]]] = self._own.stack
        return stack

    def _forget(self) -> None:
        # Only the thread that forked goes on here, and what the others have limited stays limited.
        self._lock = threading.Lock()
        self._active = [count for count, _ in self._stack()]


def _is_of_threads(library: Any) -> bool:  # Any: a LibController
    """Whether each thread has a number of its own."""
    return library.user_api == "openmp" or getattr(library, "threading_layer", "") == "openmp"


def _set_for_all(library: Any, count: int) -> None:  # Any: as above
    """Set the number of the process, from whichever thread this is.

    Of libraries with one number, threadpoolctl 3.8 lets only the thread that came first set it and ignores
    the others, so that they do not fight. Here they keep one account, so whoever is there carries it out.
    """
    release = getattr(library, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    library.set_num_threads(count)
    if release is not None:
        release(force=True)


NUMERIC = NumericThreads()

"""Results that have expired and are returned all the same, while they are computed anew: ``stale=``.

::

    caller ── expired, but not for longer than `stale` ──► the old value, at once
       └───── Refreshes.begin ──► a thread of its own: flight of the key, compute, keep

Where the function is ``async`` a task takes the place of the thread (`asynchronous`).
"""

import contextvars
import threading
from collections.abc import Callable
from typing import Any

from ..errors import InvalidOption
from ..system import units
from ..system.forks import after_fork_in_child
from .facts import Metadata
from .notices import Notices
from .validity import is_alive

__all__ = ["Refreshes", "is_stale", "parse_stale", "tell_failure"]

_MOST = 4
"""Threads per function. What expires meanwhile is computed anew by a later call."""


def parse_stale(stale: Any, ttl: float | None) -> float | None:  # Any: it is checked here
    """Seconds, ``> 0``, from ``stale=``; it means nothing without a `ttl`."""
    if stale is None:
        return None
    if ttl is None or ttl == float("inf"):
        raise InvalidOption(f"stale={stale!r} needs ttl=: without one no result expires")
    return units.parse_seconds(stale, name="stale")


def is_stale(facts: Metadata, ttl: float | None, stale: float | None, now: float) -> bool:
    """Whether a result has expired, and not for longer than `stale` seconds."""
    if stale is None or is_alive(facts, ttl, now):
        return False
    return is_alive(facts, ttl, now, grace=stale)


class Refreshes:
    """Computations of one function that go on in threads. Safe to use from several threads.

    The threads are no daemons: an interpreter that ends waits for them, as it would for a call.
    """

    def __init__(self, name: str, notices: Notices) -> None:
        self._name = name
        self._notices = notices
        self._lock = threading.Lock()
        self._keys: set[bytes] = set()
        after_fork_in_child(self._renew)

    def begin(self, key: bytes, compute: Callable[[], object]) -> None:
        """Run `compute` in a thread, unless it runs already for this key, or too many others do."""
        with self._lock:
            if key in self._keys or len(self._keys) >= _MOST:
                return
            self._keys.add(key)
        context = contextvars.copy_context()
        try:
            threading.Thread(
                target=context.run, args=(self._run, key, compute), name=f"lightwork refreshes {self._name}"
            ).start()
        except RuntimeError:  # no more threads, or the interpreter ends: the old result is good enough
            self._end(key)

    def _run(self, key: bytes, compute: Callable[[], object]) -> None:
        try:
            compute()
        except Exception as exc:  # noqa: BLE001 - of a user's function, and there is no caller to get it
            tell_failure(self._notices, self._name, exc)
        finally:
            self._end(key)

    def _end(self, key: bytes) -> None:
        with self._lock:
            self._keys.discard(key)

    def _renew(self) -> None:
        """In a forked child the threads do not exist."""
        self._lock = threading.Lock()
        self._keys = set()


def tell_failure(notices: Notices, name: str, error: BaseException) -> None:
    """Warn, once for each kind of error, that a result could not be computed anew."""
    notices.warn_once(
        ("stale", name, type(error)),
        f"a result of {name} that has expired is returned on, since it could not be computed anew "
        f"({type(error).__name__}: {error})",
    )

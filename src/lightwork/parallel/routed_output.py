"""What tasks print in the caller's own process: each thread has streams of its own, behind the common ones.

::

    print ──► sys.stdout (a `_Route`) ──► of a task: its `Streams` ──► told
                                     └──► of anybody else: the stream that was there
"""

import logging
import sys
import threading
from contextvars import ContextVar
from typing import Any, TextIO

from ..protocols import Call, Run, Tell
from .output import Streams

__all__ = ["RoutedOutput"]

_STREAMS: ContextVar[Streams | None] = ContextVar("lightwork_streams", default=None)


class _Route:
    """In the place of ``sys.stdout`` or ``sys.stderr``: to who is in no task, the stream that was there."""

    def __init__(self, real: TextIO, attribute: str) -> None:
        self.real = real
        self._attribute = attribute

    def __getattr__(self, name: str) -> Any:  # Any: whatever a stream has
        streams = _STREAMS.get()
        return getattr(self.real if streams is None else getattr(streams, self._attribute), name)


class _Routes:
    """The routes of this process: there as long as a call captures the output of its tasks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._factory: Any = None  # Any: what makes log records, as it was and with the index of the task
        self._marking: Any = None

    def open(self) -> tuple[TextIO, TextIO]:
        """Have them installed; the real streams."""
        with self._lock:
            if not self._users:
                self._factory = logging.getLogRecordFactory()
                self._marking = _with_task(self._factory)
                logging.setLogRecordFactory(self._marking)
            self._users += 1
            return self._route("stdout", "out"), self._route("stderr", "err")

    def _route(self, name: str, attribute: str) -> TextIO:
        """Route a stream that is not routed, such as one that was put there since; the real one."""
        stream = getattr(sys, name)
        if isinstance(stream, _Route):
            return stream.real
        setattr(sys, name, _Route(stream, attribute))
        real: TextIO = stream
        return real

    def close(self) -> None:
        """Need them no more. Who has put another stream there meanwhile keeps it."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                if isinstance(stream, _Route):
                    setattr(sys, name, stream.real)
            if logging.getLogRecordFactory() is self._marking:
                logging.setLogRecordFactory(self._factory)


_ROUTES = _Routes()


def _with_task(factory: Any) -> Any:  # Any: see `logging.setLogRecordFactory`
    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = factory(*args, **kwargs)
        streams = _STREAMS.get()
        if streams is not None:
            record.task = streams.index
        return record

    return make


class RoutedOutput:
    """The output of tasks that run in threads, or in the caller's. A `Layer`.

    Log records that a task makes get its index as their attribute `task`; the handlers are the process's own.
    """

    __slots__ = ()

    def enter(self, inner: Run, tell: Tell) -> Run:
        """What runs a task with streams of its own around `inner`."""
        outer = _STREAMS.get()

        def pass_on(index: int, what: object) -> None:
            # In the caller's thread the one who hears prints himself.
            before = _STREAMS.set(outer)
            try:
                tell(index, what)
            finally:
                _STREAMS.reset(before)

        streams = Streams(pass_on, *_ROUTES.open())

        def run(index: int, call: Call) -> Any:  # Any: the result of the user's function
            streams.index = index
            before = _STREAMS.set(streams)
            try:
                return inner(index, call)
            finally:
                streams.finish()
                _STREAMS.reset(before)

        return run

    def leave(self) -> None:
        """The last one to leave brings the streams of the process back."""
        _ROUTES.close()

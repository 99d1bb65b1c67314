"""Log records of worker processes, on their way to the loggers of the process that made the call."""

import logging
import os
import pickle
import threading
from operator import attrgetter
from typing import Any, TypeAlias

from ..protocols import Call, Run, Tell

__all__ = ["ForwardedRecords", "Logged", "record_of"]

_TEXTS = logging.Formatter()
"""Makes texts of tracebacks."""

_NAMES = (
    *(
        "name",
        "levelno",
        "levelname",
        "pathname",
        "filename",
        "module",
        "lineno",
        "funcName",
        "created",
        "msecs",
    ),
    *("thread", "threadName", "processName", "process", "stack_info", "exc_text"),
)
_LEFT = frozenset({*_NAMES, "args", "asctime", "exc_info", "message", "msg", "relativeCreated"})
_EMPTY = logging.makeLogRecord({})
_USUAL = len(_EMPTY.__dict__)
"""Attributes of a record to which nobody has added one."""

_BEGAN = _EMPTY.created - _EMPTY.relativeCreated / 1000

_values = attrgetter(*_NAMES)

# Any: attributes that each record has, and those that users put into records.
Logged: TypeAlias = "tuple[str, tuple[Any, ...], dict[str, Any] | None]"
"""A log record as it is told. Its message and its traceback are texts, for their parts may not travel. It is
the only plain tuple that anybody tells: a class of its own would double the time that pickling takes."""


def record_of(logged: Logged) -> logging.LogRecord:
    """The record, as this process makes them."""
    message, values, others = logged
    if logging.getLogRecordFactory() is logging.LogRecord:
        # Without `__init__`, which asks for all that is known already, and takes four times as long.
        record = logging.LogRecord.__new__(logging.LogRecord)
        record.__dict__.update(_EMPTY.__dict__)
    else:
        record = logging.makeLogRecord({})
    record.msg = message
    record.__dict__.update(zip(_NAMES, values, strict=True))
    if others is not None:
        record.__dict__.update(others)
    record.relativeCreated = (record.created - _BEGAN) * 1000
    return record


class ForwardedRecords:
    """Sends what the loggers of a worker process get to the process that it works for. A `Layer`.

    A logger that has handlers of its own in the worker, or above it, is left alone: its records are handled
    there, and shall not be handled twice. With `own_thread` only what the thread of the tasks logs is sent,
    for processes that run others beside them.
    """

    __slots__ = ("_handler", "_own_thread")

    def __init__(self, *, own_thread: bool = False) -> None:
        self._own_thread = own_thread
        self._handler: _Forward | None = None

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Listen at the root logger; what runs a task lets its records have its index."""
        handler = self._handler = _Forward(tell, threading.get_ident() if self._own_thread else None)
        logging.root.addHandler(handler)

        def run(index: int, call: Call) -> Any:  # Any: the result of the user's function
            handler.index = index
            return inner(index, call)

        return run

    def leave(self) -> None:
        """Listen no more."""
        if self._handler is not None:
            logging.root.removeHandler(self._handler)
            self._handler = None


class _Forward(logging.Handler):
    def __init__(self, tell: Tell, thread: int | None) -> None:
        super().__init__()
        self.index = 0
        self._tell = tell
        self._thread = thread
        self._pid = os.getpid()

    def handle(self, record: logging.LogRecord) -> bool:
        """Send the record. No filters, and no lock: what sends has its own."""
        if self._thread is not None and record.thread != self._thread:
            return True  # of another task
        # A child that a task has forked must not use the worker's connection.
        if os.getpid() == self._pid and not self._is_handled(record.name):
            if record.exc_info and not record.exc_text:
                record.exc_text = _TEXTS.formatException(record.exc_info)
            others = None if len(record.__dict__) <= _USUAL else _others(record)
            self._tell(self.index, (record.getMessage(), _values(record), others))
        return True

    def _is_handled(self, name: str) -> bool:
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None:
            for handler in logger.handlers:
                # Others of this kind are those of tasks that run beside this one.
                if not isinstance(handler, logging.NullHandler | _Forward):
                    return True
            logger = logger.parent if logger.propagate else None
        return False


def _others(record: logging.LogRecord) -> dict[str, Any] | None:  # Any: as in `Logged`
    others = {name: value for name, value in record.__dict__.items() if name not in _LEFT}
    return {name: _travelling(value) for name, value in others.items()} or None


def _travelling(value: object) -> object:
    """An attribute that a user gave to a record; its text, if it cannot travel."""
    try:
        pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))  # many exceptions cannot be built again
    except Exception:  # noqa: BLE001 - users' code; a record is better than none
        return repr(value)
    return value

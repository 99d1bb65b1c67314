"""Log records of worker processes, on their way to the loggers of the process that made the call."""

import logging
import os
import pickle
from typing import Any, NamedTuple

from ..protocols import Call, Run, Tell

__all__ = ["ForwardedRecords", "Logged"]

_PLAIN = frozenset({bool, float, int, str, type(None)})

_LEFT = frozenset({"args", "asctime", "exc_info", "message", "relativeCreated"})
"""What of a record stays here: parts that may not travel, and are made into texts instead, and what is made
anew on the other side."""


class Logged(NamedTuple):
    """A record: what `logging.makeLogRecord` takes."""

    attributes: dict[str, Any]  # Any: what users put into records


class ForwardedRecords:
    """Sends what the loggers of a worker process get to the process that it works for. A `Layer`.

    A logger that has handlers of its own in the worker, or above it, is left alone: its records are handled
    there, and shall not be handled twice.
    """

    __slots__ = ("_handler",)

    def __init__(self) -> None:
        self._handler: _Forward | None = None

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Listen at the root logger; what runs a task lets its records have its index."""
        handler = self._handler = _Forward(tell)
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
    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self.index = 0
        self._tell = tell
        self._pid = os.getpid()
        self._texts = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        # A child that a task has forked must not use the worker's connection.
        if os.getpid() != self._pid or self._is_handled(record.name):
            return
        attributes = {
            name: value if type(value) in _PLAIN else _travelling(value)
            for name, value in record.__dict__.items()
            if name not in _LEFT
        }
        attributes["msg"] = record.getMessage()
        if record.exc_info:
            attributes["exc_text"] = record.exc_text or self._texts.formatException(record.exc_info)
        self._tell(self.index, Logged(attributes))

    def _is_handled(self, name: str) -> bool:
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None:
            for handler in logger.handlers:
                if handler is not self and not isinstance(handler, logging.NullHandler):
                    return True
            logger = logger.parent if logger.propagate else None
        return False


def _travelling(value: object) -> object:
    """An attribute that a user gave to a record; its text, if it cannot travel."""
    try:
        pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - users' code; a record is better than none
        return repr(value)
    return value

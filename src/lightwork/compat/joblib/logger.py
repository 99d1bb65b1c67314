"""joblib's helpers for messages: `Logger`, `PrintTime`, and how times and values are written."""

import contextlib
import logging
import os
import pprint
import shutil
import sys
import time
from typing import Any

from .disk import mkdirp

__all__ = ["Logger", "PrintTime", "format_time", "pformat", "short_format_time"]

_KEPT_LOGS = 9


def format_time(t: float) -> str:
    """``75.3`` seconds as ``"75.3s, 1.3min"``."""
    t = _counted(t)
    return f"{t:.1f}s, {t / 60:.1f}min"


def short_format_time(t: float) -> str:
    """``42`` seconds as ``"  42.0s"``, ``78`` as ``" 1.3min"``."""
    t = _counted(t)
    return f"{t / 60:4.1f}min" if t > 60 else f" {t:5.1f}s"


def _counted(t: float) -> float:
    # The clock of Windows ticks so rarely that short times come out too long.
    return max(t - 0.1, 0) if sys.platform.startswith("win") else t


def pformat(obj: object, indent: int = 0, depth: int = 3) -> str:
    """`pprint.pformat`, with arrays cut short."""
    numpy = sys.modules.get("numpy")
    short = numpy.printoptions(precision=6, threshold=64, edgeitems=1) if numpy else contextlib.nullcontext()
    with short:
        return pprint.pformat(obj, depth=depth, indent=indent)


class Logger:
    """What has something to say: a base class.

    Parameters
    ----------
    depth
        How deep `format` looks into values.
    name
        The logger of `logging` that `warn` and `debug` use.
    """

    def __init__(self, depth: int = 3, name: str | None = None) -> None:
        self.depth = depth
        self._name = name or "joblib"

    def warn(self, msg: str) -> None:
        """Log at level WARNING."""
        logging.getLogger(self._name).warning("[%s]: %s", self, msg)

    def info(self, msg: str) -> None:
        """Log at level INFO, to the root logger."""
        logging.getLogger().info("[%s]: %s", self, msg)

    def debug(self, msg: str) -> None:
        """Log at level DEBUG."""
        logging.getLogger(self._name).debug("[%s]: %s", self, msg)

    def format(self, obj: object, indent: int = 0) -> str:
        """A value as text."""
        return pformat(obj, indent=indent, depth=self.depth)


class PrintTime:
    """Prints the time since it was last called to standard error, and to a file.

    Parameters
    ----------
    logfile
        The file; one that is there is kept as ``.1`` (older ones up to ``.9``).
    logdir
        A folder for the file ``joblib.log``. Not together with `logfile`.
    """

    def __init__(self, logfile: str | None = None, logdir: str | None = None) -> None:
        if logfile is not None and logdir is not None:
            raise ValueError("Cannot specify both logfile and logdir")
        self.last_time = self.start_time = time.time()
        if logdir is not None:
            logfile = os.path.join(logdir, "joblib.log")
        self.logfile = logfile
        if logfile is not None:
            mkdirp(os.path.dirname(os.path.abspath(logfile)))
            _keep_older(logfile)
            self._write("\nLogging joblib python script\n" + f"\n---{time.ctime(self.last_time)}---\n", "w")

    def __call__(self, msg: str = "", total: bool = False) -> None:
        """Print `msg` and the time since the last call, or with `total` since the beginning."""
        now = time.time()
        if total:
            lapse = now - self.start_time
            text = f"{msg}: {lapse:.2f}s, {lapse / 60:.1f} min"
        else:
            text = f"{msg}: {format_time(now - self.last_time)}"
        print(text, file=sys.stderr)
        if self.logfile is not None:
            self._write(text + "\n", "a")
        self.last_time = now

    def _write(self, text: str, mode: str) -> None:
        assert self.logfile is not None, "only called with a file"
        # A full disk or a folder that is gone must not end the user's program over a log.
        with contextlib.suppress(OSError), open(self.logfile, mode, encoding="utf-8") as file:
            file.write(text)


def _keep_older(path: str) -> None:
    for number in range(_KEPT_LOGS - 1, -1, -1):
        older: Any = f"{path}.{number}" if number else path
        if os.path.exists(older):
            with contextlib.suppress(OSError):
                shutil.move(older, f"{path}.{number + 1}")

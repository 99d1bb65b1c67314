"""Progress on the terminal, in a log, or handed to a function of the user's.

The texts are made by pure functions; small classes decide when one is worth writing. Those for notebooks and
for rich are in `displays`.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from .. import parallel  # its `displays`, which few calls need
from ..errors import InvalidOption
from ..system import log
from ..system.optional import loaded
from .driver import Observer

__all__ = [
    "Bar",
    "Display",
    "LogLines",
    "Progress",
    "bar_line",
    "check_progress",
    "observers",
    "plain_line",
    "span",
]

_REDRAW_SECONDS = 0.1  # on a terminal
_LINE_SECONDS = 10.0  # in a file
_WIDEST_BAR = 30

Clock = Callable[[], float]


def span(seconds: float) -> str:
    """A time in few characters: ``"0.4s"``, ``"12s"``, ``"3m20s"``, ``"2h05m"``."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def plain_line(done: int, total: int | None, failed: int, elapsed: float) -> str:
    """``"120/2000 tasks, 63.1/s, 1.9s elapsed, 30s left, 2 failed"``."""
    parts = [f"{done}/{total} tasks" if total is not None else f"{done} tasks"]
    if elapsed > 0 and done:
        rate = done / elapsed
        parts.append(f"{rate:.3g}/s" if rate < 1000 else f"{rate:.0f}/s")
    parts.append(f"{span(elapsed)} elapsed")
    if total is not None and 0 < done < total:
        parts.append(f"{span(elapsed * (total - done) / done)} left")
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join(parts)


def bar_line(done: int, total: int | None, failed: int, elapsed: float, *, width: int) -> str:
    """`plain_line` with a bar before it if the total is known, in at most `width` characters."""
    text = plain_line(done, total, failed, elapsed)
    cells = min(_WIDEST_BAR, width - len(text) - 9)
    if total and cells >= 5:
        full = cells * done // total
        text = f"{100 * done // total:3d}% |{'█' * full}{' ' * (cells - full)}| {text}"
    return text[:width]


class Display(Protocol):
    """Something that shows how far a call is."""

    def __call__(self, done: int, total: int | None, failed: int) -> None:
        """Show it, unless that was done a moment ago."""

    def close(self) -> None:
        """Show the last state. Called once, also if nothing was shown before."""


class Bar:
    """One line that is drawn again and again on a terminal; whole lines, few of them, anywhere else.

    Parameters
    ----------
    stream
        Where to write. A stream that is gone (closed, or a broken pipe) ends the drawing, not the work.
    clock
        Seconds, monotonic.
    """

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._stream: TextIO | None = stream
        self._clock = clock
        self._start = self._last = clock()
        self._terminal = stream.isatty()
        if self._terminal:
            self._last -= _REDRAW_SECONDS  # the first state is drawn at once
        self._drawn = 0  # characters of the line that stands there
        self._state: tuple[int, int | None, int] = (0, None, 0)

    def __call__(self, done: int, total: int | None, failed: int) -> None:
        self._state = done, total, failed
        now = self._clock()
        if now - self._last >= (_REDRAW_SECONDS if self._terminal else _LINE_SECONDS):
            self._last = now
            self._draw(now, last=False)

    def close(self) -> None:
        """Draw the last state and end the line."""
        self._draw(self._clock(), last=True)

    def _draw(self, now: float, *, last: bool) -> None:
        if self._stream is None:
            return
        if self._terminal:
            line = bar_line(*self._state, now - self._start, width=_columns(self._stream) - 1)
            text = "\r" + line.ljust(self._drawn) + ("\n" if last else "")
            self._drawn = len(line)
        else:
            text = plain_line(*self._state, now - self._start) + "\n"
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError, UnicodeEncodeError):
            # The reader of a pipe left, the file was closed, or it cannot take the bar's characters.
            self._stream = None


def _columns(stream: TextIO) -> int:
    """Width of the terminal behind a stream; 80 if it does not tell. (`shutil` is slow to import.)"""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


class LogLines:
    """``verbose``: lines at level INFO through ``logging.getLogger("lightwork")``, never printed by us.

    Up to 10 a line per second at most, above that one for each change.
    """

    def __init__(self, verbose: int, title: str, clock: Clock = time.monotonic) -> None:
        self._every = 0.0 if verbose > 10 else 1.0
        self._title = title
        self._clock = clock
        self._start = self._last = clock()
        self._state: tuple[int, int | None, int] = (0, None, 0)

    def __call__(self, done: int, total: int | None, failed: int) -> None:
        self._state = done, total, failed
        now = self._clock()
        if now - self._last >= self._every:
            self._last = now
            log.info("%s: %s", self._title, plain_line(done, total, failed, now - self._start))

    def close(self) -> None:
        """Log the last state."""
        log.info("%s: ended, %s", self._title, plain_line(*self._state, self._clock() - self._start))


class Progress:
    """All that want to know, under one name. An `Observer`, to be closed when the call has ended.

    Displays get each state that it is told of. The function gets one event per task: what several tasks
    changed at once is told one after the other, those that ended well first.
    """

    def __init__(self, displays: list[Display], function: Observer | None) -> None:
        self._displays = displays
        self._function = function
        self._done = 0
        self._failed = 0

    def __call__(self, done: int, total: int | None, failed: int) -> None:
        for display in self._displays:
            display(done, total, failed)
        function = self._function
        if function is not None:
            before, well = self._failed, done - failed
            for count in range(self._done + 1, well + before + 1):
                function(count, total, before)
            for count in range(before + 1, failed + 1):
                function(well + count, total, count)
            self._done, self._failed = done, failed

    def close(self) -> None:
        """Let each draw its last line."""
        for display in self._displays:
            display.close()


def check_progress(progress: object) -> None:
    """Refuse what `observers` cannot use.

    Raises
    ------
    InvalidOption
        It is neither a bool nor "rich" nor can it be called.
    MissingDependency
        It is "rich", which is not installed.
    """
    if progress == "rich":
        parallel.displays.require_rich()
    elif not isinstance(progress, bool) and not callable(progress):
        raise InvalidOption(
            f'progress={progress!r}: give True, False, "rich", or a function of (done, total, failed)'
        )


def observers(progress: bool | str | Observer, verbose: int, title: str) -> Progress | None:
    """What `progress` (checked before) and `verbose` ask for; ``None`` if nobody wants to know."""
    displays: list[Display] = []
    if progress == "rich":
        displays.append(parallel.displays.RichBar(title))
    elif progress is True:
        notebook = loaded("IPython") and parallel.displays.notebook()
        if notebook:
            displays.append(notebook)
        elif sys.stderr is not None:
            displays.append(Bar(sys.stderr))
    if verbose > 0:
        displays.append(LogLines(verbose, title))
    function = None if isinstance(progress, bool | str) else progress
    return Progress(displays, function) if displays or function else None

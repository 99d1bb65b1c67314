"""Progress in a Jupyter notebook, and by `rich`. Imported when one of them is wanted."""

import html
import time
from collections.abc import Callable
from typing import Any

from ..system.optional import imported, loaded, require
from .progress import plain_line

__all__ = ["NotebookBar", "RichBar", "notebook", "require_rich"]

_REDRAW_SECONDS = 0.1

Clock = Callable[[], float]


def notebook() -> "NotebookBar | None":
    """A display for the notebook that this code runs in, if it does. Imports nothing that is not loaded."""
    ipython = loaded("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:  # IPython in a terminal draws the bar as any terminal does
        return None
    return NotebookBar(imported("IPython.display").display)


class _Redrawn:
    """An observer that draws the state now and then, the first one at once. Subclasses say how."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock()
        self._last = self._start - _REDRAW_SECONDS
        self._state: tuple[int, int | None, int] = (0, None, 0)

    def __call__(self, done: int, total: int | None, failed: int) -> None:
        self._state = done, total, failed
        now = self._clock()
        if now - self._last >= _REDRAW_SECONDS:
            self._last = now
            self._draw(now)

    def _draw(self, now: float) -> None:
        raise NotImplementedError


class NotebookBar(_Redrawn):
    """A bar in the output of a cell, drawn again in its place.

    Parameters
    ----------
    show
        ``IPython.display.display``. What it is given is HTML and, for whoever cannot show that, text.
    clock
        Seconds, monotonic.
    """

    def __init__(
        self, show: Callable[..., Any], clock: Clock = time.monotonic
    ) -> None:  # Any: IPython's handle
        self._show = show
        super().__init__(clock)
        self._handle: Any = None

    def close(self) -> None:
        """Draw the last state, which stays in the notebook."""
        self._draw(self._clock())

    def _draw(self, now: float) -> None:
        done, total, _ = self._state
        text = plain_line(*self._state, now - self._start)
        value = f' value="{done}" max="{total}"' if total else ""
        bar = f'<progress{value} style="width:20em;vertical-align:middle"></progress>'
        data = {"text/html": f"<div>{bar} {html.escape(text)}</div>", "text/plain": text}
        if self._handle is None:
            self._handle = self._show(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)


def require_rich() -> Any:  # Any: the module
    """``rich.progress``.

    Raises
    ------
    MissingDependency
        It is not installed.
    """
    return require("rich.progress", purpose='progress="rich"', extra="progress")


class RichBar(_Redrawn):
    """A bar of ``rich.progress`` on standard error, which appears with the first state."""

    def __init__(self, title: str, clock: Clock = time.monotonic) -> None:
        module = require_rich()
        columns = (
            module.TextColumn("{task.description}", markup=False),
            module.BarColumn(),
            module.TextColumn("{task.fields[line]}", markup=False),
        )
        console = require("rich.console", purpose='progress="rich"', extra="progress").Console(stderr=True)
        self._bar = module.Progress(*columns, console=console)
        self._title = title
        super().__init__(clock)
        self._task: Any = None  # rich's number of our bar

    def close(self) -> None:
        """Draw the last state and end the line."""
        self._draw(self._clock())
        self._bar.stop()

    def _draw(self, now: float) -> None:
        done, total, _ = self._state
        line = plain_line(*self._state, now - self._start)
        if self._task is None:
            self._task = self._bar.add_task(self._title, total=total, line=line)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total, line=line)

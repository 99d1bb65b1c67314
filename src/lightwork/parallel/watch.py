"""Who watches a call: its progress, its times, its trace; opened with the call, closed with it."""

import warnings
from typing import TYPE_CHECKING

from .. import parallel
from ..errors import ParallelWarning
from .progress import Progress
from .sheet import Sheet

if TYPE_CHECKING:
    from .trace import Recording

__all__ = ["Watch", "watch"]


class Watch:
    """The watchers of one call. To be closed once it has ended, however it did; twice does no harm."""

    def __init__(
        self,
        progress: Progress | None,
        sheet: Sheet,
        recording: "Recording | None",
        path: str | None,
        title: str,
        backend: str,
    ) -> None:
        self.backend = backend
        self.progress = progress
        self.sheet = sheet
        self._recording = recording
        self._path = path
        self._title = title
        self._closed = False

    @property
    def is_close(self) -> bool:
        """Whether each task is looked at: more than the times of the call are asked for."""
        return self.progress is not None or self._recording is not None

    def close(self) -> None:
        """Stop the clock, draw the last state, write the trace (a warning if that cannot be)."""
        if self._closed:
            return
        self._closed = True
        self.sheet.end()
        try:
            if self.progress is not None:
                self.progress.close()
        finally:
            recording, self._recording = self._recording, None
            if recording is not None and self._path is not None:
                self._write(self._path, recording)
            self.sheet.recording = None  # whoever asks for a report later needs none of it

    def _write(self, path: str, recording: "Recording") -> None:
        slots = len(self.sheet.accounts)
        try:
            parallel.trace.write_trace(
                path, recording, began=self.sheet.began, slots=slots, title=self._title
            )
        except OSError as error:
            # The results are worth more than the picture of how they came about.
            warnings.warn(f"trace={path!r} cannot be written: {error}", ParallelWarning, stacklevel=2)


def watch(progress: Progress | None, slots: int, trace: str | None, *, title: str, backend: str) -> Watch:
    """Begin to watch a call with so many workers; `backend` names the engine that has them."""
    recording = None if trace is None else parallel.trace.Recording()
    return Watch(progress, Sheet(slots, recording), recording, trace, title, backend)

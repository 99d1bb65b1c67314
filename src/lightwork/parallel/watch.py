"""Who watches a call: its progress, its times, its trace; opened with the call, closed with it."""

import warnings
from typing import TYPE_CHECKING, NamedTuple

from .. import parallel
from ..errors import ParallelWarning
from ..system.tally import TALLY
from .progress import Progress
from .sheet import Sheet

if TYPE_CHECKING:
    from .report import Report
    from .trace import Recording

__all__ = ["Subject", "Watch", "watch"]


class Subject(NamedTuple):
    """What is watched."""

    title: str
    backend: str
    skips: bool
    """Whether results of failed tasks are left out."""

    waits_for_reader: bool
    """Whether the call stops while nobody takes results."""


class Watch:
    """The watchers of one call. To be closed once it has ended, however it did; twice does no harm."""

    def __init__(
        self,
        progress: Progress | None,
        sheet: Sheet,
        recording: "Recording | None",
        path: str | None,
        subject: Subject,
    ) -> None:
        self.progress = progress
        self.sheet = sheet
        self._recording = recording
        self._path = path
        self._subject = subject
        self._closed = False

    @property
    def is_close(self) -> bool:
        """Whether each task is looked at: more than the times of the call are asked for."""
        return self.progress is not None or self._recording is not None

    def report(self) -> "Report":
        """The times of the call as they are now."""
        _, backend, skips, waits_for_reader = self._subject
        return parallel.report.make_report(
            self.sheet, backend=backend, skips=skips, waits_for_reader=waits_for_reader
        )

    def close(self) -> None:
        """Stop the clock, draw the last state, write the trace (a warning if that cannot be)."""
        if self._closed:
            return
        self._closed = True
        self.sheet.end()
        if TALLY.is_on:
            self._tell()
        try:
            if self.progress is not None:
                self.progress.close()
        finally:
            recording, self._recording = self._recording, None
            if recording is not None and self._path is not None:
                self._write(self._path, recording)
            self.sheet.recording = None  # whoever asks for a report later needs none of it

    def _tell(self) -> None:
        seconds, accounts = self.sheet.settled()
        tasks, failed = sum(account.tasks for account in accounts), len(self.sheet.failed)
        TALLY.call(self._subject.title, workers=len(accounts), tasks=tasks, failed=failed, seconds=seconds)

    def _write(self, path: str, recording: "Recording") -> None:
        try:
            parallel.trace.write_trace(
                path, recording, began=self.sheet.began, title=self._subject.title, report=self.report()
            )
        except OSError as error:
            # The results are worth more than the picture of how they came about.
            warnings.warn(f"trace={path!r} cannot be written: {error}", ParallelWarning, stacklevel=2)


def watch(progress: Progress | None, slots: int, *, trace: str | None, subject: Subject) -> Watch:
    """Begin to watch a call with so many workers."""
    recording = None if trace is None else parallel.trace.Recording()
    return Watch(progress, Sheet(slots, recording), recording, trace, subject)

"""Where a command writes: results to standard output, complaints to standard error, colours if wanted."""

import io
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

__all__ = ["Terminal"]

_STYLES = {"bold": "1", "red": "31"}


class Terminal:
    """Two streams and what is known about them.

    Attributes
    ----------
    width
        Columns of the terminal, or ``None`` if results go to a file or a pipe, where no line is cut.
    """

    def __init__(
        self, out: TextIO | None, err: TextIO | None, environment: Mapping[str, str] = os.environ
    ) -> None:
        # A stream that was closed before the start (``>&-``) is ``None``: what is written to it is lost.
        self._out = out or io.StringIO()
        self._err = err or io.StringIO()
        is_terminal = self._out.isatty()
        # no-color.org: any text that is not empty
        self._coloured = is_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        self.width = shutil.get_terminal_size().columns if is_terminal else None
        for stream in (out, err):
            # A terminal that does not know a character shows its number; it is no reason to fail.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> None:
        """One or more lines of a result."""
        print(text, file=self._out)

    def write_json(self, document: Any) -> None:  # Any: what json takes
        """A result for programs: one document, ASCII only."""
        print(json.dumps(document, indent=2), file=self._out)

    def complain(self, text: str) -> None:
        """One line about what went wrong, whatever the text holds."""
        print(" ".join(text.split()), file=self._err)

    def styled(self, text: str, style: str) -> str:
        """The text in ``"bold"`` or ``"red"`` where colours are shown, else as it is."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self._coloured else text

    def abandon(self, error: OSError) -> None:
        """Give up on streams that cannot be written, and say so where that is still possible."""
        if not isinstance(error, BrokenPipeError):
            with suppress(OSError):
                self.complain(f"lightwork: the output cannot be written: {error}")
                self._err.flush()
        # Python flushes once more at its end, and would complain: give it something that can be written.
        for stream in (self._out, self._err):
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    def flush(self) -> None:
        """Hand over what was written; an error of the reader shows here."""
        self._out.flush()

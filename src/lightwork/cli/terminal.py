"""Where a command writes: results to standard output, complaints to standard error, colours if wanted."""

import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TextIO

from ..system.optional import installed
from .tables import Column, lines_of, widths_of

__all__ = ["Terminal"]

_STYLES = {"bold": "1", "red": "31", "yellow": "33", "green": "32"}


class Terminal:
    """Two streams and what is known about them.

    Attributes
    ----------
    width
        Columns of the terminal, or ``None`` if results go to a file or a pipe, where no line is cut.
    can_ask
        Whether somebody sits there who can answer a question.
    """

    def __init__(
        self,
        out: TextIO | None,
        err: TextIO | None,
        environment: Mapping[str, str] = os.environ,
        answers: TextIO | None = None,
    ) -> None:
        # A stream that was closed before the start (``>&-``) is ``None``: what is written to it is lost.
        self._out = out or io.StringIO()
        self._err = err or io.StringIO()
        self._answers = answers
        is_terminal = self._out.isatty()
        self.can_ask = answers is not None and answers.isatty() and self._err.isatty()
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

    def write_table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """A table: drawn by rich on a terminal where that is installed, else in plain columns."""
        rich: Any = installed("rich.table") if self._coloured else None  # Any: a library without types here
        if rich is None:
            head, *body = lines_of(columns, rows, self.width)
            self.write("\n".join([self.styled(head, "bold"), *body]))
            return
        table = rich.Table(box=None, pad_edge=False, header_style="bold")
        widths = widths_of(columns, rows)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(
                column.title,
                justify="right" if column.is_number else "left",
                no_wrap=True,
                overflow="ellipsis",
                min_width=width if width < max(widths) else None,  # what is longest gives way
            )
        plain: Any = installed("rich.text")  # Any: likewise
        for row in rows:
            table.add_row(*(plain.Text(cell) for cell in row))
        console: Any = installed("rich.console")  # Any: likewise
        console.Console(file=self._out, width=self.width).print(table)

    def complain(self, text: str) -> None:
        """One line about what went wrong, whatever the text holds."""
        print(" ".join(text.split()), file=self._err)

    def report(self, text: str) -> None:
        """Lines that are no result, beside the output of somebody else's program."""
        print(text, file=self._err)

    def report_json(self, document: Any) -> None:  # Any: what json takes
        """As `report`, for programs."""
        print(json.dumps(document, indent=2), file=self._err)

    def agrees(self, question: str) -> bool:
        """Whether whoever sits there types a yes. Only where `can_ask`."""
        print(f"{question} [y/N] ", end="", file=self._err, flush=True)
        answer = self._answers.readline() if self._answers is not None else ""
        return answer.strip().lower() in ("y", "yes")

    def styled(self, text: str, style: str) -> str:
        """The text in ``"bold"`` or a colour where colours are shown, else as it is."""
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

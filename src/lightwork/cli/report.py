"""``lightwork report``: a trace as one HTML file."""

import os
from argparse import ArgumentParser, Namespace

from .. import parallel
from ..errors import FileFormatError, InvalidOption
from .command import OK, USAGE, Command, Refusal
from .terminal import Terminal

__all__ = ["REPORT"]

DETAILS = """\
TRACE is a file that Parallel(..., trace="run.json") has written. The page needs no network: a timeline with
each task, where the time went, memory, the slowest calls, and what to do next.

examples:
  lightwork report run.json                 writes run.html
  lightwork report run.json -o today.html
"""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("trace", metavar="TRACE", help="the trace to read")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the page to write (default: TRACE with .html in place of its ending)",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON document: the path, the figures, the advice"
    )


def _run(given: Namespace, terminal: Terminal) -> int:
    output = given.output if given.output is not None else f"{os.path.splitext(given.trace)[0]}.html"
    if os.path.realpath(output) == os.path.realpath(given.trace):
        raise Refusal(f"{output!r} is the trace itself: name another file with -o", USAGE)
    try:
        title, report, lanes = parallel.traced.read_trace(given.trace)
    except FileFormatError as exc:
        raise Refusal(str(exc)) from exc
    except OSError as exc:
        raise Refusal(f"{given.trace!r} cannot be read: {exc.strerror or exc}") from exc
    try:
        parallel.picture.save_page(output, report, title=title, lanes=lanes)
    except InvalidOption as exc:
        raise Refusal(str(exc), USAGE) from exc
    except OSError as exc:
        raise Refusal(f"{output!r} cannot be written: {exc.strerror or exc}") from exc
    if given.json:
        told = {"tasks": report.tasks, "seconds": report.wall, "workers": report.n_jobs}
        phases = report.phases._asdict()
        terminal.write_json({"page": output, **told, "phases": phases, "advice": report.advice})
    else:
        terminal.write(f"{report}\n{output}")
    return OK


REPORT = Command(
    "report",
    "draw a trace of Parallel as one HTML file",
    DETAILS,
    _add_arguments,
    _run,
)

"""``lightwork report``: a trace as one HTML file."""

import os
from argparse import ArgumentParser, Namespace

from .. import parallel
from .command import OK, USAGE, Command, Refusal, add_json, refused_path
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
    add_json(parser, "the path of the page, figures of the call in seconds, the advice")


def _run(given: Namespace, terminal: Terminal) -> int:
    output = given.output if given.output is not None else f"{os.path.splitext(given.trace)[0]}.html"
    if os.path.realpath(output) == os.path.realpath(given.trace):
        raise Refusal(f"{output!r} is the trace itself: name another file with -o", USAGE)
    try:
        title, report, lanes = parallel.traced.read_trace(given.trace)
    except OSError as exc:
        raise refused_path(given.trace, exc) from exc
    try:
        parallel.picture.save_page(output, report, title=title, lanes=lanes)
    except OSError as exc:
        raise refused_path(output, exc, "written") from exc
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

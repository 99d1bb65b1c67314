"""``lightwork doctor``: what this machine gives, what it holds back, and what to do about it.

`measuring` looks, `findings` judges, this module shows.
"""

from argparse import ArgumentParser, Namespace

from ..command import FAILED, OK, USAGE, Command, Refusal, add_json
from ..terminal import Terminal
from .findings import PROBLEM, WARNING, Finding, judge
from .measuring import measure

__all__ = ["DOCTOR"]

DETAILS = """\
Looks at cores and their limits, memory, BLAS threads, /dev/shm, temporary space and the file system of the
cache, and measures the start of workers, hashing and the disk (a file of 64 MB in PATH, which is removed;
about three seconds in all). No cache is made. Exit code 1 if something does not work.

examples:
  lightwork doctor ~/.cache/my-project
  lightwork doctor --quick --json
"""

_STYLES = {WARNING: "yellow", PROBLEM: "red"}


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "path", metavar="PATH", nargs="?", default=".", help="where the cache is, or will be (default: .)"
    )
    parser.add_argument("--quick", action="store_true", help="start no worker, and write nothing")
    add_json(parser, "a list of findings, and all that was measured")


def _line(finding: Finding, terminal: Terminal) -> str:
    head = terminal.styled(f"{finding.level:<8}", _STYLES.get(finding.level, "green"))
    lines = [f"{head}{finding.topic:<12}{finding.found}"]
    if finding.advice:
        lines.append(f"{'':<20}{finding.advice}")
    return "\n".join(lines)


def _run(given: Namespace, terminal: Terminal) -> int:
    if not given.path or "\0" in given.path:
        raise Refusal(f"{given.path!r} is no path", USAGE)
    measured = measure(given.path, quick=given.quick)
    findings = judge(measured)
    if given.json:
        listed = [finding._asdict() for finding in findings]
        inner = {name: getattr(measured, name)._asdict() for name in ("temporary", "cache", "speeds")}
        terminal.write_json({"findings": listed, "measured": {**measured._asdict(), **inner}})
    else:
        terminal.write("\n".join(_line(finding, terminal) for finding in findings))
    return FAILED if any(finding.level == PROBLEM for finding in findings) else OK


DOCTOR = Command(
    "doctor", "what this machine gives, holds back, and what to do", DETAILS, _add_arguments, _run
)

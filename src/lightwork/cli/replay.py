"""``lightwork replay``: a task that failed, run again in this process."""

import contextlib
import pdb
import sys
import time
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from ..parallel import Capsule, read_capsule
from ..parallel.capsules import message_of
from .command import FAILED, OK, Command, Refusal, add_json, refused_path
from .frames import is_ours, own_frames
from .naming import error_text
from .terminal import Terminal

__all__ = ["REPLAY"]

DETAILS = """\
CAPSULE is a file that Parallel(save_failures=FOLDER) has written. The task runs in this process, with the
arguments and the random numbers (seed=) that it had. Exit code 0 if it ends well this time, 1 if it fails
again.

examples:
  lightwork replay failures/20260101-120000-task-17-1f2e3d.lw
  lightwork replay CAPSULE --pdb        the debugger, where it fails
  lightwork replay CAPSULE --show       what is known of it; nothing is run or unpickled

To run a task is to run what the file says: replay only what you trust. Modules are looked for where the
program that wrote it looked: in its working directory, and beside its script.
"""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("capsule", metavar="CAPSULE", help="a file in the folder of save_failures=")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--pdb", action="store_true", help="where it fails again, enter the debugger")
    what.add_argument("--show", action="store_true", help="tell what failed and how, and run nothing")
    add_json(parser, "what failed, how, and how the task ends now")


def _run(given: Namespace, terminal: Terminal) -> int:
    try:
        capsule = read_capsule(given.capsule)
    except OSError as exc:
        raise refused_path(given.capsule, exc) from exc
    told = _told(capsule)
    if not given.json:
        terminal.write("\n".join(_lines(capsule)))
    if given.show:
        if given.json:
            terminal.write_json(told)
        else:
            terminal.write(capsule.traceback.rstrip())
        return OK
    sys.path += [folder for folder in capsule.folders if folder not in sys.path]
    try:
        task = capsule.task()
    except Exception as exc:  # unpickling runs what the file says
        raise Refusal(f"the task cannot be built here: {error_text(exc)}") from exc
    terminal.flush()
    begin = time.perf_counter()
    # With --json standard output is for the document: what the task prints goes beside it.
    with contextlib.redirect_stdout(sys.stderr) if given.json else contextlib.nullcontext():
        error = _error_of(lambda: capsule.run(task), debugs=given.pdb)
    seconds = time.perf_counter() - begin
    if given.json:
        terminal.write_json(
            {**told, "error_now": None if error is None else message_of(error), "seconds": seconds}
        )
    elif error is None:
        terminal.write(terminal.styled(f"it ended well this time, after {seconds:.3g} s", "green"))
    else:
        terminal.write("".join(traceback.format_exception(error)).rstrip())
        again = "the same" if message_of(error) == capsule.error else "another"
        terminal.write(terminal.styled(f"it failed again, with {again} error, after {seconds:.3g} s", "red"))
    return OK if error is None else FAILED


def _error_of(run: Callable[[], object], *, debugs: bool) -> BaseException | None:
    """The error that the task raises now, its traceback without what is ours."""
    try:
        run()
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # noqa: BLE001 - whatever the task raises is the answer
        found = exc.with_traceback(own_frames(exc, is_ours))
        if debugs:
            pdb.post_mortem(found.__traceback__)
        return found
    return None


def _told(capsule: Capsule) -> dict[str, Any]:  # Any: what json takes
    names = ("index", "call", "error", "traceback", "written", "versions", "seed", "folders")
    return {name: getattr(capsule, name) for name in names}


def _lines(capsule: Capsule) -> list[str]:
    written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(capsule.written))
    versions = ", ".join(f"{name} {version}" for name, version in capsule.versions.items())
    return [capsule.call, f"failed    {written}: {capsule.error}", f"versions  {versions}"]


REPLAY = Command(
    "replay", "run a task again that failed in Parallel(save_failures=)", DETAILS, _add_arguments, _run
)

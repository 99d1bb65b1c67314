"""``lightwork run`` and ``lightwork compat``: a program with lightwork for joblib, and what came of it."""

import argparse
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from importlib.util import find_spec
from typing import Any

from ..compat import install
from ..compat.program import run_module, run_script
from ..memory.entries import stats_of
from ..memory.keeper import Keeper
from ..system.tally import TALLY, Tally
from ..system.units import counted, duration, size
from .command import FAILED, OK, USAGE, Command, Refusal, add_json
from .frames import is_ours, own_frames
from .naming import error_text
from .terminal import Terminal

__all__ = ["COMPAT", "RUN"]

_WHAT = """\
Runs a program as Python would, so that `import joblib` gives lightwork, in it, in the libraries that it
uses, and in the workers of its parallel calls. Its exit code is that of the program."""

RUN_DETAILS = f"""\
{_WHAT} A report on standard error tells at the end what was
remembered and what was shared out. Worker processes are not part of it.

examples:
  lightwork run train.py --epochs 3
  lightwork run -m pytest tests
  lightwork run --no-alias program.py      joblib stays joblib
"""

COMPAT_DETAILS = f"""\
{_WHAT}

examples:
  lightwork compat train.py --epochs 3
  lightwork compat -m pytest tests

`python -m lightwork.compat` does the same.
"""

_SHOWN = 10
_INTERRUPTED = 130


def _add_program(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-m",
        dest="module",
        nargs=argparse.REMAINDER,
        metavar="MODULE",
        help="run a module, with all arguments that follow",
    )
    parser.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="SCRIPT ...",
        help="run a script, with all arguments that follow",
    )


def _add_run(parser: ArgumentParser) -> None:
    parser.add_argument("--no-alias", action="store_true", help="let `import joblib` give joblib")
    add_json(parser, "the report, on standard error")
    _add_program(parser)


def _add_compat(parser: ArgumentParser) -> None:
    # Refused in so many words: the output is that of the program.
    parser.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    _add_program(parser)


def _run(given: Namespace, terminal: Terminal) -> int:
    _check(given)
    TALLY.begin()
    begin, spent = time.perf_counter(), _cpu_seconds()
    code = _program(given, alias=not given.no_alias)
    figures = _figures(TALLY, time.perf_counter() - begin, _cpu_seconds() - spent)
    if given.json:
        terminal.report_json(figures)
    else:
        terminal.report("\n".join(_lines(figures)))
    return code


def _compat(given: Namespace, terminal: Terminal) -> int:
    if given.json:
        raise Refusal("--json is for `lightwork run`, which tells what came of a program", USAGE)
    _check(given)
    return _program(given, alias=True)


def _check(given: Namespace) -> None:
    """Refuse what is no program before anything is changed."""
    if given.module is not None:
        if not given.module:
            raise Refusal("-m needs the name of a module", USAGE)
        sys.path.insert(0, os.getcwd())
        try:
            found = find_spec(given.module[0])
        except (ImportError, ValueError) as exc:
            raise Refusal(f"-m {given.module[0]}: {error_text(exc)}", USAGE) from exc
        finally:
            del sys.path[0]
        if found is None:
            raise Refusal(f"-m {given.module[0]}: there is no module of that name", USAGE)
    elif not given.program:
        raise Refusal("give a script, or -m MODULE", USAGE)
    elif given.program[0].startswith("-"):
        raise Refusal(f"no option {given.program[0]}: options of Python itself are given to python -m", USAGE)
    elif not os.path.exists(given.program[0]):
        raise Refusal(f"{given.program[0]!r} does not exist", USAGE)
    elif os.path.isdir(given.program[0]) and not os.path.exists(
        os.path.join(given.program[0], "__main__.py")
    ):
        raise Refusal(f"{given.program[0]!r} is a folder without a __main__.py", USAGE)


def _program(given: Namespace, *, alias: bool) -> int:
    """Run the program; its exit code. What it raises is shown as Python shows it."""
    try:
        if alias:
            install()
        if given.module is not None:
            run_module(given.module[0], given.module[1:])
        else:
            run_script(given.program[0], given.program[1:])
    except SystemExit as exc:
        if exc.code is None or isinstance(exc.code, int):
            return exc.code or OK
        print(exc.code, file=sys.stderr)
        return FAILED
    except BaseException as exc:  # noqa: BLE001 - a program may end with anything
        own = exc.with_traceback(own_frames(exc, _is_outer))
        sys.excepthook(type(own), own, own.__traceback__)
        return _INTERRUPTED if isinstance(exc, KeyboardInterrupt) else FAILED
    finally:
        if sys.stdout is not None:  # it was closed before the start
            sys.stdout.flush()
    return OK


def _is_outer(frame: Any) -> bool:  # Any: a traceback
    name = str(frame.tb_frame.f_globals.get("__name__", ""))
    return is_ours(frame) or name == "runpy" or "runpy" in frame.tb_frame.f_code.co_filename


def _cpu_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _figures(tally: Tally, seconds: float, cpu: float) -> dict[str, Any]:  # Any: what json takes
    functions = {name: counts._asdict() for name, counts in tally.cached.items()}
    stores = []
    for keeper in tally.held:
        if not isinstance(keeper, Keeper):
            continue
        found = stats_of(keeper)
        stores.append({"store": repr(keeper.store), "results": found.records, "nbytes": found.nbytes})
        for name, counts in found.functions.items():
            told = {field: getattr(counts, field) for field in ("hits", "misses", "seconds", "saved")}
            functions[name] = {**told, "causes": dict(counts.causes)}
    calls = sorted(tally.calls, key=lambda call: -call.seconds)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "functions": functions,
        "stores": stores,
        "calls": [call._asdict() for call in calls[:_SHOWN]],
        "parallel": {
            "calls": len(calls),
            "tasks": sum(call.tasks for call in calls),
            "failed": sum(call.failed for call in calls),
            "seconds": sum(call.seconds for call in calls),
        },
    }


def _lines(figures: dict[str, Any]) -> list[str]:  # Any: what json takes
    took, cpu = duration(figures["seconds"]), duration(figures["cpu_seconds"])
    functions = sorted(figures["functions"].items(), key=lambda item: -item[1].get("saved", 0.0))
    lines = [f"   remembered  {name}: {_counts(counts)}" for name, counts in functions[:_SHOWN]]
    for store in figures["stores"]:
        kept = f"{counted(store['results'], 'result')}, {size(store['nbytes'])}"
        lines.append(f"   kept        {kept} in {store['store']}")
    together = figures["parallel"]
    if together["calls"]:
        many = f"{counted(together['tasks'], 'task')} of {counted(together['calls'], 'call')}"
        failed = f", {together['failed']} failed" if together["failed"] else ""
        lines.append(f"   shared out  {many}{failed}, in {duration(together['seconds'])}")
        longest = figures["calls"][0]
        time_of_it = duration(longest["seconds"])
        lines.append(f"   longest     {longest['name']}: {counted(longest['tasks'], 'task')} in {time_of_it}")
    return [
        f"-- lightwork: {took}, {cpu} of processors",
        *(lines or ["   nothing was remembered or shared out"]),
    ]


def _counts(counts: dict[str, Any]) -> str:  # Any: as above
    saved = f", saved {duration(counts['saved'])}" if counts.get("saved") else ""
    spent = f" in {duration(counts['seconds'])}" if counts["misses"] else ""
    return f"{counted(counts['hits'], 'hit')}{saved}; {counts['misses']} computed{spent}"


RUN = Command("run", "run a program with lightwork for joblib, and report", RUN_DETAILS, _add_run, _run)
COMPAT = Command("compat", "run a program with lightwork for joblib", COMPAT_DETAILS, _add_compat, _compat)

"""A program that runs as Python itself would run it."""

import os
import runpy
import sys
from collections.abc import Sequence

__all__ = ["run_module", "run_script"]


def run_script(path: str, arguments: Sequence[str]) -> None:
    """Run a script as ``python path ...``. Errors of it, `SystemExit` too, pass through."""
    sys.argv[:] = [path, *arguments]
    if not sys.flags.safe_path:  # then Python has put the folder of this process there
        sys.path[0] = os.path.dirname(os.path.abspath(path))
    runpy.run_path(path, run_name="__main__")


def run_module(name: str, arguments: Sequence[str]) -> None:
    """Run a module as ``python -m name ...``. Errors of it, `SystemExit` too, pass through."""
    sys.argv[:] = [name, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd()
    runpy.run_module(name, run_name="__main__", alter_sys=True)

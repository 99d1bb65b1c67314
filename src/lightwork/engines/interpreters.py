"""How another interpreter is started so that it is like this one, and knows lightwork."""

import os
import sys
from typing import Final

from ..errors import EngineError

__all__ = ["check", "command", "variables"]

_FLAGS: Final = {
    "debug": "-d",
    "dont_write_bytecode": "-B",
    "optimize": "-O",
    "bytes_warning": "-b",
    "ignore_environment": "-E",
    "no_user_site": "-s",
    "isolated": "-I",
}
"""Interpreter flags that a worker shares with its parent, and their letters."""


def check() -> None:
    """Raise `EngineError` if this interpreter cannot be started a second time."""
    if not sys.executable or getattr(sys, "frozen", False):
        raise EngineError(
            "worker processes need a Python interpreter that can be started again, and this one is frozen "
            "or embedded (sys.executable is missing): use backend='threads'"
        )


def command(code: str) -> list[str]:
    """What starts an interpreter that runs `code`, which may import lightwork, and nothing else."""
    # -P -S: neither the current folder nor site-packages can shadow a module of the standard library, and
    # nothing is imported that we do not import. Ours are looked for last; workers get the parent's path.
    roots = [_folder_of_package()]
    roots += [path for path in sys.path if path and path not in roots and "-packages" in path]
    return [sys.executable, "-P", "-S", *_flags(), "-c", f"import sys; sys.path += {roots!r}; {code}"]


def variables() -> dict[str, str]:
    """This process's variables, but for those that would change how another interpreter starts."""
    dropped = ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONINSPECT")
    return {name: value for name, value in os.environ.items() if name not in dropped}


def _folder_of_package() -> str:
    """Where ``import lightwork`` finds the package: two folders above the one of this file."""
    folder = os.path.abspath(__file__)
    for _ in range(3):
        folder = os.path.dirname(folder)
    return folder


def _flags() -> list[str]:
    flags = [letter for name, letter in _FLAGS.items() for _ in range(int(getattr(sys.flags, name)))]
    for name, value in sys._xoptions.items():
        flags += ["-X", name if value is True else f"{name}={value}"]
    for option in sys.warnoptions:
        # A category of the user's own would be imported before anything can be found; it is left out.
        if "." not in option:
            flags += ["-W", option]
    return flags

"""The command ``lightwork``: what the library can do, from a shell.

One module per subcommand, each with a `Command` (`command.py` says what that is), a package per `Group` of
them. `main` imports what was asked for, reads the arguments, and turns errors into one line and an exit code.
Subcommands compute and return text or JSON; only `terminal` writes.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import bench, cache, completion, convert, doctor, file, hash, replay, report, run
    from .main import main

__all__ = [
    "bench",
    "cache",
    "completion",
    "convert",
    "doctor",
    "file",
    "hash",
    "main",
    "replay",
    "report",
    "run",
]

__getattr__ = on_first_use(
    __name__,
    parts=["bench", "cache", "completion", "convert", "doctor", "file", "hash", "replay", "report", "run"],
    names={"main": "main"},
)

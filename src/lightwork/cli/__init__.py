"""The command ``lightwork``: what the library can do, from a shell.

One module per subcommand, each with a `Command` that `main` is given (`command.py` says what that is); `main`
reads the arguments and turns errors into one line and an exit code. Subcommands compute and return text or
JSON; only `terminal` writes.
"""

from .main import main

__all__ = ["main"]

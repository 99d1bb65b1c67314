"""``python -m lightwork.compat script.py ...`` or ``-m module ...``: a program, with lightwork for joblib."""

import os
import runpy
import sys

from .alias import install

_USAGE = """usage: python -m lightwork.compat [-m MODULE | SCRIPT] [ARGUMENT ...]

Run a program so that `import joblib` gives it lightwork, here and in the workers of its Parallel calls.

  python -m lightwork.compat train.py --epochs 3
  python -m lightwork.compat -m pytest tests
"""


def main(arguments: list[str]) -> None:
    """Run the program that the arguments name, as Python itself would run it."""
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_USAGE)
        raise SystemExit(0 if arguments else 2)
    install()
    if arguments[0] == "-m":
        if len(arguments) < 2:
            sys.stderr.write("python -m lightwork.compat: -m needs the name of a module\n")
            raise SystemExit(2)
        sys.argv[:] = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    if arguments[0].startswith("-"):
        sys.stderr.write(
            f"python -m lightwork.compat: no option {arguments[0]}: give Python's own before -m\n"
        )
        raise SystemExit(2)
    sys.argv[:] = arguments
    if not sys.flags.safe_path:  # then Python has put the folder of this process there
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])

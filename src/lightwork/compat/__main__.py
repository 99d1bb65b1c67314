"""``python -m lightwork.compat script.py ...`` or ``-m module ...``: a program, with lightwork for joblib."""

import sys

from .alias import install
from .program import run_module, run_script

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
        run_module(arguments[1], arguments[2:])
        return
    if arguments[0].startswith("-"):
        sys.stderr.write(
            f"python -m lightwork.compat: no option {arguments[0]}: give Python's own before -m\n"
        )
        raise SystemExit(2)
    run_script(arguments[0], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])

"""A script as its functions know it: the module `__main__`, without the block that does the script's work."""

import ast
import os
import sys
from types import ModuleType

from .command import USAGE, Refusal, refused_path

__all__ = ["is_script", "load_script"]

_MARK = "__main__ "


def is_script(name: str) -> bool:
    """Whether a name means a file, written as a path, or as `cache ls` shows it (``__main__ PATH``)."""
    return name.startswith(_MARK) or name.endswith(".py") or os.sep in name


def load_script(name: str) -> ModuleType:
    """The script as the `__main__` of this process, since its functions are named by that and by its file.

    What stands under ``if __name__ == "__main__":`` is left out; all else runs. Its errors pass through.

    Raises
    ------
    Refusal
        There is no such file, or it is not Python.
    """
    path = os.path.realpath(os.path.expanduser(name.removeprefix(_MARK)))
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read(), path)
    except OSError as exc:
        raise refused_path(path, exc) from exc
    except (SyntaxError, ValueError) as exc:
        raise Refusal(f"{path!r} is no Python script: {exc}", USAGE) from exc
    tree.body = [each for statement in tree.body for each in _without_work(statement)]
    module = ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    sys.path.insert(0, os.path.dirname(path))
    exec(compile(tree, path, "exec", dont_inherit=True), vars(module))
    return module


def _without_work(statement: ast.stmt) -> list[ast.stmt]:
    """A statement, or what of it a module that is imported would run."""
    if isinstance(statement, ast.If) and isinstance(statement.test, ast.Compare):
        compared = [statement.test.left, *statement.test.comparators]
        names = {each.id if isinstance(each, ast.Name) else getattr(each, "value", None) for each in compared}
        if names == {"__name__", "__main__"} and isinstance(statement.test.ops[0], ast.Eq):
            return statement.orelse
    return [statement]

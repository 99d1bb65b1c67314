"""What stands under which name in pickles: joblib's names there, wherever the face is imported from.

Files then can be read by joblib and by lightwork, whether `install` was called or not.
"""

import importlib.util

__all__ = ["name_here", "name_in_files"]

_NAME = "joblib"
_FACE = "lightwork.compat.joblib"
# Where scikit-learn had a copy of joblib until 0.22.
_OLD_HOME = "sklearn.externals.joblib"


def name_in_files(module: str) -> str | None:
    """The name in joblib of a module of the face; ``None`` for every other module."""
    return _NAME + module.removeprefix(_FACE) if _is_in(module, _FACE) else None


def name_here(module: str, name: str) -> tuple[str, str]:
    """The module of the face that a name in a file means, and the name in it.

    Modules that the face does not have, such as joblib's own tests, are left as they are.
    """
    for home in (_NAME, _OLD_HOME):
        if _is_in(module, home):
            face = _FACE + module.removeprefix(home)
            return (face, name) if _exists(face) else (module, name)
    return module, name


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it would be in is not there
        return False

"""Packages that were installed: whose code is a project of the user's, and which versions the others have."""

import os
import sys
from functools import lru_cache
from typing import Any, NamedTuple

from ..system.optional import on_demand
from .library import is_library, is_library_file

__all__ = ["Installed", "installed_library"]


class Installed(NamedTuple):
    """A library whose code never changes without its version."""

    package: str
    """Its top-level module."""

    version: str
    """With the origin, if that is an archive or a repository: two builds of one version may differ."""


def installed_library(module_name: object) -> Installed | None:
    """The library that a module belongs to; ``None`` if its code is the user's, or of the standard library.

    What pip has installed from a folder (``pip install .``, PEP 610) is a project of the user's, which
    changes without a new version, wherever it lies. (What conda has installed names a folder too: where it
    was built.)
    """
    if not isinstance(module_name, str) or not is_library(module_name):
        return None
    package = module_name.partition(".")[0]
    module = sys.modules.get(package)
    file = getattr(module, "__file__", None)
    if file is None or not is_library_file(file) or package in sys.stdlib_module_names:
        return None
    origin = _origins(_place_of(file)).get(package, "")
    return None if origin == _FOLDER else Installed(package, f"{_version(package, module)}{origin}")


_FOLDER = "folder"


def _place_of(file: str) -> str:
    """The folder into which a package was installed; `file` is its ``__init__.py``, or its only module."""
    folder, name = os.path.split(os.path.realpath(file))
    return os.path.dirname(folder) if name.startswith("__init__.") else folder


def _version(package: str, module: Any) -> str:  # Any: a module
    told = getattr(module, "__version__", None)
    if isinstance(told, str):
        return told
    metadata = on_demand("importlib.metadata")
    names = metadata.packages_distributions().get(package, [])  # reads all records: 0.1 s
    return ", ".join(sorted(f"{name} {metadata.version(name)}" for name in set(names)))


@lru_cache(maxsize=16)
def _origins(place: str) -> dict[str, str]:
    """Packages in a folder that did not come from an index: `_FOLDER`, or what says which build it was."""
    found = {}
    try:
        names = [name for name in os.listdir(place) if name.endswith(".dist-info")]
    except OSError:
        return {}
    for name in names:
        folder = os.path.join(place, name)
        told = _read(os.path.join(folder, "direct_url.json"))
        if told and _read(os.path.join(folder, "INSTALLER")).strip() != "conda":
            found.update(dict.fromkeys(_packages(folder), _origin(told)))
    return found


def _origin(told: str) -> str:
    try:
        facts = on_demand("json").loads(told)
    except ValueError:
        return _FOLDER
    build = facts.get("vcs_info", {}).get("commit_id") or facts.get("archive_info", {}).get("hash")
    return f" {build}" if build else _FOLDER


def _packages(folder: str) -> set[str]:
    """The top-level modules of a distribution, by the list of its files."""
    lines = _read(os.path.join(folder, "RECORD")).splitlines()
    return {line.partition(",")[0].partition("/")[0].removesuffix(".py") for line in lines}


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""

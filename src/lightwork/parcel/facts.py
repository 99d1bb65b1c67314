"""What a file tells about itself: what wrote it, and which types are in it."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from .._version import __version__
from ..system.optional import loaded

__all__ = ["facts_about", "here"]

_TYPES_NAMED = 200
_OF_NO_INTEREST = ("builtins.", "lightwork.parcel.", "numpy.dtypes.")


def facts_about(types: Iterable[type]) -> dict[str, Any]:  # Any: JSON
    """The facts to be kept with a value that consists of these types.

    Versions of lightwork, Python and the packages that the types come from (as far as these tell), the
    platform, and the names of the types: the first 200 in alphabetical order.
    """
    names = sorted({f"{kind.__module__}.{kind.__qualname__}" for kind in types})
    names = [name for name in names if not name.startswith(_OF_NO_INTEREST)]
    packages = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    return {**_interpreter(), "packages": _versions(packages), "types": names[:_TYPES_NAMED]}


def here(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts for this process, as far as the packages are loaded."""
    return {**_interpreter(), "packages": _versions(facts.get("packages", ()))}


def _interpreter() -> dict[str, str]:
    return {
        "lightwork": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "platform": sys.platform,
        "byteorder": sys.byteorder,
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    versions = {package: getattr(loaded(package), "__version__", None) for package in sorted(packages)}
    return {package: version for package, version in versions.items() if isinstance(version, str)}

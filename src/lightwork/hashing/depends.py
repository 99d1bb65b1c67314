"""``depends_on=``: what the result of a function depends on beside its arguments and the code it names."""

from collections import ChainMap
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, TypeAlias

from ..errors import InvalidOption
from ..system.optional import on_demand
from .digests import BLAKE3
from .files import File
from .fingerprints import Tracker
from .names import function_name
from .values import token_of
from .walk import frame

__all__ = ["Dependency", "DependsOn"]

Dependency: TypeAlias = "Callable[..., Any] | File | str"
"""A function or class, whose code is followed; a file; the name of an installed package, for its version."""

_INSIDE: ContextVar[frozenset[int]] = ContextVar("lightwork_depends_on", default=frozenset())


class DependsOn:
    """The dependencies of one function, in any order.

    Parameters
    ----------
    given
        Functions, classes, `File` objects and names of installed packages (distributions).
    user_code
        As for `CallKeys`.

    Raises
    ------
    InvalidOption
        Something else was given, or no such package is installed.
    """

    __slots__ = ("_fixed", "_trackers", "files", "given", "packages")

    def __init__(self, given: Iterable[Dependency], user_code: tuple[str, ...]) -> None:
        self.given = tuple(given)
        self._trackers: list[Tracker] = []
        self.files: list[File] = []
        self.packages: list[tuple[str, str]] = []
        for each in self.given:
            if isinstance(each, File):
                self.files.append(each)
            elif isinstance(each, str):
                self.packages.append((each, _version_of(each)))
            elif callable(each):
                self._trackers.append(Tracker(each, track="deep", user_code=user_code))
            else:
                raise InvalidOption(
                    f"depends_on has {each!r}: give functions, lightwork.File(path), names of packages"
                )
        self._fixed = [token_of(package, path="depends_on") for package in self.packages]

    def token(self) -> bytes:
        """What stands for all of them as they are now; constant inside itself (two may depend on each other).

        Raises
        ------
        OSError
            A file is missing or cannot be read.
        """
        inside = _INSIDE.get()
        if id(self) in inside:
            return b"@"
        reset = _INSIDE.set(inside | {id(self)})
        try:
            files = [token_of(file, path=f"depends_on {file!r}") for file in self.files]
            code = [tracker.fingerprint() for tracker in self._trackers]
        finally:
            _INSIDE.reset(reset)
        return BLAKE3.of(frame(b"depends", sorted([*files, *code, *self._fixed])))

    def __cache_key__(self) -> bytes:
        """For keys of functions that use the one which depends on these."""
        return self.token()

    def parts(self) -> dict[str, bytes]:
        """The tokens of all of them by their names, as they are now."""
        files = {f"depends_on {file!r}": token_of(file, path="depends_on") for file in self.files}
        packages = {f"the package {name}": version.encode() for name, version in self.packages}
        return dict(ChainMap(files, packages, *[tracker.parts() for tracker in self._trackers]))

    def __str__(self) -> str:
        """All of them by name, as a list."""
        names = [str(each) if isinstance(each, File | str) else function_name(each) for each in self.given]
        return f"[{', '.join(names)}]"

    def texts(self) -> list[str]:
        """One line for each, for people."""
        lines = []
        for tracker in self._trackers:
            lines += tracker.dependencies().tracked
        lines += [f"{file.path} (a file, by {file.by})" for file in self.files]
        return lines + [f"{name} {version} (an installed package)" for name, version in self.packages]


def _version_of(package: str) -> str:
    metadata = on_demand("importlib.metadata")  # 15 ms, and few functions depend on packages
    try:
        version: str = metadata.version(package)
    except metadata.PackageNotFoundError:
        raise InvalidOption(
            f"depends_on names the package {package!r}, which is not installed: give the name that pip uses, "
            f"or lightwork.File({package!r}) for a file of that name"
        ) from None
    return version

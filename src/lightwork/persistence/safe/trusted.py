"""What the caller trusts by name: libraries whose classes are imported and built as an ordinary load does.

Of a trusted library classes may be called, and the functions that it rebuilds its own objects with. Its other
functions may be values; to be called they must be trusted by their full names, since they may do anything:
fetch files, read files, run what they are told.
"""

import re
import sys
from collections.abc import Collection
from typing import Any

from ...errors import InvalidOption, UnsafeFileError
from ...system.optional import imported
from .constructors import Constructor
from .scan import Name

# Any: objects of the libraries that the caller trusts.
__all__ = ["Trusted", "checked_names"]

# Functions that libraries rebuild their own objects with: Cython's, and what they are usually called.
_REBUILDS = re.compile(r"newObj|__\w+_ctor|_+(pyx_unpickle|unpickle|reconstruct|rebuild|restore)\w*")


def checked_names(trusted: Any) -> tuple[str, ...]:  # Any: it is checked here
    """The names in `trusted`: of packages, modules or types.

    Raises
    ------
    InvalidOption
        No list of dotted names.
    """
    if isinstance(trusted, str | bytes) or not isinstance(trusted, Collection):
        raise InvalidOption(
            f'trusted={trusted!r} is no list of names: write trusted=["sklearn"], for example'
        )
    for name in trusted:
        if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
            raise InvalidOption(
                f'trusted has {name!r}, which is not the name of a package ("sklearn") or a type '
                '("package.module.Class")'
            )
    return tuple(trusted)


class Trusted:
    """The trust of one load, and what was made on the strength of it."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = tuple(names)
        self._found: dict[int, Any] = {}  # by id; kept, so that ids stay theirs

    def admits(self, name: Name) -> bool:
        """Whether `name` lies in what is trusted. Imports nothing."""
        return self._covers(str(name)) and "<" not in str(name)

    def _covers(self, path: str) -> bool:
        return any(path == name or path.startswith(f"{name}.") for name in self._names)

    def owns(self, value: Any) -> bool:
        """Whether `value` is what a trusted name stands for."""
        return id(value) in self._found

    def constructor(self, name: Name) -> Constructor:
        """What stands for a trusted name, which is imported now.

        Raises
        ------
        UnsafeFileError
            The name is only borrowed: what it stands for comes from a library that is not trusted.
        ImportError, AttributeError
            As from an ordinary load.
        """
        if not self.admits(name):  # the scan has seen to that; what is imported is worth a second look
            raise UnsafeFileError(f"{name} is not trusted")
        value: Any = imported(name.module)
        for part in name.name.split("."):
            value = getattr(value, part)
        home = f"{getattr(value, '__module__', None)}.{getattr(value, '__qualname__', None)}"
        if not callable(value) or not self._covers(home):
            raise UnsafeFileError(f"{name} is {home}, which is not trusted")
        self._found[id(value)] = value
        is_class = isinstance(value, type)
        may_call = is_class or _REBUILDS.fullmatch(name.name) is not None or str(name) in self._names
        return Constructor(value, value if may_call else None, _new(value) if is_class else None)

    def _check(self, target: Any, purpose: str) -> None:
        kind = type(target)
        if isinstance(target, type) or not self._covers(f"{kind.__module__}.{kind.__qualname__}"):
            raise UnsafeFileError(f"it {purpose} a {kind.__qualname__}, which is no trusted type")

    def extend(self, target: Any, items: list[Any]) -> None:
        """Add items to a list-like object."""
        self._check(target, "adds items to")
        target.extend(items)

    def update(self, target: Any, keys: list[Any], values: list[Any]) -> None:
        """Add items to a dict-like object."""
        self._check(target, "adds items to")
        for key, value in zip(keys, values, strict=True):
            target[key] = value

    def set_state(self, target: Any, state: Any) -> None:
        """What unpicklers do with a state."""
        self._check(target, "sets the state of")
        own = getattr(target, "__setstate__", None)
        if own is not None:
            own(state)
            return
        slots = None
        if type(state) is tuple and len(state) == 2:
            state, slots = state
        for name, value in (state or {}).items():
            target.__dict__[sys.intern(name)] = value
        for name, value in (slots or {}).items():
            if name.startswith("__"):
                raise UnsafeFileError(f"it sets {name} of a {type(target).__qualname__}")
            setattr(target, name, value)


def _new(kind: type) -> Any:
    return lambda *arguments, **keywords: kind.__new__(kind, *arguments, **keywords)

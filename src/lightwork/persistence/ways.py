"""The two ways of reading a file: as one that is trusted, or as that of a stranger."""

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from .. import persistence
from ..errors import InvalidOption
from .mapping import Join, join_trusted
from .renames import Rename

if TYPE_CHECKING:
    from ..parcel.reader import Guard

__all__ = ["Way", "chosen_way"]


class Way(NamedTuple):
    """How one file is read."""

    guards: "tuple[Guard, ...]"
    """Who watches over the reading: nobody, or one."""

    join: Join
    rename: Rename | None = None


TRUSTED = Way((), join_trusted(None))


def chosen_way(safe: bool, trusted: Collection[str], rename: Rename | None = None) -> Way:
    """What `safe` and `trusted` ask for, and new names, which are those to be trusted. For one file.

    Raises
    ------
    InvalidOption
        They are not what they should be, or names are trusted and ``safe`` is not asked for.
    """
    if not isinstance(safe, bool):
        raise InvalidOption(f"safe={safe!r} is not possible: give True or False")
    if safe:
        guard = persistence.safe.Guard(trusted, rename)
        return Way((guard,), guard.join)
    if trusted:
        raise InvalidOption(f"trusted={trusted!r} needs safe=True: without it everything is trusted")
    return TRUSTED if rename is None else Way((), join_trusted(rename), rename)

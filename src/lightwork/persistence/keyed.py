"""`load(path, keys=...)`: some parts of a file."""

from collections.abc import Iterable
from typing import Any

from .. import parcel
from ..errors import InvalidOption
from .access import Access, access
from .joining import Wanted
from .views import Parts, entries_of, type_name

__all__ = ["load_keys"]

_TABLES = ("pandas", "polars", "pyarrow", "xarray")  # what they are made of is no key that anybody has given


# Any: the user's keys and values.
def load_keys(path: str | None, keys: Iterable[Any], wanted: Wanted) -> dict[Any, Any]:
    """The values under these keys. What two of them share is loaded as one."""
    if path is None:
        raise InvalidOption("keys= needs a path: a stream has to be loaded whole")
    if wanted.mmap_mode is not None:
        raise InvalidOption(
            f"keys= and mmap_mode={wanted.mmap_mode!r} exclude each other: lightwork.open reads parts"
        )
    if wanted.way.guards:
        # Where the parts are is known from an outline, which the C unpickler makes: it hashes the keys of a
        # stranger before anybody has looked at what that takes.
        raise InvalidOption("keys= and safe=True exclude each other: load the whole file, and take from it")
    if isinstance(keys, str | bytes):
        raise InvalidOption(f"keys={keys!r} is one key: give a list of them, keys=[{keys!r}]")
    names = list(keys)
    opened, file = access(path, wanted)
    _check_kind(opened)
    parts = Parts(opened, opened.outline)
    try:
        found = [parts.part(key) for key in names]
    except KeyError as exc:
        raise InvalidOption(f"keys={names!r}: {exc.args[0]}") from None
    values = opened.load(found)
    file.close()
    return dict(zip(names, values, strict=True))


def _check_kind(opened: Access) -> None:
    """Refuse what has no parts that a user knows."""
    part, name = opened.outline, repr(opened.path)
    known = "keys= are of a dictionary, list or object"
    if parcel.outline.array_at(part) is not None:
        raise InvalidOption(
            f"{known}, and {name} holds an array: lightwork.open({name})[0] "
            'reads a row, load(..., mmap_mode="r") maps it'
        )
    kind = type_name(part)
    if kind.partition(".")[0] in _TABLES:
        raise InvalidOption(
            f"{known}, and {name} holds a {kind}, which is loaded whole; to "
            "load some columns of a table, dump a dictionary of them: {key: table[key] for key in table}"
        )
    if not isinstance(part, dict | list | tuple) and not entries_of(part):
        raise InvalidOption(f"{known}, and {name} holds a value of type {kind}: load it whole")

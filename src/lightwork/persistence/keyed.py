"""`load(path, keys=...)`: some parts of a file."""

from collections.abc import Iterable
from typing import Any

from ..errors import InvalidOption
from .access import access
from .options import MmapMode
from .views import Parts

__all__ = ["load_keys"]


# Any: the user's keys and values.
def load_keys(
    path: str | None, keys: Iterable[Any], mmap_mode: MmapMode | None, *, native: bool
) -> dict[Any, Any]:
    """The values under these keys. What two of them share is loaded as one."""
    if path is None:
        raise InvalidOption("keys= needs a path: a stream has to be loaded whole")
    if mmap_mode is not None:
        raise InvalidOption(
            f"keys= and mmap_mode={mmap_mode!r} do not go together: lightwork.open(path)[key] reads parts"
        )
    if isinstance(keys, str | bytes):
        raise InvalidOption(f"keys={keys!r} is one key: give a list of them, keys=[{keys!r}]")
    wanted = list(keys)
    opened, file = access(path, native=native)
    parts = Parts(opened, opened.outline)
    try:
        found = [parts.part(key) for key in wanted]
    except KeyError as exc:
        raise InvalidOption(f"keys={wanted!r}: {exc.args[0]}") from None
    values = opened.load(found)
    file.close()
    return dict(zip(wanted, values, strict=True))

"""Which format bytes are in, by the first of them. Names of files do not count."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from ...errors import UnknownFormatError
from ...parcel import layout
from ..compressors.registry import COMPRESSORS
from .joblib_layout import OLD_MAGIC

__all__ = ["PROTOCOL", "Found", "recognized"]

# Opcodes that a pickle of protocol 0 or 1 can begin with; later ones begin with 80 and the protocol.
_FIRST_OPCODES = b"(NIJKMLFGSTUVXcl]})"
PROTOCOL = b"\x80"
"""First byte of a pickle of protocol 2 or later."""


class Found(NamedTuple):
    """What the first bytes tell."""

    kind: Literal["container", "pickle", "old", "compressed"]
    """``"pickle"``: joblib's stream or a plain pickle; ``"old"``: compressed by joblib before 0.10."""

    compressor: str = ""


def recognized(read: Callable[[int], bytes]) -> tuple[bytes, Found]:
    """The first bytes, and what they tell: as few as that takes, since a pickle may be three bytes long.

    Raises
    ------
    UnknownFormatError
        They are in no format that we know. Some more bytes were read then, for the message.
    """
    known = [layout.MAGIC, OLD_MAGIC, *(compressor.prefix for _, compressor in COMPRESSORS)]
    head = b""
    while any(len(prefix) > len(head) and prefix.startswith(head) for prefix in known):
        byte = read(1)
        if not byte:
            break
        head += byte
    found = _found(head)
    if found is None:
        raise UnknownFormatError(layout.foreign(head + read(len(layout.MAGIC))))
    return head, found


def _found(head: bytes) -> Found | None:
    if head == layout.MAGIC[: len(head)]:
        return Found("container")
    if head.startswith(OLD_MAGIC):
        return Found("old")
    name = COMPRESSORS.by_prefix(head)
    if name is not None:
        return Found("compressed", name)
    is_pickle = head.startswith(PROTOCOL) or head[0] in _FIRST_OPCODES
    return Found("pickle") if is_pickle else None

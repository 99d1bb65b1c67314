"""What the key of a call was made of, in the short form that is kept to explain later misses."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import hashing
from ..hashing.files import File
from ..protocols import Store, SupportsNotes, supports
from .facts import Metadata, read_facts, write_facts

if TYPE_CHECKING:
    from ..hashing.calls import CallKey, CallKeys

__all__ = ["facts_of", "keep_note", "note_of", "paths_of", "read_note"]

_SHORT = 8
"""Bytes of a digest: two values of one argument pass for equal once in 2^64, in an explanation."""


def facts_of(keys: "CallKeys", call: "CallKey") -> Metadata:
    """What is kept with the result of a call: a digest of each argument, and the number of the code."""
    return {
        "args": {name: _short(token) for name, token in zip(call.names, call.tokens, strict=True)},
        "code": _short(keys.head + call.code),
    }


def paths_of(arguments: Mapping[str, Any]) -> dict[str, str]:  # Any: of users' functions
    """The paths of the arguments that are files: a digest of one does not show what it is called."""
    return {name: value.path for name, value in arguments.items() if type(value) is File}


def note_of(keys: "CallKeys", call: "CallKey") -> Metadata:
    """What the code of a call is made of."""
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "version": repr(keys.version),
        "parameters": ", ".join(call.names),
        "parts": {name: _short(token) for name, token in keys.parts(call).items()},
        "untracked": dict(line.split(": ", 1) for line in keys.dependencies().untracked if ": " in line),
    }


def keep_note(store: Store, keys: "CallKeys", call: "CallKey", code: str) -> None:
    """Keep what a code is made of, unless it is kept already. Raises `StoreUnavailable`."""
    if supports(store, SupportsNotes):
        key = _note_key(keys.prefix, code)
        if store.noted(key) is None:
            store.note(key, write_facts(note_of(keys, call)))


def read_note(store: object, prefix: bytes, code: str) -> Metadata | None:
    """What a code was made of, if that is still kept; `prefix` is that of the keys of its function."""
    text = store.noted(_note_key(prefix, code)) if supports(store, SupportsNotes) else None
    return None if text is None else read_facts(text) or None


def _note_key(prefix: bytes, code: str) -> bytes:
    return prefix + hashing.digests.BLAKE3.of(b"note " + code.encode())[:24]


def _short(token: bytes) -> str:
    return hashing.digests.BLAKE3.of(token)[:_SHORT].hex()

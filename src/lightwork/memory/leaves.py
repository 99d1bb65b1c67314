"""Which part of an argument differs from that of a kept call: short digests of parts, kept with slow calls.

``{"config": {"": "9c0f31", "['lr']": "41d02a", "['opt']": "77ab90", "['opt']['name']": "0b1c2d"}}``
"""

import contextlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from .. import hashing
from ..errors import UnhashableError
from ..hashing.nodes import HashNode
from ..hashing.values import SCHEME
from .sizes import are_small

__all__ = ["Leaves", "differing", "leaves_of"]

# Any: arguments of users' functions.
Leaves: TypeAlias = "dict[str, dict[str, str]]"
"""For each argument that has parts: a short digest of each by its path."""

_DEPTH, _WIDTH = 2, 32
_MOST = 64  # parts of a call: 2 KB
_LONGEST = 80  # characters of a path
_DIGITS = 6  # of a key: two values of a part pass for equal once in 16 million, in an explanation
_NAMED = 5  # parts in an explanation

_FILE = "lightwork.hashing.files.File"

_PER_SECOND = 5e6
"""Bytes that are hashed once more for each second that a call took: an estimate, by which numbers take 1 % of
its time and columns of text 6 %."""


def leaves_of(arguments: Mapping[str, Any], tokens: Iterable[bytes], *, seconds: float = math.inf) -> Leaves:
    """The leaves of arguments, as many as are worth their bytes.

    Parameters
    ----------
    arguments
        By name; none where they cannot be told apart.
    tokens
        One for each of them. One that has another token by now, since the call has changed it, has no leaves.
    seconds
        How long the call took: arguments that are large for that have none.
    """
    found: Leaves = {}
    left = _MOST
    for (name, value), token in zip(arguments.items(), tokens, strict=False):
        if left <= 1:
            break
        if not _is_cheap(value, _PER_SECOND * seconds):
            continue
        # What has no key any more tells nothing; an explanation is not worth an error.
        with contextlib.suppress(UnhashableError, OSError, RuntimeError):
            tree = hashing.explain_hash(value, depth=_DEPTH, width=_WIDTH)
            if tree.children and tree.key == hashing.digests.BLAKE3.of(SCHEME + token).hex():
                found[name] = _paths(tree, left)
                left -= len(found[name])
    return found


def _is_cheap(value: Any, most: float) -> bool:
    """Whether a value has parts that can be told, and at most so many bytes, as far as its library counts."""
    kind = type(value)
    # The digest of a file is remembered.
    if most == math.inf or are_small(value, limit=most) or _name_of(kind) == _FILE:
        return True
    if kind in (dict, list, tuple):
        inner = [*value.values()] if kind is dict else [*value]
        return len(inner) <= _WIDTH and all(_is_cheap(part, most / len(inner)) for part in inner)
    if kind.__module__.partition(".")[0] == "pandas" and hasattr(value, "memory_usage"):
        usage = value.memory_usage()  # a number, or one for each column
        return bool(getattr(usage, "sum", lambda: usage)() <= most)
    return False


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _paths(tree: HashNode, most: int) -> dict[str, str]:
    """Digests by path, those of the outer parts first."""
    found: dict[str, str] = {}
    shared: set[str] = set()  # elements of sets have no path of their own
    row: tuple[HashNode, ...] = (tree,)
    while row:
        for node in row:
            path = node.path.removeprefix(tree.path)
            if path in found:
                shared.add(path)
            elif len(found) < most and len(path) <= _LONGEST and node.key is not None:
                found[path] = node.key[:_DIGITS]
        # What stands in <...> has no name that users could know: the buffer of a column, say. Nor has what
        # the key of a file is made of.
        opened = (node for node in row if node.type != _FILE)
        row = tuple(child for node in opened for child in node.children if "<" not in child.path)
    return {path: digest for path, digest in found.items() if path not in shared}


def differing(name: str, now: Mapping[str, str], then: Mapping[str, str]) -> tuple[str, ...]:
    """In which parts an argument differs, in sentences; nothing if that cannot be told."""
    whole = max(len(now), len(then)) < _MOST  # else a part may only have been left out
    lines = []
    for path in dict.fromkeys([*now, *then]):
        if now.get(path) == then.get(path) or _is_told_below(path, now, then):
            continue
        if path in now and path in then:
            lines.append(f"argument {name!r} differs at {name}{path}" if path else "")
        elif whole:
            lines.append(f"{name}{path} {'is new' if path in now else 'is gone'}")
    lines = [line for line in lines if line]
    if len(lines) > _NAMED:
        lines[_NAMED:] = [f"and {len(lines) - _NAMED} more parts of argument {name!r}"]
    return tuple(lines)


def _is_told_below(path: str, now: Mapping[str, str], then: Mapping[str, str]) -> bool:
    """Whether a part that differs has parts that do, on both sides or as a whole on one of them."""
    if (path in now) != (path in then):
        outer = [other for other in (*now, *then) if other != path and path.startswith(other) and other]
        return any((other in now) != (other in then) for other in outer)
    return any(
        other.startswith(path) and other != path and now.get(other) != then.get(other)
        for other in (*now, *then)
    )

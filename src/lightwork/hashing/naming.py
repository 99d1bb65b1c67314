"""What the parts of a recording are called, and which of them a reader wants to see.

The walk meets more than a reader thinks of: the dict that holds the attributes of an instance, the pairs of a
mapping, classes and names. Parts are found again by identity in what holds them, so a container that only
the rules have made is looked through, and small things without a name of their own are not shown.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from functools import partial
from types import CodeType, FunctionType, MappingProxyType, MethodType
from typing import Any, NamedTuple

from .locate import key_step, parts
from .names import is_importable
from .recording import Part
from .rules import SCALARS

__all__ = ["Named", "Namer"]

TRIFLE = 256
"""Parts without a name or parts of their own are shown from this size (bytes) on."""

LOOKS = 1_000_000
"""Parts that are looked at while names are searched for, in all."""

_LEVELS = 3  # records inside records are turned into columns twice, see `runs`
_PLAIN = (list, tuple, dict)
_OPEN = (dict, MappingProxyType, list, tuple, deque, set, frozenset, FunctionType, MethodType, partial)
_LABELS = ("index", "columns", "attrs", "categories", "left", "right")  # of pandas, which keeps these objects


class Named(NamedTuple):
    """A part and its step from what holds it: ``[1]``, ``.conn``."""

    step: str
    part: Part


class Namer:
    """Names for the parts of one recording."""

    def __init__(self) -> None:
        self._looks = LOOKS

    def children(self, whole: Part) -> list[Named]:
        """The parts of a part that a reader wants to see, in order, under names of their own."""
        if not whole.parts or _is_leaf(whole.value):
            return []
        names = self._names(whole)
        found: list[Named] = []
        for part in whole.parts:
            found.extend(self._resolve(whole, part, names))
        return _numbered(found)

    def _resolve(self, whole: Part, part: Part, names: dict[int, deque[str]]) -> list[Named]:
        steps = names.get(id(part.value))
        if steps:
            step = steps.popleft()
            return [] if _is_noise(step, part) else [Named(step, part)]
        if _is_made(part) and any(_is_known(inner, names) for inner in part.parts):
            return [named for inner in part.parts for named in self._resolve(whole, inner, names)]
        if _is_trifle(part) and not hasattr(type(whole.value), "__cache_key__"):
            return []
        if part.value is type(whole.value) and _is_leaf(part.value):
            return []
        return [Named(_fallback(whole, part), part)]

    def _names(self, whole: Part) -> dict[int, deque[str]]:
        """Steps by the identity of the part; several where one object sits in several places."""
        wanted = Counter(id(part.value) for part in whole.parts)
        for part in whole.parts:
            if type(part.value) in (*_PLAIN, frozenset):
                wanted.update(_inner(part))
        found: dict[int, deque[str]] = {}
        for step, value in self._search(whole):
            if wanted[id(value)] > 0:
                wanted[id(value)] -= 1
                found.setdefault(id(value), deque()).append(step)
                if len(wanted) == len(found) and not any(wanted.values()):
                    break
        return found

    def _search(self, whole: Part) -> Iterator[tuple[str, Any]]:
        """Steps and values, those nearest first. Only plain containers can have been packed into columns."""
        row: list[tuple[str, Any]] = [("", whole.value)]
        for level in range(_LEVELS if type(whole.value) in _PLAIN else 1):
            holders, row = row, []
            for prefix, holder in holders:
                for step, value in parts(holder) if level else _contents(whole):
                    yield prefix + step, value
                    self._looks -= 1
                    if self._looks < 0:
                        return
                    if type(value) in _PLAIN:
                        row.append((prefix + step, value))


def _inner(part: Part) -> Iterator[int]:
    """Identities of what a container holds that the walk may have made itself, containers inside included."""
    for inner in part.parts:
        yield id(inner.value)
        if type(inner.value) is dict:
            yield from _inner(inner)


def _contents(whole: Part) -> Iterator[tuple[str, Any]]:
    """Steps and values of one part, from the value and from what its rule has kept."""
    value, kind, kept = whole.value, type(whole.value), whole.kept
    reduced = bool(kept) and isinstance(kept[0], tuple) and len(kept[0]) > 1 and callable(kept[0][0])
    if issubclass(kind, _OPEN) and not (reduced and issubclass(kind, dict)):  # which may have its own `items`
        yield from ((step, held) for step, held in parts(value) if not _is_unset(kind, step, held))
        if issubclass(kind, FunctionType):
            yield ".__code__", value.__code__
    elif issubclass(kind, type):
        yield from ((f".{name}", held) for name, held in vars(value).items())
    elif _is_of_pandas(kind):
        yield from _of_pandas(whole)
    if reduced:
        yield from _reduction(kept)
    elif kept and type(kept[0]) is list and not issubclass(kind, _OPEN):
        yield from _items(kept[0])


def _reduction(kept: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """What an instance gave to be hashed: attributes, items, pairs, arguments."""
    reduced = (*kept[0], None, None, None)[:5]
    states = [reduced[2], *(held for held in kept[1:2] if type(held) is dict)]
    for state in states:
        slots = state[1] if type(state) is tuple and len(state) == 2 else None
        for held in (state, slots, state[0] if slots is not None else None):
            if type(held) is dict:
                yield from ((f".{name}", each) for name, each in held.items())
    lists = [held for held in kept[1:] if type(held) is list]
    if reduced[4] is not None and lists:
        for key, held in lists.pop():
            yield f"[{key_step(key)}]", held
            yield f" key {key_step(key)}", key
    if reduced[3] is not None and lists:
        yield from _items(lists.pop())
    if isinstance(reduced[1], tuple):
        yield from ((f".<made of>[{place}]", held) for place, held in enumerate(reduced[1]))


def _items(items: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"[{place}]", held) for place, held in enumerate(items))


def _of_pandas(whole: Part) -> Iterator[tuple[str, Any]]:
    """Labels, and the arrays of columns in their order, which are made anew each time that one asks."""
    for name in _LABELS:
        held = getattr(whole.value, name, None)
        if held is not None:
            yield f".{name}", held
    arrays = [part.value for part in whole.parts if _has_base(part.value, "pandas", "ExtensionArray")]
    columns = getattr(whole.value, "columns", ())
    if len(arrays) == len(columns):
        yield from ((f"[{key_step(name)}]", array) for name, array in zip(columns, arrays, strict=True))
    elif len(arrays) == 1:
        yield ".array", arrays[0]


def _has_base(value: Any, library: str, name: str) -> bool:
    return any(
        base.__name__ == name and base.__module__.partition(".")[0] == library for base in type(value).__mro__
    )


def _is_of_pandas(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "pandas"


def _is_unset(kind: type, step: str, held: Any) -> bool:
    """Defaults and attributes that a function does not have."""
    return issubclass(kind, FunctionType) and step.startswith(".__") and not held


def _is_made(part: Part) -> bool:
    """Whether a part without a name is a container such as the rules make to hold others."""
    return bool(part.parts) and type(part.value) in (*_PLAIN, frozenset)


def _is_known(part: Part, names: dict[int, deque[str]]) -> bool:
    """Whether a part has a name, or was made to hold at least one part that has."""
    if names.get(id(part.value)):
        return True
    return _is_made(part) and any(_is_known(inner, names) for inner in part.parts)


def _is_trifle(part: Part) -> bool:
    """Whether a part without a name is not worth a line."""
    return (not part.parts or _is_leaf(part.value)) and not part.lost and part.nbytes < TRIFLE


def _is_leaf(value: Any) -> bool:
    """Whether a part is one thing for a reader: code, a dtype, a class that its name leads to."""
    if issubclass(type(value), type):
        return is_importable(value)
    return type(value) is CodeType or _has_base(value, "numpy", "dtype")


def _is_noise(step: str, part: Part) -> bool:
    """Short keys of a mapping, which are in the steps of its values; classes that are only a name."""
    if step.startswith(" key "):
        return type(part.value) in SCALARS
    return step.startswith(".<made of>") and _is_leaf(part.value)


def _fallback(whole: Part, part: Part) -> str:
    """The step to a part that the rules have made."""
    if hasattr(type(whole.value), "__cache_key__"):
        return ".__cache_key__()"
    if type(part.value) is dict and whole.kept and isinstance(whole.kept[0], tuple):
        return ".<state>"
    return f".<{type(part.value).__name__}>"


def _numbered(found: list[Named]) -> list[Named]:
    """Steps that were made up for several parts get numbers; elements of sets keep theirs in common."""
    seen: Counter[str] = Counter()
    result = []
    for step, part in found:
        seen[step] += 1
        count = seen[step]
        result.append(Named(f"{step[:-1]} {count}>" if count > 1 and step.endswith(">") else step, part))
    return result

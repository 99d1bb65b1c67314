"""Where in a value a part sits: ``value[1].conn``. Used for error messages only, so it may be slow."""

import copyreg
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from types import CellType, FunctionType, MethodType
from typing import Any

from .objects import UNREDUCIBLE

__all__ = ["key_step", "locate", "parts"]

_LONGEST = 1_000_000  # parts that are looked at before the search gives up


def locate(value: Any, culprit: object, path: str) -> str:
    """The path from `value`, which is called `path`, to the part that is `culprit` (breadth first)."""
    if value is culprit:
        return path
    seen = {id(value)}
    alive = [value]  # parts made on the way: their identities must not be used again
    queue = deque([(path, value)])
    while queue and len(seen) < _LONGEST:
        place, whole = queue.popleft()
        for step, part in chain(parts(whole), _reduced(whole)):
            if part is culprit:
                return place + step
            if id(part) not in seen and not isinstance(part, str | bytes | int | float):
                seen.add(id(part))
                alive.append(part)
                queue.append((place + step, part))
    return path


def parts(whole: Any) -> Iterator[tuple[str, Any]]:
    """Steps and parts of one value, as far as it can be looked into without its reduction."""
    if isinstance(whole, Mapping):
        for key, held in whole.items():
            name = key_step(key)
            yield f"[{name}]", held
            yield f" key {name}", key
    elif isinstance(whole, list | tuple | deque):
        yield from ((f"[{place}]", held) for place, held in enumerate(whole))
    elif isinstance(whole, set | frozenset):
        yield from (("{...}", held) for held in whole)
    if isinstance(whole, FunctionType):
        yield from _captured(whole)
    elif isinstance(whole, MethodType):
        yield from ((".__self__", whole.__self__), (".__func__", whole.__func__))
    elif isinstance(whole, partial):
        yield from ((".func", whole.func), (".args", whole.args), (".keywords", whole.keywords))
    elif isinstance(getattr(whole, "__dict__", None), dict) and not isinstance(whole, type):
        yield from ((f".{name}", held) for name, held in vars(whole).items())


def _captured(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        if cell != CellType():
            yield f".<captured {name}>", cell.cell_contents
    yield ".__defaults__", function.__defaults__
    yield ".__kwdefaults__", function.__kwdefaults__
    yield ".__dict__", vars(function)


def _reduced(whole: Any) -> Iterator[tuple[str, Any]]:
    """What pickle would look at: slots, and whatever a class hands out of itself."""
    if isinstance(whole, dict | list | tuple | set | frozenset | type | FunctionType | partial):
        return
    special = copyreg.dispatch_table.get(type(whole))
    try:
        reduced = special(whole) if special else whole.__reduce_ex__(4)
    except UNREDUCIBLE:
        return
    if not isinstance(reduced, tuple):
        return
    arguments, state = (*reduced, None)[1:3]
    slots = state[1] if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict) else state
    if isinstance(slots, dict):
        yield from ((f".{name}", held) for name, held in slots.items())
    else:
        yield ".<state>", state
    yield ".<made of>", arguments
    for step, items in zip((".<items>", ".<items>"), reduced[3:5], strict=False):
        if items is not None:
            yield step, list(items)


def key_step(key: object) -> str:
    """Keys of our own types as they print; a user's key by its type only, whose repr may do anything."""
    return (
        repr(key)[:40]
        if type(key) in (str, int, float, bool, bytes, type(None))
        else f"<{type(key).__name__}>"
    )

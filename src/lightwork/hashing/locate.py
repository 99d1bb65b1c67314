"""Where in a value a part sits: ``value[1].conn``. Used for error messages only, so it may be slow."""

import copyreg
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from types import CellType, FunctionType, MethodType
from typing import Any

from ..system.optional import loaded
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
    special = _special(type(whole))
    if special is not None:
        yield from special(whole)
        return
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


def _special(cls: type) -> "Callable[[Any], Iterator[tuple[str, Any]]] | None":
    names = (f"{base.__module__.partition('.')[0]}:{base.__qualname__}" for base in cls.__mro__)
    return next(filter(None, map(_SPECIAL.get, names)), None)


def _array_parts(array: Any) -> Iterator[tuple[str, Any]]:
    """The objects in a numpy array."""
    if array.dtype.hasobject:
        for place, held in zip(
            itertools.product(*map(range, array.shape)), array.ravel().tolist(), strict=True
        ):
            yield f"[{', '.join(map(str, place)) or '()'}]", held


def _column_parts(column: Any) -> Iterator[tuple[str, Any]]:
    """The objects in a series or an index."""
    if str(column.dtype) in ("object", "Object"):
        yield from ((f"[{place}]", held) for place, held in enumerate(column.to_list()))
    yield from _attributes(column, "attrs", "index")


def _frame_parts(frame: Any) -> Iterator[tuple[str, Any]]:
    """The columns of a pandas frame, by name (names may be there more than once)."""
    bare = loaded("pandas").DataFrame(frame, copy=False)
    yield from ((f"[{key_step(name)}]", bare.iloc[:, place]) for place, name in enumerate(frame.columns))
    yield from _attributes(frame, "attrs", "index", "columns")


def _polars_parts(frame: Any) -> Iterator[tuple[str, Any]]:
    yield from ((f"[{series.name!r}]", series) for series in frame.iter_columns())


def _variables(data: Any) -> Iterator[tuple[str, Any]]:
    """The variables of a data set of xarray."""
    yield from ((f"[{key_step(name)}]", held) for name, held in data.variables.items())
    yield from _attributes(data, "attrs")


def _coordinates(array: Any) -> Iterator[tuple[str, Any]]:
    yield from ((f"[{key_step(name)}]", held.variable) for name, held in array.coords.items())
    yield from _attributes(array, "values", "attrs")


def _model_parts(model: Any) -> Iterator[tuple[str, Any]]:
    """Fields, extra fields and private attributes of a pydantic model."""
    for held in (
        vars(model),
        *(getattr(model, f"__pydantic_{kind}__", None) for kind in ("extra", "private")),
    ):
        yield from ((f".{name}", part) for name, part in (held or {}).items())


def _attributes(whole: Any, *names: str) -> Iterator[tuple[str, Any]]:
    yield from ((f".{name}", getattr(whole, name)) for name in names if hasattr(whole, name))


_SPECIAL: dict[str, Callable[[Any], Iterator[tuple[str, Any]]]] = {
    "numpy:ndarray": _array_parts,
    "pandas:DataFrame": _frame_parts,
    "pandas:Series": _column_parts,
    "pandas:Index": _column_parts,
    "polars:DataFrame": _polars_parts,
    "polars:Series": _column_parts,
    "pydantic:BaseModel": _model_parts,
    "xarray:DataArray": _coordinates,
    "xarray:Dataset": _variables,
    "xarray:Variable": lambda variable: _attributes(variable, "values", "attrs"),
}
"""Types whose parts have other names for their users than for `pickle`."""


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
    if _special(type(whole)) is not None:
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

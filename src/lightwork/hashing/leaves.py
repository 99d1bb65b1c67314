"""Which values a survey may take as they are, and what wrappers and containers hold.

Everything is told by ``type(value)``: ``isinstance`` asks the value itself for its class, and a proxy that a
global name stands for (a web framework's ``request``) answers with an error outside of a request.
"""

import enum
import itertools
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from functools import WRAPPER_ASSIGNMENTS, cached_property, partial, partialmethod, singledispatchmethod
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any

from .library import is_library
from .names import class_name
from .rules import SCALARS

__all__ = [
    "LEAVES",
    "SMALL",
    "WRAPPER_NOISE",
    "has_no_state",
    "is_code",
    "is_container",
    "is_small_array",
    "is_value",
    "leaves",
    "may_change",
    "own_attributes",
    "wrapped",
]

LEAVES = 1000
"""Global containers and objects with more leaves than this are not tracked."""

SMALL = 64 << 10
"""Global arrays of more bytes than this are not tracked."""

_VALUES = (*SCALARS, enum.Enum, re.Pattern, type(...), range)
# By name: nothing here should import what the user did not.
_NAMED_VALUES = frozenset(
    [
        "pathlib:PurePath",
        "numpy:generic",
        "numpy:dtype",
        "decimal:Decimal",
        "fractions:Fraction",
        "uuid:UUID",
        "datetime:date",
        "datetime:time",
        "datetime:timedelta",
        "datetime:timezone",
        "zoneinfo:ZoneInfo",
    ]
)
_GETTERS = frozenset(("operator:itemgetter", "operator:attrgetter", "operator:methodcaller"))
_HOLDERS: dict[type, tuple[str, ...]] = {
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    cached_property: ("func",),
    singledispatchmethod: ("dispatcher",),
    MethodType: ("__func__", "__self__"),
    slice: ("start", "stop", "step"),
}
WRAPPER_NOISE = frozenset((*WRAPPER_ASSIGNMENTS, "__annotations__"))
"""What ``functools.update_wrapper`` copies: where a function stands, how it is written and described."""

_FIXED = (tuple, frozenset)
_MAPPINGS = (dict, OrderedDict, defaultdict, Counter, MappingProxyType)
_CONTAINERS = (list, set, deque, bytearray, *_MAPPINGS, *_FIXED)


def is_value(value: object) -> bool:
    """Whether a value cannot change in place, as far as its type says so."""
    if issubclass(type(value), _VALUES):
        return True
    return any(class_name(base) in _NAMED_VALUES for base in type(value).__mro__)


def may_change(value: Any) -> bool:
    """Whether what `is_value` says is fixed can be given attributes: a user's kind of text or number.

    Members of enumerations too, but there are many of them and few that are changed: see `Survey`.
    """
    kind = type(value)
    if kind in SCALARS or issubclass(kind, enum.Enum):
        return False
    own = itertools.takewhile(lambda base: not is_library(base.__module__), kind.__mro__)
    return any("__dict__" in vars(base) or vars(base).get("__slots__") for base in own)


def is_code(value: object) -> bool:
    """Whether a value is code with a name: a function, class or module."""
    return issubclass(type(value), (FunctionType, type, BuiltinFunctionType, ModuleType)) and not _is_bound(
        value
    )


def _is_bound(value: Any) -> bool:
    """Whether a builtin is a method of an object: ``{}.get``, ``re.compile("a").sub``."""
    kind = type(value)
    if kind is MethodWrapperType:
        return True
    is_builtin = issubclass(kind, BuiltinFunctionType)
    return is_builtin and not isinstance(value.__self__, ModuleType | type | None)


def is_small_array(value: Any) -> bool:
    """Whether a value is a numpy array of numbers or texts of at most `SMALL` bytes."""
    if class_name(type(value)) != "numpy:ndarray":
        return False
    return bool(value.nbytes <= SMALL and not value.dtype.hasobject)


def has_no_state(value: object) -> bool:
    """Whether an instance is nothing but one of its class for ever, such as a sentinel.

    One that has no attributes yet may be given some between two calls.
    """
    cls = type(value)
    plain = cls.__reduce_ex__ is object.__reduce_ex__ and cls.__reduce__ is object.__reduce__
    room = any("__dict__" in vars(base) or vars(base).get("__slots__") for base in cls.__mro__)
    return plain and not room and not own_attributes(value) and not cls.__flags__ & 1 << 5


def leaves(
    container: Any, state: Callable[[Any], Mapping[str, Any] | None] = lambda value: None
) -> tuple[list[Any], bool] | None:
    """What lies at the ends of nested lists, tuples, dicts and sets, and whether all of those are fixed.

    `state` gives the attributes of objects that are opened too, and ``None`` for others. The class of such
    an object and of a named tuple is a leaf as well: its methods are code. ``None`` if there are more than
    `LEAVES`.
    """
    found: list[Any] = []
    fixed = True
    seen: set[int] = set()
    stack = [container]
    while stack:
        part = stack.pop()
        opened = is_container(part)
        held = None if opened or is_value(part) or is_code(part) else state(part)
        if not opened and held is None:
            found.append(part)
        elif id(part) not in seen:
            seen.add(id(part))
            kind = type(part)
            fixed = fixed and issubclass(kind, _FIXED)
            items = _items(part) if held is None else [*held.values()]
            if len(items) > LEAVES * 2:
                return None
            stack.extend(reversed(items))
            if kind not in _CONTAINERS:
                found.append(kind)
        if len(found) + len(stack) > LEAVES * 2:
            return None
    return (found, fixed) if len(found) <= LEAVES else None


def is_container(value: object) -> bool:
    """Whether `leaves` opens it."""
    kind = type(value)
    return kind in _CONTAINERS or _is_named_tuple(kind)


def _is_named_tuple(kind: type) -> bool:
    """Whether a class adds names, and nothing that an instance could hold, to a tuple."""
    return kind.__bases__ == (tuple,) and "_fields" in vars(kind) and vars(kind).get("__slots__") == ()


def _items(container: Any) -> list[Any]:
    """What a container holds: keys and values, the factory of a ``defaultdict``, no numbers of bytes."""
    kind = type(container)
    if kind is bytearray:
        return []
    if kind in _MAPPINGS:
        factory = [container.default_factory] if kind is defaultdict else []
        return [*container, *container.values(), *factory]
    return [*container]


def wrapped(value: Any) -> list[Any] | None:
    """What callables and descriptors that only wrap others hold, or ``None`` for anything else."""
    kind = type(value)
    attributes = _HOLDERS.get(kind)
    if attributes is not None:
        return [getattr(value, name) for name in attributes]
    if kind in (partial, partialmethod):
        return [value.func, *value.args, *(part for pair in sorted(value.keywords.items()) for part in pair)]
    if class_name(kind) in _GETTERS:
        return [*value.__reduce__()[1]]
    if _is_bound(value):
        return [value.__name__, value.__self__]
    held = own_attributes(value)
    inner = None if held is None else held.get("__wrapped__")
    if inner is None and any("__wrapped__" in vars(base) for base in kind.__mro__):
        inner = value.__wrapped__
    return None if inner is None else [inner]


def own_attributes(value: Any) -> dict[str, Any] | None:
    """The instance's own ``__dict__``, if it has a plain one.

    Not by ``getattr``: a proxy would look for its target.
    """
    for base in type(value).__mro__:
        descriptor = vars(base).get("__dict__")
        if descriptor is not None:
            held = descriptor.__get__(value) if type(descriptor) is GetSetDescriptorType else None
            return held if type(held) is dict else None
    return None

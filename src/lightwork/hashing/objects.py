"""Rules for functions, classes, modules, and any object through what it gives to `pickle`.

* A function that its module leads to and that belongs to a library is its name; any other function is its
  name, its code, its defaults and what it has captured. The globals it uses are not followed here: that
  is what call keys add (`fingerprints`).
* A class is its name; one that no name leads to (made inside a function) is its name, bases and content.
* An instance is what ``copyreg`` or ``__reduce_ex__`` says of it. What a ``cached_property`` left in its
  ``__dict__`` counts: it looks like what was assigned to that name, and may be older than the rest.
"""

import copyreg
import pickle
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from functools import cached_property, partial
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from .. import hashing
from .library import is_library
from .names import class_name, function_name, is_importable, leads_to
from .rules import encode_mapping
from .runs import encode_run
from .walk import NotHashable, Rule, Walk, frame

__all__ = [
    "CLASS_NOISE",
    "MACHINERY",
    "OBJECT_RULES",
    "UNREDUCIBLE",
    "encode_class_content",
    "encode_function",
    "encode_stand_in",
    "enum_rule",
    "given_to",
    "instance_rule",
    "type_rule",
    "without_kept_hash",
]

# What classes raise that refuse to be pickled: `multiprocessing` and `ctypes` among them.
UNREDUCIBLE = (TypeError, ValueError, RuntimeError, AttributeError, pickle.PicklingError)
_PROTOCOL = 4  # the highest whose reduction holds all content in itself (5 may hand buffers out of band)
_NEW_OBJECT = copyreg.__newobj__  # type: ignore[attr-defined]  # typeshed leaves it out; pickle's own protocol
_SET_REDUCTIONS: tuple[object, ...] = (set.__reduce__, frozenset.__reduce__)
MACHINERY = (GetSetDescriptorType, MemberDescriptorType)
# Made by the interpreter or by abc; they say where a class stands, how it is written, or cache answers.
CLASS_NOISE = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__qualname__",
        "__annotations__",
        "__abstractmethods__",
        "_abc_impl",
        "__firstlineno__",
        "__static_attributes__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__slotnames__",
        "__parameters__",
    ]
)


def instance_rule(walk: Walk, value: Any) -> bytes:
    """Any object without a rule of its own."""
    return walk.part(value, _encode_instance)


def _encode_instance(walk: Walk, value: Any) -> bytes:
    own = getattr(type(value), "__cache_key__", None)
    if own is not None:
        return encode_stand_in(walk, value, own)
    reduced = _reduce(value)
    walk.keep(reduced)
    own_reduction: object = type(value).__reduce__
    if own_reduction in _SET_REDUCTIONS:
        # It lists the elements in the order of their hashes, which is another one in each process.
        elements = frozenset(value)
        return frame(b"Q", [walk.token(type(value)), walk.temporary(elements), walk.token(reduced[2])])
    if isinstance(reduced, str):
        return _encode_named(walk, value, reduced)
    function, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    if function is _NEW_OBJECT:
        state = _unread(type(value), state)
        walk.keep(state)
        head = frame(b"o", walk.tokens(arguments))
    else:
        head = frame(b"R", [walk.token(function), walk.token(arguments)])
    tail = [walk.token(state)]
    if items is not None:
        items = list(items)
        walk.keep(items)
        tail.append(walk.seal(b"l" + encode_run(walk, items)))
    if pairs is not None:
        pairs = list(pairs)
        walk.keep(pairs)
        tail.append(walk.seal(_encode_pairs(walk, value, pairs)))
    return head + frame(b"", tail)


def _encode_named(walk: Walk, value: Any, name: str) -> bytes:
    """Something that pickle finds by its name: a sentinel, a ufunc, a function behind a cache."""
    module = getattr(value, "__module__", None) or type(value).__module__.partition(".")[0]
    inner = getattr(value, "__wrapped__", None)
    if inner is not None and not is_library(module):
        return frame(b"w", walk.tokens([class_name(type(value)), inner]))
    if not leads_to(module, name, value):
        raise NotHashable(value, f"no name leads to it, {module}.{name} is something else")
    return frame(b"g", walk.tokens([module, name]))


def encode_stand_in(walk: Walk, value: Any, rule: Callable[[Any], Any]) -> bytes:
    """A value whose content is what `rule` makes of it; its class counts too."""
    made = rule(value)
    if made is value:
        raise NotHashable(value, "what shall stand for its content is the value itself")
    return frame(b"K", [walk.token(type(value)), walk.temporary(made)])


def _encode_pairs(walk: Walk, value: Any, pairs: list[tuple[Any, Any]]) -> bytes:
    """Items of a dict subclass; their order counts only where the type says so in ``==``."""
    if isinstance(value, OrderedDict):
        return b"o" + encode_run(walk, pairs)
    return b"d" + encode_mapping(walk, dict(pairs))


def _reduce(value: Any) -> Any:
    """What pickle would get, or `NotHashable` with the reason why it gets nothing."""
    special = copyreg.dispatch_table.get(type(value))
    try:
        return special(value) if special else value.__reduce_ex__(_PROTOCOL)
    except RecursionError:
        raise
    except UNREDUCIBLE as exc:
        raise NotHashable(value, str(exc)) from exc


def _unread(cls: type, state: Any) -> Any:
    """The state as it was before attrs hashed the instance: of ``__dict__``, or of it and of slots.

    Python gives ``None`` for a ``__dict__`` that is empty.
    """
    if type(state) is tuple and len(state) == 2 and type(state[0]) is dict:
        return _unread(cls, state[0]), state[1]
    kept = without_kept_hash(cls, state)
    return None if kept is not state and not kept else kept


def without_kept_hash(cls: type, state: Any) -> Any:
    """The state, if it is the plain ``__dict__``, without the hash that attrs keeps in it.

    That is another one in each process.
    """
    if type(state) is not dict or "__getstate__" in vars(cls) or "_attrs_cached_hash" not in state:
        return state
    return {name: held for name, held in state.items() if name != "_attrs_cached_hash"}


def enum_rule(walk: Walk, value: Enum) -> bytes:
    """A member of an enumeration: class, name, value (flags may have no name), and what it was given."""
    return walk.part(value, _encode_member)


def _encode_member(walk: Walk, value: Enum) -> bytes:
    given = given_to(value)
    more = [walk.temporary(given)] if given else []
    return frame(b"e", [*walk.tokens([type(value), value.name, value.value]), *more])


def given_to(member: Enum) -> dict[str, Any]:
    """The attributes of a member of an enumeration beside its name and value."""
    return {name: held for name, held in vars(member).items() if not (name[:1] == name[-1:] == "_")}


def type_rule(walk: Walk, cls: type) -> bytes:
    """A class: its name, and its content if the name does not lead to it."""
    return walk.part(cls, _encode_type)


def _encode_type(walk: Walk, cls: type) -> bytes:
    if walk.visit is not None:
        walk.visit(cls)
    name = class_name(cls)
    if is_importable(cls):
        # Two namedtuples of one name in one module differ at least in their fields.
        fields = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
        return frame(b"t", [walk.token(name), walk.temporary(fields)])
    return frame(b"u", [walk.token(name), walk.seal(encode_class_content(walk, cls))])


def encode_class_content(walk: Walk, cls: type) -> bytes:
    """Bases and attributes of a class, as they were written."""
    content = {
        name: held
        for name, held in vars(cls).items()
        if name not in CLASS_NOISE and not isinstance(held, MACHINERY)
    }
    walk.keep(content)
    return frame(b"x", [walk.temporary(cls.__bases__), walk.token(type(cls)), walk.token(content)])


def _function(walk: Walk, function: FunctionType) -> bytes:
    return walk.part(function, _encode_any_function)


def _encode_any_function(walk: Walk, function: FunctionType) -> bytes:
    if walk.visit is not None:
        walk.visit(function)
    name = walk.token(function_name(function))
    if is_library(function.__module__) and is_importable(function):
        return frame(b"n", [name])
    return frame(b"f", [name, walk.seal(encode_function(walk, function)), walk.token(vars(function))])


def encode_function(walk: Walk, function: FunctionType) -> bytes:
    """Code, defaults and captured values of a function, without its name and attributes."""
    captured = [_cell_content(cell) for cell in function.__closure__ or ()]
    walk.keep(captured)
    parts = [
        walk.token(function.__code__),
        walk.token(function.__defaults__),
        walk.token(function.__kwdefaults__),
        walk.token(captured),
    ]
    return frame(b"f", parts)


def _cell_content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return NotImplemented


def _code(walk: Walk, code: CodeType) -> bytes:
    return walk.part(code, hashing.code.encode_code)


def _cell(walk: Walk, cell: CellType) -> bytes:
    return walk.part(cell, lambda walk, cell: frame(b"(", [walk.token(_cell_content(cell))]))


def _builtin(walk: Walk, function: Any) -> bytes:
    """A function written in C: by name, with the object that it is bound to."""
    owner = function.__self__
    name = walk.token(function.__qualname__)
    if owner is None or isinstance(owner, ModuleType):
        return walk.seal(frame(b"n", [walk.token(function_name(function))]))
    return walk.seal(frame(b"h", [name, walk.token(owner)]))


def _method(walk: Walk, method: MethodType) -> bytes:
    return walk.seal(frame(b"h", [walk.token(method.__func__), walk.token(method.__self__)]))


def _module(walk: Walk, module: ModuleType) -> bytes:
    if walk.visit is not None:
        walk.visit(module)
    return walk.seal(frame(b"W", [walk.token(module.__name__)]))


def _wrapper(walk: Walk, value: Any) -> bytes:
    """``staticmethod`` and ``classmethod``."""
    return walk.seal(frame(b"w", [walk.token(type(value).__name__), walk.token(value.__func__)]))


def _property(walk: Walk, value: property) -> bytes:
    return walk.seal(frame(b"p", walk.tokens([value.fget, value.fset, value.fdel])))


def _cached_property(walk: Walk, value: "cached_property[Any]") -> bytes:
    return walk.seal(frame(b"p", walk.tokens([value.func])))


def _partial(walk: Walk, value: "partial[Any]") -> bytes:
    return walk.part(
        value,
        lambda walk, value: frame(
            b"r", walk.tokens([value.func, value.keywords, value.args, *_added(value)])
        ),
    )


def _added(value: "partial[Any]") -> list[dict[str, Any]]:
    return [vars(value)] if vars(value) else []


OBJECT_RULES: dict[type, Rule] = {
    FunctionType: _function,
    BuiltinFunctionType: _builtin,
    MethodType: _method,
    ModuleType: _module,
    CodeType: _code,
    CellType: _cell,
    type: type_rule,
    staticmethod: _wrapper,
    classmethod: _wrapper,
    property: _property,
    cached_property: _cached_property,
    partial: _partial,
}

"""What instances hold, and which of their methods change it.

A global that is a configuration object counts by its content, like a dict would. Everything is read off the
class and the instance's own storage: no code of the user is run, and proxies are not asked.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from types import (
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    SimpleNamespace,
    WrapperDescriptorType,
)
from typing import Any, TypeAlias

from .bytecode import own_uses
from .leaves import WRAPPER_NOISE, is_code, is_container, is_small_array, is_value, leaves, wrapped
from .library import is_users
from .names import class_name

__all__ = ["Outline", "called_by", "changed_by", "is_simple", "is_written_in_c", "state_of"]

_OPENED = frozenset(("types:SimpleNamespace", "argparse:Namespace"))
_WRITTEN_IN_C = (MethodDescriptorType, WrapperDescriptorType)
_BUILDERS = frozenset(
    [
        "__init__",
        "__new__",
        "__post_init__",
        "__setstate__",
        "__setattr__",
        "__delattr__",
        "__setitem__",
        "__delitem__",
        "__init_subclass__",
        "__set_name__",
    ]
)
"""Methods that are run to make an instance, or by an assignment that a survey sees by itself."""

State: TypeAlias = "Mapping[str, Any] | None"  # Any: the values of users' attributes


def state_of(value: Any, packages: frozenset[str]) -> State:
    """The attributes of an instance of a user's class, a dataclass or a plain namespace.

    ``None`` for anything else, and for what may hold more than attributes (subclasses of what is written
    in C).
    """
    cls = type(value)
    if not _is_opened(cls, packages):
        return None
    found: dict[str, Any] = {}
    for base in cls.__mro__:
        for name, held in vars(base).items():
            if name == "__dict__":
                found.update(_dict_of(held, value))
            elif type(held) is MemberDescriptorType:
                try:
                    found.setdefault(f"{base.__qualname__}.{name}", held.__get__(value))
                except AttributeError:  # a slot that was never filled
                    continue
    noise = WRAPPER_NOISE if "__wrapped__" in found else ()
    return {name: held for name, held in found.items() if name not in noise}


def _is_opened(cls: type, packages: frozenset[str]) -> bool:
    if issubclass(cls, type):
        return False
    if class_name(cls) in _OPENED:
        return True
    if not is_users(cls.__module__, packages) and "__dataclass_fields__" not in vars(cls):
        return False
    if cls.__getattribute__ is not object.__getattribute__:  # a proxy, for all that is known
        return False
    return not is_written_in_c(cls)


def is_written_in_c(cls: type) -> bool:
    """Whether instances may hold what no attribute shows: a base other than `object` has methods in C."""
    inherited = [base for base in cls.__mro__ if base is not object and base is not SimpleNamespace]
    return any(type(held) in _WRITTEN_IN_C for base in inherited for held in vars(base).values())


def _dict_of(descriptor: Any, value: Any) -> dict[str, Any]:
    """The instance's ``__dict__`` through the descriptor of its class; an empty one for impostors."""
    if type(descriptor) not in (GetSetDescriptorType, MemberDescriptorType):
        return {}
    held = descriptor.__get__(value)
    return held if type(held) is dict else {}


def is_simple(value: Any) -> bool:
    """Whether a leaf counts by its content: it cannot change, is code that is followed, or a small array."""
    return is_value(value) or is_code(value) or is_small_array(value)


def changed_by(cls: type, called: frozenset[str]) -> str | None:
    """The name of a method that changes the instance it is called on, and that `called` leads to.

    Special methods count as called, those that build an instance do not.
    """
    methods: dict[str, FunctionType] = {}
    for base in reversed(cls.__mro__):
        for name, held in vars(base).items():
            methods.update({name: held} if type(held) is FunctionType else _inner(name, held))
    reached = [name for name in methods if name in called or (_is_special(name) and name not in _BUILDERS)]
    seen = set(reached)
    for name in reached:  # grows
        own = own_uses(methods[name].__code__)
        if own.changes:
            return name
        more = (own.reads & methods.keys()) - seen
        seen |= more
        reached += sorted(more)
    return None


def called_by(function: FunctionType, attributes: frozenset[str]) -> frozenset[str]:
    """Without what a method calls on its own instance: that counts if the method itself is called."""
    owner = function.__qualname__.rpartition(".")[0]
    is_method = owner and not owner.endswith("<locals>")
    return own_uses(function.__code__).others if is_method else attributes


def _inner(name: str, held: Any) -> dict[str, FunctionType]:
    """The function behind a property or a wrapped method."""
    if type(held) is cached_property:  # it runs once, and what it leaves counts from then on
        return {}
    parts = wrapped(held) or []
    return {name: parts[0]} if parts and type(parts[0]) is FunctionType else {}


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


class Outline:
    """Values of which some parts count by content, reduced to those parts.

    Parameters
    ----------
    packages
        As in `is_users`.
    opens
        Whether instances of a class may be opened; those that the tracked code changes are not.
    """

    __slots__ = ("_opens", "_packages")

    def __init__(self, packages: frozenset[str], opens: Callable[[type], bool]) -> None:
        self._packages = packages
        self._opens = opens

    def raw_state(self, value: Any) -> State:
        """The attributes of an instance that may be opened, whatever they are."""
        held = state_of(value, self._packages)
        return held if held is not None and self._opens(type(value)) else None

    def state(self, value: Any) -> State:
        """The attributes of an instance if all that lies in them is simple."""
        held = self.raw_state(value)
        if held is None:
            return None
        found = leaves(value, self.raw_state)
        return held if found is not None and all(map(is_simple, found[0])) else None

    def of(self, value: Any, inside: tuple[int, ...] = ()) -> Any:
        """Dicts, lists and simple leaves that stand for what counts; the rest is ``NotImplemented``."""
        if is_simple(value):
            return value
        kind = type(value)
        state = None if is_container(value) else self.state(value)
        parts = None if state is not None else wrapped(value)
        if parts is not None and id(value) not in inside:
            return (class_name(kind), [self.of(part, (*inside, id(value))) for part in parts])
        if id(value) in inside or (state is None and not is_container(value)):
            return NotImplemented
        inside = (*inside, id(value))
        content: Any
        if state is not None or issubclass(kind, Mapping):
            pairs = (value if state is None else state).items()
            content = {name: self.of(held, inside) for name, held in pairs if is_simple(name)}
        elif issubclass(kind, (set, frozenset)):
            content = {held for held in value if is_simple(held)}
        elif kind is bytearray:
            content = bytes(value)
        else:
            content = [self.of(held, inside) for held in value]
        return (class_name(kind), content)

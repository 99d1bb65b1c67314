"""What classes and modules hold for a survey: what users wrote, not what libraries keep there."""

import dataclasses
from types import FunctionType, ModuleType
from typing import Any, get_args, get_origin

from .leaves import is_code, is_value
from .names import class_name
from .objects import CLASS_NOISE, MACHINERY

__all__ = ["class_members", "field_members", "makes", "own_names", "place_of"]

# Any: whatever users put into their classes and modules.

# What pydantic works out from the fields of a model: with addresses in it, or filled as instances are used.
_WORKED_OUT = frozenset(("__signature__", "__class_vars__", "__private_attributes__", "__weakref__"))
_FIELD = ("default", "default_factory", "alias", "validation_alias", "frozen", "validate_default", "exclude")


def class_members(cls: type) -> dict[str, Any]:
    """The attributes of a class, as they were written."""
    is_model = "__pydantic_fields__" in vars(cls)
    return {
        name: held
        for name, held in vars(cls).items()
        if name not in CLASS_NOISE
        and not isinstance(held, MACHINERY)
        and not _is_sunder(name)
        and not (is_model and _is_worked_out(name))
    }


def field_members(cls: type) -> dict[str, Any]:
    """Fields, private attributes and decorators of a pydantic model as plain values; else nothing."""
    found: dict[str, Any] = {}
    for name, field in (vars(cls).get("__pydantic_fields__") or {}).items():
        found[f"{name}: type"] = _annotation(field.annotation)
        found[f"{name}: constraints"] = tuple(map(_told, field.metadata))
        told = {what: getattr(field, what, None) for what in _FIELD}
        found.update({f"{name}: {what}": held for what, held in told.items() if held is not None})
    for name, held in (vars(cls).get("__private_attributes__") or {}).items():
        found[f"{name}: default"] = held.default
        found[f"{name}: default_factory"] = held.default_factory
    decorators = vars(cls).get("__pydantic_decorators__")
    for kind in getattr(decorators, "__dataclass_fields__", ()):
        for name, decorator in getattr(decorators, kind).items():
            found[f"{kind} {name}"] = _told(decorator.info)
    return found


def _annotation(kind: Any) -> Any:
    """A type, or nested tuples of types and texts for ``list[int] | None``."""
    parts = get_args(kind)
    if parts:
        return (_annotation(get_origin(kind)), *map(_annotation, parts))
    return kind if is_code(kind) or is_value(kind) else str(kind)


def _told(item: Any) -> Any:
    """What an annotation or a decorator says, such as ``Ge(3)``: its type and attributes."""
    if dataclasses.is_dataclass(item):
        held = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
    else:
        held = getattr(item, "__dict__", {})
    return (class_name(type(item)), *(part for pair in sorted(held.items()) for part in pair))


def _is_worked_out(name: str) -> bool:
    return name in _WORKED_OUT or name.startswith("__pydantic_")


def _is_sunder(name: str) -> bool:
    """``_value2member_map_`` and the like: what `enum` keeps about a class beside its members."""
    return name.startswith("_") and name.endswith("_") and not name.startswith("__")


def makes(module: ModuleType, name: str) -> bool:
    """Whether a module makes a name when it is first read (PEP 562), which the call does in any case."""
    if "__getattr__" not in vars(module):
        return False
    try:
        getattr(module, name)
    except Exception:  # noqa: BLE001 - users' code, or an import that fails; so will the call
        return False
    return True


def own_names(module: ModuleType) -> frozenset[str]:
    """The names in a module, without those that Python puts there."""
    return frozenset(name for name in vars(module) if not name.startswith("__"))


def place_of(namespace: dict[str, Any], chain: tuple[str, ...]) -> tuple[int, str]:
    """The identity of the namespace or class, and the name in it, that an assignment to a chain reaches."""
    holder: Any = namespace
    for place, name in enumerate(chain[:-1]):
        value = (vars(holder) if isinstance(holder, type) else holder).get(name)
        if isinstance(value, ModuleType):
            holder = vars(value)
        elif isinstance(value, type):
            holder = value
        elif isinstance(value, FunctionType):
            holder = vars(value)
        else:
            return id(holder), chain[place]
    return id(holder), chain[-1]

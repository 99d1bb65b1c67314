"""Constructors for the types, fields and schemas of Arrow.

Types are trees whose branches may be shared, so that a few bytes could describe one of 2**30 parts: every
type is counted when it is made. Unions, views of lists, run-end encoded and extension types are not built.
"""

import re
from collections.abc import Callable
from typing import Any

from ...errors import CorruptFileError
from .constructors import Constructor, Family, Kit, checked, checked_all
from .scan import Name

# Any: values of a file, types of a library that may not be installed.
__all__ = ["FAMILY", "checked_field", "checked_type", "fields_of", "parts_of"]

_UNITS = ("s", "ms", "us", "ns")
_ALIASES = frozenset(
    [
        *("null", "bool", "halffloat", "float", "double", "date32[day]", "date64[ms]"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *("time32[s]", "time32[ms]", "time64[us]", "time64[ns]", "month_day_nano_interval"),
        *(f"duration[{unit}]" for unit in _UNITS),
        *("string", "large_string", "string_view", "binary", "large_binary", "binary_view"),
    ]
)
_ZONE = re.compile(r"(?!dateutil)[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*|[+-][0-9]{2}:[0-9]{2}")
_WIDTH = 1 << 31
_PARTS, _DEPTH = 10_000, 30
_PART = 100  # bytes that a part counts as, by the time it takes


def checked_type(kit: Kit, kind: Any) -> Any:
    """`kind`, if it is a type of Arrow."""
    if not isinstance(kind, kit.arrow.DataType):
        raise CorruptFileError(f"a {type(kind).__name__} is no type of Arrow")
    return kind


def checked_field(kit: Kit, field: Any) -> Any:
    """`field`, if it is one."""
    return checked(field, kit.arrow.Field, "a field")


def fields_of(kit: Kit, kind: Any) -> list[Any]:
    """The fields that a type consists of."""
    types = kit.arrow.types
    if types.is_struct(kind):
        return [kind.field(index) for index in range(kind.num_fields)]
    if types.is_map(kind):
        return [kind.key_field, kind.item_field]
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return [kind.value_field]
    return []


def parts_of(kit: Kit, kind: Any) -> list[Any]:
    """The types of the children that an array of type `kind` has."""
    fields = fields_of(kit, kind)
    return [kit.arrow.struct(fields)] if kit.arrow.types.is_map(kind) else [field.type for field in fields]


def _counted(kit: Kit, kind: Any) -> Any:
    """A new type, unless it has too many parts."""
    waiting, count = [(kind, 0)], 0
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if count > _PARTS or depth > _DEPTH:
            raise CorruptFileError("a type of Arrow has too many parts")
        fields = fields_of(kit, part)
        inner = [part.value_type] if kit.arrow.types.is_dictionary(part) else [each.type for each in fields]
        waiting.extend((each, depth + 1) for each in inner)
    kit.spend(_PART * count)
    return kind


def _by_alias(kit: Kit) -> Constructor:
    def call(alias: Any) -> Any:
        if checked(alias, str, "a type of Arrow") not in _ALIASES:
            raise CorruptFileError(f"arrays of Arrow of type {alias[:40]!r} are not built")
        return kit.arrow.type_for_alias(alias)

    return Constructor(None, call)


def _timestamp(kit: Kit) -> Constructor:
    def call(unit: Any, zone: Any = None) -> Any:
        if checked(unit, str, "a unit of time") not in _UNITS:
            raise CorruptFileError(f"{unit[:40]!r} is no unit of time")
        if zone is not None and not _ZONE.fullmatch(checked(zone, str, "a time zone")):
            raise CorruptFileError(f"{zone[:40]!r} is no time zone")
        return kit.arrow.timestamp(unit, zone)

    return Constructor(None, call)


def _decimal(name: str) -> Callable[[Kit], Constructor]:
    def call(kit: Kit, precision: Any, scale: Any) -> Any:
        for value in checked_all((precision, scale), int, "a precision"):
            if not -1000 < value < 1000:
                raise CorruptFileError(f"{value} is no precision of a decimal")
        return getattr(kit.arrow, name)(precision, scale)

    return lambda kit: Constructor(None, lambda *arguments: call(kit, *arguments))


def _width(value: Any) -> int:
    if not 0 <= checked(value, int, "a width") < _WIDTH:
        raise CorruptFileError(f"{value} is no width of an item")
    return int(value)


def _binary(kit: Kit) -> Constructor:
    return Constructor(None, lambda width: kit.arrow.binary(_width(width)))


def _list(kit: Kit) -> Constructor:
    def call(item: Any, size: Any = None) -> Any:
        _check_item(kit, item)
        return _counted(kit, kit.arrow.list_(item) if size is None else kit.arrow.list_(item, _width(size)))

    return Constructor(None, call)


def _check_item(kit: Kit, item: Any) -> None:
    if type(item) is not kit.arrow.Field:
        checked_type(kit, item)


def _large_list(kit: Kit) -> Constructor:
    def call(item: Any) -> Any:
        _check_item(kit, item)
        return _counted(kit, kit.arrow.large_list(item))

    return Constructor(None, call)


def _struct(kit: Kit) -> Constructor:
    def call(fields: Any) -> Any:
        for field in checked(fields, list, "fields"):
            checked_field(kit, field)
        return _counted(kit, kit.arrow.struct(fields))

    return Constructor(None, call)


def _map(kit: Kit) -> Constructor:
    def call(key: Any, value: Any, is_sorted: Any = False) -> Any:
        for item in (key, value):
            _check_item(kit, item)
        return _counted(kit, kit.arrow.map_(key, value, checked(is_sorted, bool, "whether keys are sorted")))

    return Constructor(None, call)


def _dictionary(kit: Kit) -> Constructor:
    def call(indices: Any, values: Any, ordered: Any = False) -> Any:
        if not kit.arrow.types.is_integer(checked_type(kit, indices)):
            raise CorruptFileError("the indices of a dictionary are no whole numbers")
        checked(ordered, bool, "whether categories are ordered")
        return _counted(kit, kit.arrow.dictionary(indices, checked_type(kit, values), ordered))

    return Constructor(None, call)


def _checked_notes(notes: Any) -> Any:
    """What somebody has noted about a field or schema."""
    if notes is not None:
        checked(notes, dict, "metadata")
        checked_all(notes, (bytes, str), "metadata")
        checked_all(notes.values(), (bytes, str), "metadata")
        if any(key[:5] in ("ARROW", b"ARROW") for key in notes):  # libraries take it for a type of theirs
            raise CorruptFileError("a field has metadata that makes another type of it")
    return notes


def _field(kit: Kit) -> Constructor:
    def call(name: Any, kind: Any, nullable: Any = True, notes: Any = None) -> Any:
        checked(name, str, "the name of a field")
        checked(nullable, bool, "whether items may be missing")
        return kit.arrow.field(name, checked_type(kit, kind), nullable, _checked_notes(notes))

    return Constructor(None, call)


def _schema(kit: Kit) -> Constructor:
    def call(fields: Any, notes: Any = None) -> Any:
        for field in checked(fields, list, "fields"):
            checked_field(kit, field)
        kit.spend(_PART * len(fields))
        return kit.arrow.schema(fields, _checked_notes(notes))

    return Constructor(None, call)


_LIB = "pyarrow.lib"
FAMILY: Family = {
    Name(_LIB, "type_for_alias"): _by_alias,
    Name(_LIB, "timestamp"): _timestamp,
    **{Name(_LIB, f"decimal{bits}"): _decimal(f"decimal{bits}") for bits in (32, 64, 128, 256)},
    Name(_LIB, "binary"): _binary,
    Name(_LIB, "list_"): _list,
    Name(_LIB, "large_list"): _large_list,
    Name(_LIB, "struct"): _struct,
    Name(_LIB, "map_"): _map,
    Name(_LIB, "dictionary"): _dictionary,
    Name(_LIB, "field"): _field,
    Name(_LIB, "schema"): _schema,
}

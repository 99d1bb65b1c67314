"""Constructors for the types, fields and schemas of Arrow.

Types are trees whose branches may be shared, so that a few bytes could describe one of 2**30 parts: every
type is counted when it is made. Of extension types those are built that Arrow brings along: all others would
run code of whoever has registered them.
"""

import re
from collections.abc import Callable
from math import prod
from typing import Any

from ...errors import CorruptFileError
from .constructors import Constructor, Family, Kit, checked, checked_all
from .scan import Name

# Any: values of a file, types of a library that may not be installed.
__all__ = [
    "FAMILY",
    "LISTS",
    "checked_field",
    "checked_type",
    "checked_zone",
    "counted",
    "fields_of",
    "is_one",
    "parts_of",
    "room_of",
]

LISTS = ("LIST", "LARGE_LIST", "FIXED_SIZE_LIST", "LIST_VIEW", "LARGE_LIST_VIEW")
"""The types whose items are lists."""


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
_VIEW = 16  # bytes, of the largest items that have one width
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
    if types.is_union(kind):
        return [kind.field(index) for index in range(kind.num_fields)]
    if is_one(kit, kind, LISTS):
        return [kind.value_field]
    if is_one(kit, kind, ("RUN_END_ENCODED",)):
        ends, values = kind.run_end_type, kind.value_type
        return [kit.arrow.field("run_ends", ends), kit.arrow.field("values", values)]
    if isinstance(kind, kit.arrow.BaseExtensionType):
        return fields_of(kit, kind.storage_type)
    return []


def is_one(kit: Kit, kind: Any, names: tuple[str, ...]) -> bool:
    """Whether a type is one of those, of which older versions of Arrow do not know all."""
    return kind.id in [getattr(kit.arrow.lib, f"Type_{name}", None) for name in names]


def parts_of(kit: Kit, kind: Any) -> list[Any]:
    """The types of the children that an array of type `kind` has."""
    fields = fields_of(kit, kind)
    return [kit.arrow.struct(fields)] if kit.arrow.types.is_map(kind) else [field.type for field in fields]


def room_of(kit: Kit, kind: Any) -> int:
    """Most bytes that an item takes for which the file has none: lists of one length are written out."""
    types = kit.arrow.types
    if types.is_fixed_size_binary(kind):
        return int(kind.byte_width)
    rooms = [room_of(kit, field.type) for field in fields_of(kit, kind)]
    if types.is_fixed_size_list(kind):
        return int(kind.list_size) * rooms[0]
    return max(_VIEW, sum(rooms))


def counted(kit: Kit, kind: Any) -> Any:
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
        return kit.arrow.timestamp(unit, checked_zone(zone))

    return Constructor(None, call)


def checked_zone(zone: Any) -> str | None:
    """`zone`, if it is the name of a time zone that leads to no file elsewhere, an offset, or ``None``."""
    if zone is not None and not _ZONE.fullmatch(checked(zone, str, "a time zone")):
        raise CorruptFileError(f"{zone[:40]!r} is no time zone")
    return zone  # type: ignore[no-any-return]  # it was checked


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
        return counted(kit, kit.arrow.list_(item) if size is None else kit.arrow.list_(item, _width(size)))

    return Constructor(None, call)


def _check_item(kit: Kit, item: Any) -> None:
    if type(item) is not kit.arrow.Field:
        checked_type(kit, item)


def _list_like(name: str) -> Callable[[Kit], Constructor]:
    def call(kit: Kit, item: Any) -> Any:
        _check_item(kit, item)
        return counted(kit, getattr(kit.arrow, name)(item))

    return lambda kit: Constructor(None, lambda item: call(kit, item))


def _struct(kit: Kit) -> Constructor:
    def call(fields: Any) -> Any:
        for field in checked(fields, list, "fields"):
            checked_field(kit, field)
        return counted(kit, kit.arrow.struct(fields))

    return Constructor(None, call)


def _map(kit: Kit) -> Constructor:
    def call(key: Any, value: Any, is_sorted: Any = False) -> Any:
        for item in (key, value):
            _check_item(kit, item)
        return counted(kit, kit.arrow.map_(key, value, checked(is_sorted, bool, "whether keys are sorted")))

    return Constructor(None, call)


def _union(kit: Kit) -> Constructor:
    def call(fields: Any, mode: Any, codes: Any = None) -> Any:
        for field in checked(fields, list, "fields"):
            checked_field(kit, field)
        if checked(mode, str, "how a union is laid out") not in ("dense", "sparse"):
            raise CorruptFileError(f"{mode[:40]!r} is no layout of a union")
        if codes is None:
            codes = list(range(len(fields)))
        checked_all(checked(codes, list, "codes of types"), int, "the code of a type")
        if not len(codes) == len(set(codes)) == len(fields) or not all(0 <= code < 128 for code in codes):
            raise CorruptFileError("a union has codes that do not fit its types")
        return counted(kit, kit.arrow.union(fields, mode, codes))

    return Constructor(None, call)


def _run_end_encoded(kit: Kit) -> Constructor:
    def call(ends: Any, values: Any) -> Any:
        if not is_one(kit, checked_type(kit, ends), ("INT16", "INT32", "INT64")):
            raise CorruptFileError(f"{str(ends)[:40]} is no type of the ends of runs")
        return counted(kit, kit.arrow.run_end_encoded(ends, checked_type(kit, values)))

    return Constructor(None, call)


def _extension(name: str) -> Callable[[Kit], Constructor]:
    return lambda kit: Constructor(None, getattr(kit.arrow, name))


def _json(kit: Kit) -> Constructor:
    return Constructor(None, lambda kind: counted(kit, kit.arrow.json_(checked_type(kit, kind))))


def _opaque(kit: Kit) -> Constructor:
    def call(storage: Any, name: Any, vendor: Any) -> Any:
        checked_all((name, vendor), str, "the name of a type")
        return counted(kit, kit.arrow.opaque(checked_type(kit, storage), name, vendor))

    return Constructor(None, call)


def _tensor(kit: Kit) -> Constructor:
    def call(item: Any, shape: Any, names: Any = None, order: Any = None) -> Any:
        lengths = checked(shape, list, "a shape")
        if len(lengths) > _DEPTH or prod(_width(length) for length in lengths) >= _WIDTH:
            raise CorruptFileError("it gives as a shape of tensors what is none")
        if order is not None:
            checked_all(checked(order, list, "an order"), int, "an axis")
            if sorted(order) != list(range(len(lengths))):
                raise CorruptFileError("the axes of a tensor are not in an order")
        if names is not None and len(checked_all(checked(names, list, "names"), str, "a name")) != len(
            lengths
        ):
            raise CorruptFileError("the axes of a tensor have too many or too few names")
        made = kit.arrow.fixed_shape_tensor(checked_type(kit, item), lengths, names, order)
        return counted(kit, made)

    return Constructor(None, call)


def _dictionary(kit: Kit) -> Constructor:
    def call(indices: Any, values: Any, ordered: Any = False) -> Any:
        if not kit.arrow.types.is_integer(checked_type(kit, indices)):
            raise CorruptFileError("the indices of a dictionary are no whole numbers")
        checked(ordered, bool, "whether categories are ordered")
        return counted(kit, kit.arrow.dictionary(indices, checked_type(kit, values), ordered))

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
    **{Name(_LIB, name): _list_like(name) for name in ("large_list", "list_view", "large_list_view")},
    Name(_LIB, "union"): _union,
    Name(_LIB, "run_end_encoded"): _run_end_encoded,
    **{Name(_LIB, name): _extension(name) for name in ("uuid", "bool8")},
    Name(_LIB, "json_"): _json,
    Name(_LIB, "opaque"): _opaque,
    Name(_LIB, "fixed_shape_tensor"): _tensor,
    Name(_LIB, "struct"): _struct,
    Name(_LIB, "map_"): _map,
    Name(_LIB, "dictionary"): _dictionary,
    Name(_LIB, "field"): _field,
    Name(_LIB, "schema"): _schema,
}

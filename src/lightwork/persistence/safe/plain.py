"""Constructors for the types of the standard library: containers, numbers, dates, paths."""

import re
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

from ...errors import CorruptFileError
from ...system.optional import on_demand
from .constructors import Constructor, Family, Kit, Later, as_value, checked, checked_all, checked_class
from .scan import Name

# Any: values of a file.
__all__ = ["FACTORIES", "FAMILY", "check_zone"]

FACTORIES = (bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, set, str, tuple)
"""Classes that may be values: `defaultdict` calls them, others only name them."""

_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_RATIO = re.compile(r"-?[0-9]+(/[0-9]+)?")
_DIGITS = 4300  # of a fraction: beyond, making one takes a time that grows with their square


def _complex(real: float, imaginary: float) -> complex:
    return complex(
        checked(real, float, "a part of a number"), checked(imaginary, float, "a part of a number")
    )


def _slice(*parts: Any) -> slice:
    return slice(*checked_all(parts, (int, str, float, type(None)), "an end of a slice"))


def _range(*parts: Any) -> range:
    return range(*checked_all(parts, int, "an end of a range"))


def _view(kit: Kit) -> Constructor:
    """The view that small arrays share."""

    def call(buffer: Any) -> memoryview:
        kit.claims.share(checked(buffer, (memoryview, bytearray, bytes), "a buffer"))
        return memoryview(buffer)

    return Constructor(memoryview, call)


def _bytearray(content: Any = b"") -> bytearray:
    return bytearray(checked(content, bytes, "the content of a bytearray"))


def _counter(counts: Any) -> Counter[Any]:
    return Counter(checked(counts, dict, "counts"))


def _ordered() -> OrderedDict[Any, Any]:
    return OrderedDict()


def _defaultdict(factory: Any = None) -> defaultdict[Any, Any]:
    if factory is not None:
        checked_class(factory, FACTORIES, "what a defaultdict may call")
    return defaultdict(factory)


def _deque(items: Any = (), maxlen: Any = None) -> deque[Any]:
    return deque(checked(items, (tuple, list), "items"), checked(maxlen, (int, type(None)), "a length"))


def _decimal(kit: Kit) -> Constructor:
    kind = on_demand("decimal").Decimal
    return Constructor(kind, lambda text: kind(checked(text, str, "a number")))


def _fraction(kit: Kit) -> Constructor:
    kind = on_demand("fractions").Fraction

    def make(*parts: Any) -> Any:
        for part in checked_all(parts, (int, str), "a part of a number"):
            if (len(part) if type(part) is str else part.bit_length() // 4) > _DIGITS:
                raise CorruptFileError("a number has too many digits")
            if type(part) is str and not _RATIO.fullmatch(part):  # an exponent would be worked out
                raise CorruptFileError(f"{part[:40]!r} is no fraction")
        return kind(*parts)

    return Constructor(kind, make)


def _uuid(kit: Kit) -> Constructor:
    def build(state: Any) -> uuid.UUID:
        safe = uuid.SafeUUID(checked(state.get("is_safe"), (int, type(None)), "whether it is safe"))
        return uuid.UUID(int=checked(state["int"], int, "a number"), is_safe=safe)

    return Constructor(uuid.UUID, None, lambda: Later(build))


def _of_bytes(name: str, length: int) -> Callable[[Kit], Constructor]:
    """``date``, ``time``, ``datetime``: bytes as their own pickles have them, and perhaps a time zone."""

    def constructor(kit: Kit) -> Constructor:
        datetime = on_demand("datetime")
        kind = getattr(datetime, name)

        def make(content: Any, *zone: Any) -> Any:
            if len(checked(content, bytes, "a date")) != length or len(zone) > 1:
                raise CorruptFileError(f"{len(content)} bytes are no {name}")
            for zone_info in zone:
                check_zone(zone_info)
            return kind(content, *zone).replace()  # checks the fields; taking them from bytes does not

        return Constructor(kind, make)

    return constructor


def check_zone(zone: Any) -> None:
    """Raise `CorruptFileError` unless `zone` was built here: a name may lead pandas to any file."""
    kinds = [on_demand("datetime").timezone, on_demand("zoneinfo").ZoneInfo]
    if type(zone) not in kinds:
        raise CorruptFileError(f"a {type(zone).__name__} is no time zone")


def _timedelta(kit: Kit) -> Constructor:
    kind = on_demand("datetime").timedelta
    return Constructor(kind, lambda *parts: kind(*checked_all(parts, int, "a time")))


def _timezone(kit: Kit) -> Constructor:
    datetime = on_demand("datetime")

    def make(offset: Any, *name: Any) -> Any:
        checked(offset, datetime.timedelta, "an offset")
        return datetime.timezone(offset, *checked_all(name, str, "a name"))

    return Constructor(datetime.timezone, make)


_UNPICKLE = Name("zoneinfo", "ZoneInfo._unpickle")


def _zone_info(kit: Kit) -> Constructor:
    return Constructor(on_demand("zoneinfo").ZoneInfo)


def _zone(key: Any, from_cache: Any = True) -> Any:
    """A zone by its key, which names a file of the system: only keys that cannot leave its folder."""
    if not _ZONE.fullmatch(checked(key, str, "the name of a time zone")):
        raise CorruptFileError(f"{key[:40]!r} is no time zone")
    kind = on_demand("zoneinfo").ZoneInfo
    return kind(key) if from_cache else kind.no_cache(key)


def _attribute(owner: Any, name: Any) -> Any:
    """``getattr``, for the one use that pickles of the standard library make of it."""
    if owner is not on_demand("zoneinfo").ZoneInfo or checked(name, str, "a name") != "_unpickle":
        raise CorruptFileError("it asks for an attribute")
    return ZONE


ZONE = Constructor(None, _zone)


def _path(name: str) -> Callable[[Kit], Constructor]:
    def constructor(kit: Kit) -> Constructor:
        kind = getattr(on_demand("pathlib"), name)
        return Constructor(kind, lambda *parts: kind(*checked_all(parts, str, "a part of a path")))

    return constructor


def _called(value: Any, call: Callable[..., Any] | None) -> Callable[[Kit], Constructor]:
    return lambda kit: Constructor(value, call)


FAMILY: Family = {
    **{Name("builtins", kind.__name__): as_value(kind) for kind in FACTORIES},
    Name("builtins", "Ellipsis"): as_value(...),
    Name("builtins", "NotImplemented"): as_value(NotImplemented),
    Name("builtins", "bytearray"): _called(bytearray, _bytearray),
    Name("builtins", "complex"): _called(complex, _complex),
    Name("builtins", "getattr"): _called(None, _attribute),
    Name("builtins", "memoryview"): _view,
    Name("builtins", "range"): _called(range, _range),
    Name("builtins", "slice"): _called(slice, _slice),
    Name("collections", "Counter"): _called(Counter, _counter),
    Name("collections", "OrderedDict"): _called(OrderedDict, _ordered),
    Name("collections", "defaultdict"): _called(defaultdict, _defaultdict),
    Name("collections", "deque"): _called(deque, _deque),
    Name("datetime", "date"): _of_bytes("date", 4),
    Name("datetime", "datetime"): _of_bytes("datetime", 10),
    Name("datetime", "time"): _of_bytes("time", 6),
    Name("datetime", "timedelta"): _timedelta,
    Name("datetime", "timezone"): _timezone,
    Name("decimal", "Decimal"): _decimal,
    Name("fractions", "Fraction"): _fraction,
    Name("uuid", "UUID"): _uuid,
    Name("zoneinfo", "ZoneInfo"): _zone_info,
    _UNPICKLE: _called(None, _zone),
    **{
        Name(module, name): _path(name)
        for module in ("pathlib", "pathlib._local")
        for name in ("PosixPath", "PurePosixPath", "PureWindowsPath")
    },
}

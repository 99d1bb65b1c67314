"""Hostile files that give one buffer to two values: it is checked for one, and the other could change it."""

from tests.unit.persistence.hostile_parts import alias, ends
from tests.unit.persistence.hostile_skeletons import MARK, MEMO, NONE, call, dtype, group, number, sealed

BUFFER, _READ_ONLY = b"\x97", b"\x98"
_TWICE = "one buffer to two values"
_AGAIN = b"h\x00"


def of_arrow(places: bytes) -> bytes:
    """Texts whose ends lie in a buffer."""
    content = call("pyarrow.lib:py_buffer", b"C\x03xyz")
    buffers = b"](" + NONE + call("pyarrow.lib:py_buffer", places) + content + b"e"
    parts = group(alias("string"), number(1), number(0), number(0), buffers, b"]", NONE)
    return call("pyarrow.lib:_restore_array", parts)


def of_numpy(places: bytes) -> bytes:
    made = call("lightwork.parcel.rebuild:array_type")
    return made + group(group(number(2)), dtype("i4"), places) + b"R"


def sealed_around(*parts: bytes) -> bytes:
    return sealed(b"\x80\x05" + MARK + b"".join(parts) + b"t.", buffers=(ends(0, 3),))


BUFFERS: dict[str, tuple[str, bytes, str]] = {
    "checked, then an array": (
        "ends of texts that an array of numbers lies in too",
        sealed_around(of_arrow(BUFFER + MEMO), of_numpy(_AGAIN)),
        _TWICE,
    ),
    "checked, then a view": (
        "ends of texts that a view of bytes lies in too",
        sealed_around(of_arrow(BUFFER + MEMO), call("builtins:memoryview", _AGAIN)),
        _TWICE,
    ),
    "checked and itself": (
        "ends of texts in a buffer that is a value too",
        sealed_around(of_arrow(BUFFER + MEMO), _AGAIN),
        _TWICE,
    ),
    "itself and checked": (
        "the same, the other way round",
        sealed_around(BUFFER + MEMO, of_arrow(_AGAIN)),
        _TWICE,
    ),
    "read-only and itself": (
        "a read-only view that was checked, and the buffer that it is of",
        sealed_around(of_arrow(BUFFER + MEMO + _READ_ONLY), _AGAIN),
        _TWICE,
    ),
    "in a tuple": (
        "the tuple in which the buffer was handed over",
        sealed_around(of_arrow(BUFFER + MEMO), group(_AGAIN)),
        _TWICE,
    ),
}

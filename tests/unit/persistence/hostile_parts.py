"""Instructions for parts of values: texts, arrays and tables of Arrow."""

from typing import NamedTuple

import numpy as np

from tests.unit.persistence.hostile_skeletons import (
    NONE,
    array,
    call,
    data,
    dtype,
    group,
    number,
    text,
)

TRUE, FALSE = b"\x88", b"\x89"
REBUILD = "lightwork.parcel.rebuild"
NO_PARTS = b"]"


class Bad(NamedTuple):
    """The instructions for a value, what they are after, and a part of the message that refuses them."""

    why: str
    value: bytes
    message: str


def listed(*items: bytes) -> bytes:
    return b"](" + b"".join(items) + b"e"


def texts(
    count: int,
    content: bytes,
    *,
    kind: bytes | None = None,
    order: str = "C",
    separator: str = "\0",
    missing: bytes = b")",
) -> bytes:
    found = array(np.frombuffer(content, "u1"))
    shape = group(number(count))
    return call(
        f"{REBUILD}:text_array", shape, kind or dtype("O8"), text(order), found, text(separator), missing
    )


def gaps(places: list[int], value: bytes = NONE) -> bytes:
    """One entry of what is missing."""
    return group(value, array(np.array(places, "i8")))


def alias(kind: str) -> bytes:
    return call("pyarrow.lib:type_for_alias", text(kind))


def field(kind: bytes, label: str = "a", notes: bytes = NONE) -> bytes:
    return call("pyarrow.lib:field", text(label), kind, TRUE, notes)


def parts(
    kind: bytes,
    length: int,
    *buffers: bytes | None,
    offset: int = 0,
    missing: int = 0,
    children: bytes = NO_PARTS,
    dictionary: bytes = NONE,
) -> bytes:
    """The tuple that arrow makes an array of."""
    found = [NONE if each is None else call("pyarrow.lib:py_buffer", data(each)) for each in buffers]
    inside = listed(*found)
    return group(kind, number(length), number(missing), number(offset), inside, children, dictionary)


def restored(kind: bytes, length: int, *buffers: bytes | None, **more: bytes) -> bytes:
    return call("pyarrow.lib:_restore_array", parts(kind, length, *buffers, **more))  # type: ignore[arg-type]  # offsets are numbers


def numbers(count: int = 2) -> bytes:
    """An honest array of arrow."""
    return restored(alias("int64"), count, None, bytes(8 * count))


def chunked(array: bytes, kind: bytes) -> bytes:
    return call("pyarrow.lib:chunked_array", listed(array), kind)


def table(*columns: tuple[bytes, bytes], kinds: tuple[bytes, ...] = ()) -> bytes:
    """Of chunked arrays and their types; `kinds` are those that the table tells instead."""
    told = kinds or tuple(kind for _, kind in columns)
    schema = call("pyarrow.lib:schema", listed(*(field(kind, str(i)) for i, kind in enumerate(told))), NONE)
    return call("pyarrow.lib:_reconstruct_table", listed(*(column for column, _ in columns)), schema)


def ends(*values: int) -> bytes:
    return np.array(values, "<i4").tobytes()

"""Containers in which every checksum is right, around skeletons that no pickler would write."""

import io
import pickle
import struct
import zlib
from typing import Any

import numpy as np

from lightwork.parcel import layout, writer
from lightwork.parcel.codecs import RAW, Packed, compressor

MARK, NONE, REDUCE, BUILD, NEW, MEMO = b"(", b"N", b"R", b"b", b"\x81", b"\x94"


def record(tag: bytes, payload: bytes, *, codec: int = 0, plain: int | None = None) -> bytes:
    size = len(payload) if plain is None else plain
    return layout.pack_frame(tag, payload, codec=codec, plain=size) + payload


def sealed(
    skeleton: bytes,
    *,
    buffers: tuple[bytes, ...] = (),
    skeleton_records: bytes | None = None,
    nbytes: int | None = None,
    facts: bytes | None = None,
) -> bytes:
    """A container in which every checksum is right, whatever `skeleton` says. Buffers are raw."""
    parts = [layout.pack_header()]
    parts.append(skeleton_records if skeleton_records is not None else record(layout.SKELETON, skeleton))
    slots = [layout.Slot(len(buffer), False) for buffer in buffers]
    parts.append(record(layout.TABLE, layout.pack_table(slots)))
    places = []
    for slot, buffer in zip(slots, buffers, strict=True):
        position = sum(map(len, parts))
        parts.append(bytes(layout.padding(position)))
        marks = b"".join(
            layout.piece_digest(memoryview(buffer)[i : i + layout.PIECE])
            for i in range(0, len(buffer), layout.PIECE)
        )
        places.append(layout.Place(slot, position + len(parts[-1]), marks))
        parts.append(buffer)
    tail = sum(map(len, parts))
    payload = layout.pack_tail(layout.Tail({"lightwork": "0"}, places))
    if facts is not None:
        payload = len(facts).to_bytes(8, "little") + facts
    parts.append(record(layout.TAIL, payload))
    total = sum(map(len, parts)) + layout.FOOTER
    size = len(skeleton) if nbytes is None else nbytes
    parts.append(layout.pack_footer(layout.Footer(tail, size, total, changed=False)))
    return b"".join(parts)


def pickled(*parts: bytes) -> bytes:
    return sealed(b"\x80\x05" + b"".join(parts) + b".")


def text(value: str) -> bytes:
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def number(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def name(path: str) -> bytes:
    module, _, last = path.rpartition(":")
    return text(module) + text(last) + b"\x93"


def group(*items: bytes) -> bytes:
    return MARK + b"".join(items) + b"t"


def call(path: str, *arguments: bytes) -> bytes:
    return name(path) + group(*arguments) + REDUCE


def mapping(**items: bytes) -> bytes:
    return b"}" + MARK + b"".join(text(key) + value for key, value in items.items()) + b"u"


def data(content: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(content)) + content


DTYPE_STATE = group(number(3), text("<"), NONE, NONE, NONE, number(-1), number(-1), number(0))


def dtype(code: str) -> bytes:
    state = group(number(3), text("|"), NONE, NONE, NONE, number(-1), number(-1), number(0))
    return (
        call("numpy:dtype", text(code), b"\x89", b"\x88")
        + (DTYPE_STATE if code[0] in "iuf" else state)
        + BUILD
    )


def array(values: Any) -> bytes:
    """A small array that is written as numpy's own pickles do."""
    found = np.asarray(values)
    start = call("numpy._core.multiarray:_reconstruct", name("numpy:ndarray"), group(number(0)), data(b"b"))
    code = f"{found.dtype.kind}{found.itemsize}"
    shape = group(*(number(length) for length in found.shape))
    return start + group(number(1), shape, dtype(code), b"\x89", data(found.tobytes())) + BUILD


def object_array(count: int, *items: bytes) -> bytes:
    start = call("numpy._core.multiarray:_reconstruct", name("numpy:ndarray"), group(number(0)), data(b"b"))
    inside = b"]" + MARK + b"".join(items) + b"e"
    return start + group(number(1), group(number(count)), dtype("O8"), b"\x89", inside) + BUILD


class Reduced:
    """Pickles as what it is given."""

    def __init__(self, *reduction: Any) -> None:
        self.reduction = reduction

    def __reduce__(self) -> Any:
        return self.reduction


def old(value: Any, protocol: int) -> bytes:
    """A skeleton of an older protocol."""
    return sealed(pickle.dumps(value, protocol))


def bomb_of_zeros() -> bytes:
    """Memory in some kilobytes of file, every block in order."""
    zeros = memoryview(bytes(layout.CHUNK))
    packed = compressor("zstd", 1)(zeros, 1)
    file = io.BytesIO()

    def encode(block: memoryview, width: int) -> Packed:
        return packed if len(block) == layout.CHUNK else Packed(block, RAW, 1)  # they are all the same

    writer.write(np.broadcast_to(np.zeros(1, "u1"), (200 << 20,)), file, encode=encode)
    return file.getvalue()


def bomb_in_skeleton(unit: bytes, count: int) -> bytes:
    """`unit` over and over, compressed: a list of `count` MiB of instructions."""
    chunk = (unit * (layout.CHUNK // len(unit) + 1))[: layout.CHUNK]
    inner = record(layout.SKELETON, zlib.compress(chunk, 9), codec=2, plain=len(chunk))
    start, end = b"\x80\x05](", b"e."
    records = record(layout.SKELETON, start) + inner * count + record(layout.SKELETON, end)
    return sealed(b"", skeleton_records=records, nbytes=len(start) + count * len(chunk) + len(end))


def nested_tuples(depth: int) -> bytes:
    """A tuple in a tuple in a tuple, as a key."""
    return b"}" + b")" + b"\x85" * depth + NONE + b"s"


def doubled_tuples(levels: int) -> bytes:
    """As a key."""
    return b"}" + doubled_value(levels) + NONE + b"s"


def doubled_value(levels: int) -> bytes:
    """Each tuple holds the one before twice: few bytes, 2 ** levels steps to hash, compare or print it."""
    parts = [b")", MEMO]
    for level in range(levels):
        parts += [b"0h" + bytes([level]) + b"h" + bytes([level]), b"\x86", MEMO]
    return b"".join(parts)


def colliding_keys(count: int) -> bytes:
    """Whole numbers that all have the hash 7."""
    return b"}" + MARK + b"".join(number(7 + i * (2**61 - 1)) + NONE for i in range(count)) + b"u"


def sparse(**changes: bytes) -> bytes:
    state = {
        "_shape": group(number(2), number(3)),
        "indptr": array(np.array([0, 1, 2], "i4")),
        "indices": array(np.array([0, 2], "i4")),
        "data": array(np.array([1.0, 2.0])),
        **changes,
    }
    return name("scipy.sparse._csr:csr_matrix") + b")" + NEW + mapping(**state) + BUILD


def categorical(codes: Any) -> bytes:
    index = call(
        "pandas.core.indexes.base:_new_Index", name("pandas:Index"), mapping(data=array([1, 2]), name=NONE)
    )
    kind = name("pandas:CategoricalDtype") + b")" + NEW + mapping(categories=index, ordered=b"\x89") + BUILD
    start = call(
        "pandas._libs.arrays:__pyx_unpickle_NDArrayBacked", name("pandas:Categorical"), number(82904607), NONE
    )
    return start + group(kind, array(np.array(codes, "i1"))) + BUILD


def ranges(stop: int) -> bytes:
    """A range as an index."""
    state = mapping(name=NONE, start=number(0), stop=number(stop), step=number(1))
    return call("pandas.core.indexes.base:_new_Index", name("pandas:RangeIndex"), state)


def frame(labels: bytes, index: bytes) -> bytes:
    """A frame without a block."""
    axes = b"](" + labels + index + b"e"
    manager = call("pandas.core.internals.managers:BlockManager", b")", axes)
    return name("pandas:DataFrame") + b")" + NEW + mapping(_mgr=manager) + BUILD


def arrow(ends: list[int], texts: bytes = b"abc", valid: bytes | None = None) -> bytes:
    """An array of texts, as Arrow's own pickles have it."""
    parts = [np.array(ends, "<i8").tobytes(), texts]
    buffers = [NONE if valid is None else call("pyarrow.lib:py_buffer", data(valid))]
    buffers += [call("pyarrow.lib:py_buffer", data(part)) for part in parts]
    kind = call("pyarrow.lib:type_for_alias", text("large_string"))
    inside = b"](" + b"".join(buffers) + b"e"
    return call(
        "pyarrow.lib:_restore_array",
        group(kind, number(len(ends) - 1), number(-1), number(0), inside, b"]", NONE),
    )


def nested_arrays(depth: int) -> bytes:
    """An array of objects in an array of objects in one."""
    found = object_array(1, NONE)
    for _ in range(depth):
        found = object_array(1, found)
    return found

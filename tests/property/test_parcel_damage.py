"""Reading is total: damaged bytes give the value or one of our errors, and nothing else."""

import io
import os
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork import dumps, loads
from lightwork.errors import FileFormatError
from lightwork.parcel import layout
from lightwork.parcel.inputs import FileInput, StreamInput
from lightwork.parcel.reader import read

LONG = os.environ.get("LIGHTWORK_TORTURE") == "long"
EXAMPLES = 20_000 if LONG else 400

VALUE: Any = {
    "a": np.arange(3000.0),
    "b": [np.arange(5), np.zeros(7)],
    "c": "text" * 20,
    "d": list(range(50)),
}
FILES = [dumps(VALUE), dumps(VALUE, True), dumps(VALUE, "zlib"), dumps("small")]


def text_of(value: Any) -> str:
    return repr(value)


def check(data: bytes, original: bytes) -> None:
    try:
        found = loads(data)
    except FileFormatError:  # also where the first byte makes it look like an old file of joblib
        return
    assert text_of(found) == text_of(loads(original))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), st.sampled_from(FILES))
def test_changed_bytes_never_give_another_value(data: st.DataObject, original: bytes) -> None:
    """A few bytes overwritten, removed, repeated or cut off."""
    content = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 40))
        kind = data.draw(st.sampled_from(["write", "remove", "repeat", "cut"]))
        if kind == "write":
            content[place : place + length] = data.draw(st.binary(min_size=length, max_size=length))
        elif kind == "remove":
            del content[place : place + length]
        elif kind == "repeat":
            content[place:place] = content[place : place + length]
        else:
            del content[place:]
    check(bytes(content), original)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(content: bytes) -> None:
    """With our magic and header before them or without."""
    for data in (content, layout.MAGIC + content, layout.pack_header() + content):
        try:
            read(StreamInput(io.BytesIO(data)))
        except FileFormatError:
            continue
        raise AssertionError("random bytes were read as a value")


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.booleans()), max_size=5),
    st.sampled_from([layout.SKELETON, layout.TABLE, layout.TAIL, layout.BLOCK]),
    st.binary(max_size=100),
    st.integers(0, 5),
    st.integers(1, 255),
    st.integers(0, 2**21),
)
def test_sealed_nonsense_is_refused(
    slots: list[tuple[int, bool]], tag: bytes, payload: bytes, codec: int, width: int, plain: int
) -> None:
    """Records with right checksums and wrong content: sizes beyond the file, parts that contradict."""
    table = layout.pack_table([layout.Slot(*slot) for slot in slots])
    parts = [
        layout.pack_header(),
        layout.pack_frame(layout.SKELETON, b"N.", plain=2),
        b"N.",
        layout.pack_frame(layout.TABLE, table, plain=len(table)),
        table,
        layout.pack_frame(tag, payload, codec=codec, width=width, plain=plain),
        payload,
    ]
    with open(os.memfd_create("nonsense"), "r+b", buffering=0) as file:
        file.write(b"".join(parts))
        try:
            read(FileInput(file.fileno()))
        except FileFormatError:
            return
    raise AssertionError("nonsense was read as a value")

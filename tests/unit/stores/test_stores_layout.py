import itertools

from hypothesis import given
from hypothesis import strategies as st

from lightwork.protocols import Record
from lightwork.stores.layout import (
    OWN_BLOB,
    Blob,
    Layout,
    assemble,
    decode_body,
    encode,
    encode_small,
    place,
)

KEY = bytes(range(32))


def test_a_small_record_is_one_body() -> None:
    """A skeleton without buffers needs no tables."""
    record = Record(b"skeleton", (), b"facts")
    body = encode_small(KEY, record)
    assert body is not None
    assert decode_body(KEY, body) == record


@given(st.binary(max_size=300), st.binary(max_size=50), st.integers(min_value=0))
def test_no_changed_bit_passes(skeleton: bytes, facts: bytes, position: int) -> None:
    """A body with any bit changed, or under another key, is nothing."""
    body = encode_small(KEY, Record(skeleton, (), facts))
    assert body is not None
    place_of_bit = position % (8 * len(body))
    changed = bytearray(body)
    changed[place_of_bit // 8] ^= 1 << place_of_bit % 8
    assert decode_body(KEY, bytes(changed)) is None
    assert decode_body(KEY[::-1], body) is None
    assert decode_body(KEY, body[:-1]) is None


def test_short_bodies_are_nothing() -> None:
    """A body that was cut off is not read beyond its end."""
    assert [decode_body(KEY, bytes(length)) for length in range(25)] == [None] * 25


@given(
    st.lists(st.sampled_from([0, 1, 100, 40_000, 70_000, OWN_BLOB - 1, OWN_BLOB, OWN_BLOB + 1]), max_size=5),
    st.sampled_from([0, 10, 65_536, 65_537, OWN_BLOB]),
)
def test_every_part_has_its_place(sizes: list[int], skeleton: int) -> None:
    """Large buffers are blobs of their own; the rest is together, in the body or in one pack."""
    record = Record(b"s" * skeleton, [bytes([number + 1]) * n for number, n in enumerate(sizes)], b"facts")
    places = place(record)
    blobs = [Blob(bytes([number]) * 32, view.nbytes) for number, view in enumerate(places.own)]
    if places.packed:
        blobs.append(Blob(b"p" * 32, sum(view.nbytes for view in places.packed)))
    layout = decode_body(KEY, encode(KEY, record, places, blobs))
    assert isinstance(layout, Layout)
    contents = [bytes(view) for view in places.own] + [b"".join(map(bytes, places.packed))]

    def cut(blob: Blob, lengths: list[int]) -> list[bytes]:
        content = contents[blobs.index(blob)]
        ends = list(itertools.accumulate(lengths))
        return [content[end - length : end] for end, length in zip(ends, lengths, strict=True)]

    found = assemble(layout, cut)
    assert found is not None
    assert [found.skeleton, *found.buffers] == [record.skeleton, *record.buffers]
    assert assemble(layout, lambda *_: None) is None or not blobs
    assert layout.facts == b"facts"
    assert layout.blobs == blobs
    assert [view.nbytes for view in places.own] == [size for size in sizes if size >= OWN_BLOB]
    assert not (places.packed and places.in_body)

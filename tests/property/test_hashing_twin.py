"""The scheme of ``docs/hash-scheme.md``, written a second time, slowly: both give the same keys."""

import struct
from typing import Any

from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork.hashing import hash as key_of

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=80)
    | st.sampled_from(["", "a", "\0", "a\0b", "\ud800", "x" * 70_000])
    | st.binary(max_size=80)
    | st.just(b"y" * 70_000)
)
RUNS = st.one_of(
    *(
        st.lists(items, max_size=12)
        for items in (
            st.integers(-(2**63), 2**63 - 1),
            st.integers(),
            st.floats(),
            st.booleans(),
            st.text("ab\0", max_size=3),
            st.binary(max_size=3),
            st.none(),
            st.complex_numbers(),
            st.tuples(st.integers(), st.text("ab", max_size=2)),
            st.fixed_dictionaries({"a": st.integers(0, 3), "b": st.lists(st.integers(0, 3), max_size=5)}),
            st.lists(st.integers(0, 2), min_size=2, max_size=2),
            st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)),
        )
    )
)
KEYS = st.integers(-3, 3) | st.text("abc", max_size=2) | st.none() | st.floats(0, 1)
VALUES = st.recursive(
    SCALARS | RUNS,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.lists(inner, max_size=6).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=6)
        | st.dictionaries(st.text("abcd", max_size=3), inner, max_size=20)
        | st.sets(KEYS, max_size=6)
        | st.frozensets(st.text("abc", max_size=3), max_size=6)
    ),
    max_leaves=20,
)


def digest(data: bytes) -> bytes:
    return blake3(data).digest()


def seal(encoding: bytes) -> bytes:
    return encoding if len(encoding) <= 64 else b"#" + digest(encoding)


def raw(data: bytes) -> bytes:
    if len(data) < 65536:
        return b"=" + str(len(data)).encode() + b":" + data
    return b"~" + str(len(data)).encode() + b":" + digest(data)


def frame(tag: bytes, tokens: list[bytes]) -> bytes:
    return tag + str(len(tokens)).encode() + b":" + bytes(len(token) for token in tokens) + b"".join(tokens)


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def words(code: str, numbers: list[Any]) -> bytes:
    return raw(b"".join(struct.pack("<" + code, number) for number in numbers))


def token(value: Any) -> bytes:
    """The token of a value, as the document says."""
    kind = type(value)
    if value is None:
        return b"N"
    if kind is bool:
        return b"1" if value else b"0"
    if kind is int:
        nbytes = value.bit_length() // 8 + 1
        return seal(b"i" + value.to_bytes(nbytes, "little", signed=True))
    if kind is float:
        return b"d" + struct.pack("<d", value)
    if kind is complex:
        return b"c" + struct.pack("<dd", value.real, value.imag)
    if kind in (str, bytes):
        data = utf8(value) if kind is str else value
        small, large = (b"s", b"S") if kind is str else (b"b", b"B")
        return seal(small + data) if len(data) < 65536 else large + digest(data)
    if kind is list:
        return seal(b"L" + run(value))
    if kind is tuple:
        return seal(b"T" + run(list(value)))
    if kind in (set, frozenset):
        return seal((b"E" if kind is set else b"Z") + members(value))
    assert kind is dict
    return seal(mapping(value))


def members(value: Any) -> bytes:
    if value and ({type(item) for item in value} in ({str}, {int})):
        return run(sorted(value))
    return frame(b"m", sorted(token(item) for item in value))


def mapping(value: dict[Any, Any]) -> bytes:
    if value and ({type(key) for key in value} in ({str}, {int})):
        keys = sorted(value)
        held = [value[key] for key in keys]
        names = seal(texts(keys) if type(keys[0]) is str else run(keys))
        if len(keys) < 16:
            return frame(b"D", [names, *map(token, held)])
        return frame(b"U", [names, seal(run(held))])
    return frame(b"M", sorted(token(pair) for pair in value.items()))


def run(items: list[Any], levels: int = 2) -> bytes:
    packed = pack(items, levels) if len(items) >= 4 and len({type(item) for item in items}) == 1 else None
    return frame(b"m", [token(item) for item in items]) if packed is None else packed


def pack(items: list[Any], levels: int) -> bytes | None:
    kind, count = type(items[0]), str(len(items)).encode()
    if kind is int and all(-(2**63) <= item < 2**63 for item in items):
        return b"q" + words("q", items)
    if kind is float:
        return b"d" + words("d", items)
    if kind is complex:
        return b"c" + words("d", [part for item in items for part in (item.real, item.imag)])
    if kind is bool:
        return b"?" + raw(bytes(items))
    if items[0] is None:
        return b"n" + count + b":"
    if kind is str:
        return texts(items)
    if kind is bytes:
        return b"b" + words("q", [len(item) for item in items]) + raw(b"".join(items))
    return columns(items, levels, count) if kind in (dict, list, tuple) and levels else None


def texts(items: list[str]) -> bytes:
    if not any("\0" in item for item in items):
        return b"s" + str(len(items)).encode() + b":" + raw(utf8("\0".join(items)))
    return b"S" + words("q", [len(item) for item in items]) + raw(utf8("".join(items)))


def columns(items: list[Any], levels: int, count: bytes) -> bytes | None:
    first = items[0]
    if not 0 < len(first) <= 256:
        return None
    if type(first) is dict:
        if any(set(item) != set(first) for item in items) or {
            type(key) for item in items for key in item
        } != {str}:
            return None
        keys = sorted(first)
        parts = [seal(run([item[key] for item in items], levels - 1)) for key in keys]
        return b"k" + count + b":" + frame(b"", [seal(texts(keys)), *parts])
    if any(len(item) != len(first) for item in items):
        return None
    parts = [seal(run([item[place] for item in items], levels - 1)) for place in range(len(first))]
    return (b"l" if type(first) is list else b"t") + count + b":" + frame(b"", parts)


@settings(max_examples=600, deadline=None)
@given(VALUES)
def test_the_walk_follows_the_written_scheme(value: Any) -> None:
    """Every fast path gives what the slow twin gives."""
    assert key_of(value) == digest(b"lightwork 1\n" + token(value)).hex()

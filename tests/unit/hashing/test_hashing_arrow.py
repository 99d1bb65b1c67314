"""pyarrow: the rows that can be seen, not how they lie."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lightwork.hashing import hash as key_of
from tests.unit.hashing.keys import assert_apart, assert_copies_agree, assert_one_key


def columns() -> dict[str, pa.Array]:
    """One array of each kind, eight rows, two of them null."""
    texts = ["a", None, "bc", "", "a" * 40, None, "é", "a"]
    numbers = [1, None, 3, 0, 5, None, 7, 8]
    lists: list[Any] = [[1], None, [], [2, None], [3], None, [4], [5, 6]]
    pairs: list[Any] = [[1, 2], None, [3, None], [5, 6], [0, 0], None, [7, 8], [9, 1]]
    found: dict[str, Any] = {
        str(kind): pa.array(numbers, pa.int64()).cast(kind)
        for kind in (pa.int8(), pa.uint16(), pa.int64(), pa.float32(), pa.date64(), pa.time64("ns"),
                     pa.duration("ms"), pa.timestamp("us"), pa.timestamp("us", "Europe/Paris"),
                     pa.decimal128(30, 3))
    }  # fmt: skip
    found["bool"] = pa.array([True, None, False, True, True, None, False, False])
    found["half"] = pa.array([None if n is None else np.float16(n) for n in numbers], pa.float16())
    found["null"] = pa.nulls(8)
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        found[str(kind)] = pa.array(texts, kind)
    coded = [None if text is None else text.encode() for text in texts]
    found["binary"] = pa.array(coded)
    found["fixed"] = pa.array(
        [None if code is None else (code * 4 + b"1234")[:4] for code in coded], pa.binary(4)
    )
    found["list"] = pa.array(lists, pa.list_(pa.int8()))
    found["large list"] = pa.array(lists, pa.large_list(pa.int8()))
    found["list view"] = pa.array(lists, pa.list_view(pa.int8()))
    found["fixed list"] = pa.array(pairs, pa.list_(pa.int8(), 2))
    found["map"] = pa.array([None if n is None else [(n, "x"), (2, None)] for n in numbers],
                            pa.map_(pa.int8(), pa.string()))  # fmt: skip
    found["struct"] = pa.array(
        [None if n is None else {"a": n, "b": [text]} for n, text in zip(numbers, texts, strict=True)]
    )
    found["dictionary"] = pa.array(texts).dictionary_encode()
    found["runs"] = pc.run_end_encode(pa.array(numbers))
    found["interval"] = pa.array(
        [None if n is None else (n, 2, 3) for n in numbers], pa.month_day_nano_interval()
    )
    found["union"] = pa.UnionArray.from_sparse(
        pa.array([0, 1] * 4, pa.int8()), [pa.array(range(8)), pa.array(list("abcdefgh"))]
    )
    return found


@pytest.mark.parametrize("name", columns())
def test_layout_does_not_count(name: str) -> None:
    """Slices, chunks and copies of the same rows are one value; other rows are another one."""
    array = columns()[name]
    shifted = pa.concat_arrays([array[3:5], array])[2:]
    assert_copies_agree(lambda: columns()[name])
    assert_one_key([array, shifted])
    assert_one_key([pa.chunked_array([array[:3], array[3:]]), pa.chunked_array([shifted]),
                    pa.chunked_array([array[:0], array])])  # fmt: skip
    assert_one_key([pa.table({"x": array}), pa.table({"x": pa.chunked_array([array[:1], array[1:]])})])
    assert key_of(array) != key_of(array[:7])
    if name not in ("null", "runs", "string_view"):  # these arrow cannot turn round
        assert key_of(array) != key_of(array.take(pa.array(range(8)[::-1])))
    assert_apart([array, pa.chunked_array([array]), pa.table({"x": array}), pa.record_batch({"x": array})])


def test_kinds_are_apart() -> None:
    """The same rows in another type, or as other rows of the same type."""
    assert_apart(columns().values())
    assert_apart(array.type for name, array in columns().items())
    assert_apart(pa.array([[1, 2], [3]][::step]) for step in (1, -1))
    assert_apart(
        [pa.array([[1, 2], [3]]), pa.array([[1], [2, 3]]), pa.array(["ab", "c"]), pa.array(["a", "bc"])]
    )


def test_what_lies_under_a_null_does_not_count() -> None:
    """Numbers, texts and fields of nulls cannot be seen."""
    mask = np.array([False, True])
    assert_one_key(pa.array(np.array([1, hidden]), mask=mask) for hidden in (5, 6))
    bitmap = pa.py_buffer(b"\x01")
    texts = [
        pa.Array.from_buffers(
            pa.string(), 2, [bitmap, pa.py_buffer(np.array([0, 1, end], "i4")), pa.py_buffer(b"abc")]
        )
        for end in (1, 3)
    ]
    assert_one_key(texts)
    fields = [
        pa.Array.from_buffers(pa.struct({"a": pa.int64()}), 2, [bitmap], children=[pa.array([1, hidden])])
        for hidden in (5, 6)
    ]
    assert_one_key(fields)


def test_codes_of_dictionaries_do_not_count() -> None:
    """The order of values and unused ones, unless the type says that the order means something."""
    one = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array(["a", "b"]))
    two = pa.DictionaryArray.from_arrays(pa.array([2, 1, 2]), pa.array(["c", "b", "a"]))
    assert_one_key([one, two])
    ordered = [
        pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(values), ordered=True)
        for codes, values in (([0, 1], ["a", "b"]), ([1, 0], ["b", "a"]))
    ]
    assert_apart([*ordered, one])
    parts = [
        pa.chunked_array([["a", "b"], ["b"]]).dictionary_encode(),
        pa.chunked_array([one[:2], two[1:2]]).cast(pa.dictionary(pa.int32(), pa.string())),
    ]
    assert_one_key(parts)


def test_schemas_types_and_scalars() -> None:
    """Names, types, whether nulls are allowed, and metadata count."""
    assert_apart(
        [
            pa.schema([("a", pa.int8())]),
            pa.schema([("b", pa.int8())]),
            pa.schema([pa.field("a", pa.int8(), nullable=False)]),
            pa.schema([("a", pa.int8())], metadata={"k": "v"}),
            pa.schema([pa.field("a", pa.int8(), metadata={"k": "v"})]),
            pa.schema([("a", pa.int8()), ("b", pa.int8())]),
            pa.schema([("b", pa.int8()), ("a", pa.int8())]),
            pa.field("a", pa.int8()),
            pa.struct([("a", pa.int8())]),
            pa.struct([("a: int8, b", pa.int8())]),
            pa.struct([("a", pa.int8()), ("b", pa.int8())]),
            pa.dictionary(pa.int8(), pa.string()),
            pa.dictionary(pa.int8(), pa.string(), ordered=True),
            pa.scalar(1),
            pa.scalar(2),
            pa.scalar(1, pa.int8()),
            pa.scalar(None, pa.int8()),
            pa.scalar("a"),
            pa.scalar([1]),
            pa.py_buffer(b"a"),
            pa.py_buffer(b"b"),
            b"a",
        ]
    )
    for make in (
        lambda: pa.schema([("a", pa.list_(pa.int8()))]),
        lambda: pa.scalar({"a": 1}),
        lambda: pa.int8(),
    ):
        assert_copies_agree(make)

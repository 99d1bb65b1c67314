"""numpy: dtype, shape and elements count; layout, padding and where the bytes lie do not."""

import copy
import os
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork.hashing import hash as key_of
from tests.unit.hashing.keys import assert_apart, assert_copies_agree

ALIGNED = np.dtype([("a", "i1"), ("b", "f8")], align=True)
GRID = np.arange(60.0).reshape(3, 4, 5)


class Tagged(np.ndarray[Any, Any]):
    """A subclass with an attribute that numpy knows nothing of."""

    unit: str = ""


def tagged(unit: str) -> Tagged:
    array = np.arange(3).view(Tagged)
    array.unit = unit
    return array


def distinct() -> list[Any]:
    """Arrays, scalars and dtypes of which no two are the same."""
    masked = np.ma.MaskedArray([1, 2, 3], mask=[False, True, False])
    return [
        np.arange(3),
        np.arange(3, dtype="i4"),
        np.arange(3, dtype=">i8"),
        np.arange(3.0),
        np.arange(3) + 1,
        np.arange(3).reshape(3, 1),
        np.arange(3).reshape(1, 3),
        np.arange(6).reshape(2, 3),
        np.arange(6).reshape(3, 2),
        np.array(1),
        np.array([1]),
        np.array(1.0),
        np.array(True),
        np.array([]),
        np.zeros((0, 2)),
        np.zeros((2, 0)),
        np.int64(1),
        np.int32(1),
        np.float64(1),
        np.float32(1),
        np.bool_(True),
        np.str_("1"),
        np.bytes_(b"1"),
        np.datetime64("2020-01-01"),
        np.datetime64("2020-01-01", "ns"),
        np.timedelta64(1, "D"),
        np.datetime64("NaT", "s"),
        np.array(["2020", "2021"], "M8[s]"),
        np.array(["2020", "2021"], "M8[ns]"),
        np.array([1, 2], "m8[s]"),
        np.array(["a", "b"]),
        np.array(["a", "b"], dtype="U2"),
        np.array([b"a", b"b"]),
        np.array([b"a"], "V1"),
        np.array([1, "a", None], dtype=object),
        np.array([1, "b", None], dtype=object),
        np.array([1, 2], dtype=object),
        np.array([1, 2.0], dtype=object),
        np.array([[1], [2]], dtype=object),
        np.zeros(2, "i4, f8"),
        np.zeros(2, [("x", "i4"), ("y", "f8")]),
        np.zeros(2, ALIGNED),
        np.zeros(2, [("o", "O")]),
        np.zeros(2, "i4, f8").view(np.recarray),
        np.array([1, 2], "g"),
        np.array([1, 2], "G"),
        np.array([1, 2], "f2"),
        np.arange(4).reshape(2, 2).view(np.matrix),
        np.arange(4).reshape(2, 2),
        tagged("m"),
        tagged("s"),
        masked,
        np.ma.MaskedArray([1, 2, 3], mask=[True, False, False]),
        np.ma.MaskedArray([1, 5, 3], mask=[False, True, False]),
        np.ma.MaskedArray([1, 2, 3], mask=[False, True, False], fill_value=7),
        np.ma.MaskedArray([1, 2, 3]),
        np.dtype("f4"),
        np.dtype("f8"),
        np.dtype("i4, f8"),
        ALIGNED,
        np.dtype(("f8", (2,))),
        np.dtype("M8[ns]"),
        np.array([-0.0]),
        np.array([0.0]),
        np.array([np.nan]),
        np.arange(100_000),
        np.arange(100_000) + 1,
        np.float64,
        np.sin,
        np.cos,
        np.add.reduce,
        np.random.default_rng(0),
        np.random.default_rng(1),
        np.random.RandomState(0),
        np.random.RandomState(1),
        [np.dtype("f4"), 1],
        [1, np.dtype("f4")],
        [np.arange(3)] * 5,
        [np.arange(3)] * 6,
        [np.arange(3.0)] * 5,
        [np.array([0]), np.array([1, 2])] * 3,
        [np.array([0, 1]), np.array([2])] + [np.array([0]), np.array([1, 2])] * 2,
        np.arange(15).reshape(5, 3),
        [np.arange(3)] * 4 + [np.arange(3.0)],
        [np.arange(10_000)] * 5,
        [np.zeros(2, ALIGNED)] * 5,
    ]


def test_unequal_arrays_have_different_keys() -> None:
    """No two of the near misses share a key."""
    keys: dict[str, Any] = {}
    for value in distinct():
        key = key_of(value)
        assert key not in keys, f"{value!r} and {keys[key]!r} have one key"
        keys[key] = value


@pytest.mark.parametrize("place", range(len(distinct())))
def test_copies_have_the_same_key(place: int) -> None:
    """A deep copy and a pickle round trip agree."""
    value = distinct()[place]
    key = key_of(value)
    assert key_of(distinct()[place]) == key
    if isinstance(value, Tagged):  # numpy's own copying and pickling lose the attribute
        return
    assert key_of(copy.deepcopy(value)) == key
    assert key_of([value, 1]) == key_of([copy.deepcopy(value), 1])
    # Protocols below 5 turn foreign byte order into the machine's own, which is another dtype.
    assert key_of(pickle.loads(pickle.dumps(value, protocol=5))) == key


@pytest.mark.parametrize("nbytes", [60 * 8, 200_000, 20_000_000])
def test_layout_does_not_count(nbytes: int) -> None:
    """C order, F order, slices, reversed and read-only views of the same elements are one value."""
    grid = np.arange(nbytes // 8, dtype="f8").reshape(5, 4, -1)
    wide = np.repeat(grid, 2, axis=2)
    readonly = grid.copy()
    readonly.flags.writeable = False
    same = [
        np.asfortranarray(grid),
        wide[:, :, ::2],
        grid[::-1].copy()[::-1],
        grid.transpose().copy().transpose(),
    ]
    assert {key_of(array) for array in [grid, readonly, *same]} == {key_of(grid)}


def test_runs_of_small_arrays_do_not_see_layout() -> None:
    """A list of views and a list of copies agree."""
    views = [np.arange(24).reshape(2, 3, 4)[:, ::-1, step] for step in range(4)] * 3
    assert key_of(views) == key_of([view.copy() for view in views])


def test_padding_does_not_count() -> None:
    """Bytes between fields, and the unused ones of extended floats, hold whatever the memory held."""
    dtypes: list[Any] = [ALIGNED, np.dtype("g"), np.dtype("G")]
    for dtype in dtypes:
        dirty: Any = np.frombuffer(bytearray(b"\xff" * 40 * dtype.itemsize), dtype)
        clean: Any = np.zeros(40, dtype)
        if dtype.names:
            for name in dtype.names:
                dirty[name] = clean[name]
        else:
            np.add(clean, 0, out=dirty)  # writes the bytes of the value only, where an assignment copies all
        assert dirty.tobytes() != clean.tobytes()
        assert key_of(dirty) == key_of(clean)
        assert key_of(dirty[3]) == key_of(clean[3])
        assert key_of(dirty[::3]) == key_of(clean[::3])


def test_a_memory_map_and_its_array_agree(tmp_path: Path) -> None:
    """Where the bytes lie is not content, whatever ``coerce_mmap`` says."""
    array = np.arange(30_000.0).reshape(100, 300)
    mapped = np.memmap(tmp_path / "a", dtype="f8", mode="w+", shape=array.shape)
    mapped[:] = array
    assert key_of(mapped) == key_of(array) == key_of(mapped, coerce_mmap=True)
    assert key_of(mapped[:, ::2]) == key_of(array[:, ::2])


def test_objects_in_arrays_count_by_content() -> None:
    """Also when the array holds itself."""
    assert key_of(np.array([[1], "a"], dtype=object)) == key_of(np.array([[1], "ab"[:1]], dtype=object))
    loop = np.empty(1, dtype=object)
    loop[0] = [loop]
    assert key_of(loop) == key_of(pickle.loads(pickle.dumps(loop)))


def test_strings_of_variable_width() -> None:
    """numpy 2's own text dtype counts by its texts."""
    if not hasattr(np.dtypes, "StringDType"):
        pytest.skip("numpy 1 has no StringDType")
    text = np.array(["a", "b" * 100], dtype=np.dtypes.StringDType())
    assert key_of(text) == key_of(text.copy()) != key_of(text[::-1])


def test_a_generator_that_was_used_has_another_key() -> None:
    """The state of a stream is its content."""
    generator = np.random.default_rng(0)
    before = key_of(generator)
    generator.random()
    assert key_of(generator) != before


@pytest.mark.parametrize("name", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_streams_count_by_their_kind_and_state(name: str) -> None:
    """Generators, their bit generators and seeds agree with their copies and differ from one another."""
    kind = getattr(np.random, name)
    assert_copies_agree(lambda: np.random.Generator(kind(1)))
    assert_copies_agree(lambda: kind(1))
    spawned = np.random.Generator(kind(1))
    spawned.spawn(1)
    streams = [np.random.Generator(kind(1)), np.random.Generator(kind(2)), kind(1), kind(1).seed_seq]
    assert_apart([*streams, spawned, np.random.RandomState(np.random.MT19937(1))])


def test_seeds_count_by_what_makes_their_children() -> None:
    """Entropy, place among siblings, children so far."""
    sequence = np.random.SeedSequence(5)
    spawned = np.random.SeedSequence(5)
    children = spawned.spawn(2)
    assert_copies_agree(lambda: np.random.SeedSequence(5))
    assert_apart([sequence, spawned, *children, np.random.SeedSequence(6), np.random.SeedSequence([5, 6])])


def test_the_shared_stream_is_a_name() -> None:
    """What ``numpy.random`` itself draws from is in another state in each process, and nobody's content."""
    draw: Any = np.random.get_state
    shared = draw.__self__
    before = key_of(shared)
    np.random.random()
    assert key_of(shared) == before != key_of(np.random.RandomState(0))


@pytest.mark.parametrize("step", [1, 2, -1])
def test_large_arrays_are_not_copied(step: int) -> None:
    """Whatever the layout, only some blocks exist at a time."""
    array = np.zeros((3000, 3000))[::step]
    views = [array, array.T, array[:, ::-2]]
    key_of(views)  # what is loaded and made on first use does not count
    tracemalloc.start()
    for view in views:
        key_of(view)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def test_the_masked_constant_has_a_key() -> None:
    """It is what reading a masked element gives."""
    element = np.ma.array([1, 2], mask=[False, True])[1]
    assert key_of(element) == key_of(pickle.loads(pickle.dumps(element)))
    assert key_of(element) != key_of(np.float64(0))


def test_what_is_loaded_meanwhile_does_not_count() -> None:
    """numpy loads some modules on first use; keys of what they name are the same before and after."""
    script = (
        "import sys, numpy as np\n"
        "from lightwork.hashing import hash\n"
        "from lightwork.hashing.calls import CallKeys\n"
        "value = np.zeros(2, 'i4, f8').view(np.recarray)\n"
        "print(hash(value), CallKeys(lambda x: x).key((value,), {}), 'numpy.rec' in sys.modules)\n"
    )
    source = str(Path(__file__).parents[3] / "src")
    outputs = [
        subprocess.run(
            [sys.executable, "-c", before + script],
            env={**os.environ, "PYTHONPATH": source},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[:-1]
        for before in ("", "import numpy.rec\n")
    ]
    assert outputs[0] == outputs[1]

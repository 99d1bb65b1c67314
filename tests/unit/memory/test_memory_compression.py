"""``Memory(compress=...)``: results that take less room."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import File, Memory
from lightwork.errors import CacheWarning, InvalidOption
from lightwork.protocols import Record
from lightwork.stores import TransientStore


def made(kind: str) -> Any:
    """Values that get much smaller."""
    match kind:
        case "array":
            return np.arange(200_000)
        case "text":
            return "lightwork " * 10_000
        case "objects":
            return [{"a": number, "b": "x" * 20} for number in range(2000)]
        case "mixed":
            return {
                "x": np.zeros((300, 100)),
                "y": np.arange(10),
                "z": [None, "text"],
                "f": np.ones((50, 60)).T,
            }
    return None


def size(memory: Memory) -> int:
    return sum(entry.nbytes for entry in memory.entries())


@pytest.mark.parametrize("compress", [True, 1, 9, "zlib", ("zstd", 3), ("bz2", None), "lzma", ["zlib", 1]])
@pytest.mark.parametrize("kind", ["array", "text", "objects", "mixed"])
def test_results_are_smaller_and_the_same(tmp_path: Path, compress: Any, kind: str) -> None:
    """Every form of ``compress=`` does it, and a hit gives an equal value with arrays to write to."""
    memory = Memory(tmp_path / "small", compress=compress)
    cached, plain = memory.cache(made), Memory(tmp_path / "plain").cache(made)
    cached(kind)
    plain(kind)
    again = cached(kind)
    np.testing.assert_equal(again, plain(kind))
    assert cached.stats()[:2] == (1, 1)
    assert 2 * size(memory) < size(Memory(tmp_path / "plain"))
    if kind == "array":
        again += 1
        np.testing.assert_equal(cached(kind), made(kind))


@pytest.mark.parametrize("compress", [False, 0, None, ("zlib", 0)])
def test_nothing_is_compressed(tmp_path: Path, compress: Any) -> None:
    """``False``, ``None`` and level 0 mean what they say; such results may be mapped."""
    memory = Memory(tmp_path, compress=compress, mmap_mode="r")
    memory.cache(made)("array")
    assert size(memory) > 200_000 * 8


def test_what_would_not_get_smaller_is_kept_as_it_is(tmp_path: Path) -> None:
    """Noise, and what is small anyway."""

    def noise(nbytes: int) -> Any:
        return np.random.default_rng(1).bytes(nbytes)

    for nbytes in (10, 100_000):
        store = TransientStore()
        cached = Memory(store=store, compress=True).cache(noise)
        assert cached(nbytes) == cached(nbytes)
        (entry,) = store.scan()
        record = store.get(entry.key)
        assert record is not None
        assert b"unpack" not in record.skeleton


def test_what_is_kept_is_read_whatever_is_said(tmp_path: Path) -> None:
    """A folder may hold both kinds; ``mmap_mode="r"`` gives read-only arrays of compressed results too."""
    Memory(tmp_path, compress=True).cache(made)("array")
    plain = Memory(tmp_path, mmap_mode="r").cache(made)
    found = plain("array")
    np.testing.assert_equal(found, made("array"))
    assert not found.flags.writeable
    assert plain.stats()[:2] == (1, 0)
    plain("mixed")
    packed = Memory(tmp_path, compress=True).cache(made)
    packed("mixed")
    assert packed.stats().hits == 1


def test_mapping_is_refused_for_a_function_too(tmp_path: Path) -> None:
    """It is told at decoration; ``mmap_mode=None`` asks for none."""
    memory = Memory(tmp_path, compress=True)
    with pytest.raises(InvalidOption, match="mmap_mode='c' and compress= exclude each other"):
        memory.cache(made, mmap_mode="c")
    memory.cache(made, mmap_mode=None)


def test_compression_travels(tmp_path: Path) -> None:
    """A pickled `Memory` compresses as before."""
    memory = pickle.loads(pickle.dumps(Memory(tmp_path, compress=("zlib", 4))))
    assert memory.compress == ("zlib", 4)
    memory.cache(made)("array")
    assert size(memory) < 200_000 * 4


def test_signed_and_shelved_results_are_compressed(tmp_path: Path) -> None:
    """What is signed is what is kept."""
    memory = Memory(tmp_path, compress=True, sign=b"s" * 32)
    shelved = memory.cache(made).call_and_shelve("array")
    np.testing.assert_equal(shelved.get(), made("array"))
    assert memory.cache(made).check_call_in_cache("array")
    assert size(memory) < 200_000 * 4


def test_damage_is_a_miss() -> None:
    """The blocks have checksums of their own."""
    store = TransientStore()
    cached = Memory(store=store, compress=True).cache(made)
    cached("array")
    (entry,) = store.scan()
    record = store.get(entry.key)
    assert record is not None
    buffer = bytearray(record.buffers[0])
    buffer[len(buffer) // 2] ^= 1
    store.put(entry.key, Record(record.skeleton, [buffer], record.facts))
    np.testing.assert_equal(cached("array"), made("array"))
    assert cached.stats().causes["unreadable"] == 1


def test_files_in_results_are_watched(tmp_path: Path) -> None:
    """As without compression."""
    path = tmp_path / "file"

    @Memory(tmp_path / "cache", compress=True).cache
    def make(nbytes: int) -> list[Any]:
        path.write_text("one")
        return [File(path), "x" * nbytes]

    assert make(10_000)[1] == make(10_000)[1]
    assert make.stats()[:2] == (1, 1)
    path.write_text("two")
    make(10_000)
    assert make.stats()[:2] == (1, 2)


def test_what_cannot_be_kept_is_named(tmp_path: Path) -> None:
    """By its path in the result."""
    cached = Memory(tmp_path, compress=True).cache(lambda: [1, {"f": (n for n in "x")}])
    with pytest.warns(CacheWarning, match=r"result\[1\]\['f'\]"):
        cached()

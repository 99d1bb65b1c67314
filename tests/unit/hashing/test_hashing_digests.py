"""Digests of buffers: the tree for large ones, other algorithms, and hashing in a forked child."""

import hashlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

import lightwork.hashing as package
from lightwork.errors import InvalidOption
from lightwork.hashing import hash
from lightwork.hashing.digests import CHUNK, TREE, algorithm, digest_buffer


def test_small_buffers_are_plain_blake3() -> None:
    """Anybody can check the name of a small blob with b3sum."""
    data = os.urandom(1000)
    assert digest_buffer(memoryview(data)) == blake3(data).digest()


@pytest.mark.parametrize("nbytes", [TREE - 1, TREE, TREE + 1, TREE + CHUNK, TREE + CHUNK + 5])
def test_large_buffers_are_a_tree_of_chunks(nbytes: int) -> None:
    """From 16 MiB on: BLAKE3 over the BLAKE3 digests of 8 MiB chunks, however many threads there are."""
    data = memoryview(np.arange(nbytes, dtype="u1").tobytes())
    chunks = b"".join(blake3(data[at : at + CHUNK]).digest() for at in range(0, nbytes, CHUNK))
    expected = blake3(data if nbytes < TREE else chunks).digest()
    assert digest_buffer(data) == expected


@pytest.mark.parametrize("dtype", ["f8", "i1", "S3", "S24", "V7"])
def test_layout_does_not_change_the_digest_of_a_large_array(dtype: str) -> None:
    """Chunks end at the same bytes whether items straddle them or not."""
    itemsize = np.dtype(dtype).itemsize
    rows = (TREE + 3 * CHUNK // 2) // (itemsize * 1000)
    raw = np.random.default_rng(0).bytes(rows * 1000 * itemsize)
    array = np.frombuffer(raw, dtype=f"V{itemsize}").reshape(rows, 1000)
    expected = digest_buffer(memoryview(raw))
    assert algorithm("blake3").array(np.asfortranarray(array)) == expected
    assert algorithm("blake3").array(array) == expected
    assert hash(array.view(dtype)) == hash(np.asfortranarray(array.view(dtype)))


@pytest.mark.parametrize(
    ("name", "digits"), [("xxh3", 32), ("md5", 32), ("sha1", 40), ("sha256", 64), ("sha512", 128)]
)
def test_other_algorithms_are_used_throughout(name: str, digits: int) -> None:
    """Keys have the length of the chosen digest and differ for different content."""
    value = {"a": [1, 2.5, "x" * 1000], "b": np.arange(100_000)}
    assert len(hash(value, hash_name=name)) == digits
    assert hash(value, hash_name=name) == hash(dict(reversed(value.items())), name)
    assert hash(value, hash_name=name) != hash({**value, "c": None}, hash_name=name)
    assert name == "xxh3" or hashlib.new(name).digest_size * 2 == digits


@pytest.mark.parametrize("name", ["", "no such", "shake_128", "BLAKE3 ", 5, None])
def test_unknown_algorithms_are_refused(name: object) -> None:
    """The message says what there is."""
    with pytest.raises(InvalidOption, match="blake3"):
        hash(1, hash_name=name)  # type: ignore[arg-type]  # the point of the test


def test_coerce_mmap_must_be_a_bool() -> None:
    """joblib's flag is accepted, since both settings are true here; nonsense is not."""
    assert hash(1, coerce_mmap=True) == hash(1, coerce_mmap=False)
    with pytest.raises(InvalidOption, match="coerce_mmap"):
        hash(1, coerce_mmap="yes")  # type: ignore[arg-type]  # the point of the test


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_can_hash_large_values() -> None:
    """Threads of the parent do not exist in the child, and nobody waits for them."""
    value = np.ones(50 << 20, dtype="u1")
    expected = hash(value)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        signal.alarm(20)
        os.write(write, hash(value).encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        answer = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    assert (answer, status) == (expected, 0)


def test_the_thread_pool_of_blake3_is_never_used() -> None:
    """It hangs for ever in a forked child, so no source file may ask for it."""
    root = Path(package.__file__).parents[1]
    guilty = [
        path.name
        for path in root.rglob("*.py")
        for line in path.read_text().splitlines()
        if ("max_threads=" in line or "blake3.AUTO" in line)
    ]
    assert guilty == []

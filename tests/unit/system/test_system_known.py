import gc
import mmap
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lightwork.system.known import KnownBuffers

DIGEST = bytes(32)
NBYTES = (1 << 20) + 17

pytestmark = pytest.mark.skipif(
    not os.access("/proc/self/pagemap", os.R_OK), reason="nothing tells here which pages were written to"
)


@pytest.fixture
def mapping(tmp_path: Path) -> Iterator[mmap.mmap]:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(NBYTES))
    descriptor = os.open(path, os.O_RDONLY)
    yield mmap.mmap(descriptor, NBYTES, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    os.close(descriptor)


@pytest.fixture
def known(mapping: mmap.mmap) -> KnownBuffers:
    buffers = KnownBuffers()
    buffers.note(mapping, DIGEST)
    return buffers


def test_an_untouched_mapping_is_known(mapping: mmap.mmap, known: KnownBuffers) -> None:
    """Reading it, through whatever array, leaves it known."""
    view = memoryview(mapping)
    assert known.digest_of(view) == DIGEST
    np.frombuffer(mapping, "u1").sum()
    assert known.digest_of(view) == DIGEST
    assert known.digest_of(view.toreadonly()) == DIGEST


@pytest.mark.parametrize("place", [0, 4095, NBYTES // 2, NBYTES - 1])
def test_one_written_byte_is_noticed(mapping: mmap.mmap, known: KnownBuffers, place: int) -> None:
    """On whatever page it lies; even if what is written was there before."""
    mapping[place] = mapping[place]
    assert known.digest_of(memoryview(mapping)) is None


def test_what_the_kernel_writes_is_noticed(tmp_path: Path, mapping: mmap.mmap, known: KnownBuffers) -> None:
    """A read from a file into the buffer never runs code that could be asked."""
    (tmp_path / "other").write_bytes(b"other")
    with open(tmp_path / "other", "rb", buffering=0) as file:
        file.readinto(memoryview(mapping)[9000:9005])
    assert known.digest_of(memoryview(mapping)) is None


def test_parts_and_other_buffers_are_not_known(mapping: mmap.mmap, known: KnownBuffers) -> None:
    """The digest is that of the whole file."""
    view = memoryview(mapping)
    assert known.digest_of(view[:-1]) is None
    assert known.digest_of(view[1:]) is None
    assert known.digest_of(view[:0]) is None
    assert known.digest_of(memoryview(bytes(mapping))) is None


def test_a_dropped_mapping_is_forgotten(tmp_path: Path) -> None:
    """What lies at its address later is another buffer, also if it looks the same."""
    known = KnownBuffers()
    path = tmp_path / "file"
    path.write_bytes(bytes(NBYTES))
    for is_asked in (True, False):
        with open(path, "rb") as file:
            first = mmap.mmap(file.fileno(), NBYTES, flags=mmap.MAP_PRIVATE)
            known.note(first, DIGEST)
            if is_asked:
                assert known.digest_of(memoryview(first)) == DIGEST
            del first
            gc.collect()
            second = mmap.mmap(file.fileno(), NBYTES, flags=mmap.MAP_PRIVATE)
        assert known.digest_of(memoryview(second)) is None
        del second


def test_a_closed_mapping_is_not_known(tmp_path: Path, mapping: mmap.mmap, known: KnownBuffers) -> None:
    """Its object lives, its memory does not, and another mapping may lie there."""
    assert known.digest_of(memoryview(mapping)) == DIGEST
    mapping.close()
    with open(tmp_path / "file", "rb") as file:
        other = mmap.mmap(file.fileno(), NBYTES, flags=mmap.MAP_PRIVATE)
    assert known.digest_of(memoryview(other)) is None


def test_parent_and_child_do_not_see_each_others_writes(mapping: mmap.mmap, known: KnownBuffers) -> None:
    """After a fork each process answers for its own memory; what was written before stays written."""
    child = os.fork()
    if child == 0:
        before = known.digest_of(memoryview(mapping))
        mapping[5000] = 1
        after = known.digest_of(memoryview(mapping))
        os._exit(0 if (before, after) == (DIGEST, None) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert known.digest_of(memoryview(mapping)) == DIGEST
    mapping[5000] = 1
    child = os.fork()
    if child == 0:
        os._exit(0 if known.digest_of(memoryview(mapping)) is None else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_threads_may_ask_and_note_at_the_same_time(tmp_path: Path) -> None:
    """Nobody gets the digest of another mapping."""
    path = tmp_path / "file"
    path.write_bytes(bytes(mmap.PAGESIZE))
    known = KnownBuffers()
    wrong: list[object] = []

    def work(number: int) -> None:
        with open(path, "rb") as file:
            for turn in range(200):
                digest = b"%d %d" % (number, turn)
                mapping = mmap.mmap(file.fileno(), mmap.PAGESIZE, flags=mmap.MAP_PRIVATE)
                known.note(mapping, digest)
                found = known.digest_of(memoryview(mapping))
                if found not in (digest, None):  # None: another thread is just placing it
                    wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []

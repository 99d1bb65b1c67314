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


def _known(buffers: KnownBuffers, view: memoryview) -> bytes | None:
    """The digest of a buffer if it is known; ``None`` if it is read."""
    reads: list[memoryview] = []

    def read(view: memoryview) -> bytes:
        reads.append(view)
        return b"of " + bytes(view[:8])

    digest = buffers.digest_of(view, read)
    return None if reads else digest


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
    assert _known(known, view) == DIGEST
    np.frombuffer(mapping, "u1").sum()
    assert _known(known, view) == DIGEST
    assert _known(known, view.toreadonly()) == DIGEST


@pytest.mark.parametrize("place", [0, 4095, NBYTES // 2, NBYTES - 1])
def test_one_written_byte_is_noticed(mapping: mmap.mmap, known: KnownBuffers, place: int) -> None:
    """On whatever page it lies; even if what is written was there before."""
    mapping[place] = mapping[place]
    assert _known(known, memoryview(mapping)) is None


def test_what_the_kernel_writes_is_noticed(tmp_path: Path, mapping: mmap.mmap, known: KnownBuffers) -> None:
    """A read from a file into the buffer never runs code that could be asked."""
    (tmp_path / "other").write_bytes(b"other")
    with open(tmp_path / "other", "rb", buffering=0) as file:
        file.readinto(memoryview(mapping)[9000:9005])
    assert _known(known, memoryview(mapping)) is None


def test_parts_are_learned_and_other_buffers_are_not_known(mapping: mmap.mmap, known: KnownBuffers) -> None:
    """A large part is read once; small ones, and what lies elsewhere, each time."""
    view = memoryview(mapping)
    for part in (view[:-1], view[1:], view[8:-8]):
        assert _known(known, part) is None
        assert _known(known, part) == b"of " + bytes(part[:8])
    small = view[8:4096]
    assert [_known(known, small), _known(known, small)] == [None, None]
    assert _known(known, view[:0]) is None
    assert _known(known, memoryview(bytes(mapping))) is None


def test_a_part_is_known_in_other_mappings_until_it_is_written_to(
    tmp_path: Path, mapping: mmap.mmap, known: KnownBuffers
) -> None:
    """What is written beside it, on other pages, does not count."""
    part = memoryview(mapping)[5:]
    assert _known(known, part) is None
    with open(tmp_path / "file", "rb") as file:
        other = mmap.mmap(file.fileno(), NBYTES, flags=mmap.MAP_PRIVATE)
    known.note(other, DIGEST)
    assert _known(known, memoryview(other)[5:]) == b"of " + bytes(part[:8])
    other[NBYTES - 1] = 1
    assert _known(known, memoryview(other)[5:]) is None
    assert _known(known, part) is not None


def test_nothing_is_learned_of_a_part_that_was_written_to(mapping: mmap.mmap, known: KnownBuffers) -> None:
    """Neither before it was read nor while it was."""
    part = memoryview(mapping)[8:]

    def write_and_read(view: memoryview) -> bytes:
        view[0] = 1
        return b"of what was there"

    known.digest_of(part, write_and_read)
    assert _known(known, part) is None
    assert _known(known, part) is None


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
                assert _known(known, memoryview(first)) == DIGEST
            del first
            gc.collect()
            second = mmap.mmap(file.fileno(), NBYTES, flags=mmap.MAP_PRIVATE)
        assert _known(known, memoryview(second)) is None
        del second


def test_a_closed_mapping_is_not_known(tmp_path: Path, mapping: mmap.mmap, known: KnownBuffers) -> None:
    """Its object lives, its memory does not, and another mapping may lie there."""
    assert _known(known, memoryview(mapping)) == DIGEST
    mapping.close()
    with open(tmp_path / "file", "rb") as file:
        other = mmap.mmap(file.fileno(), NBYTES, flags=mmap.MAP_PRIVATE)
    assert _known(known, memoryview(other)) is None


def test_parent_and_child_do_not_see_each_others_writes(mapping: mmap.mmap, known: KnownBuffers) -> None:
    """After a fork each process answers for its own memory; what was written before stays written."""
    child = os.fork()
    if child == 0:
        before = _known(known, memoryview(mapping))
        mapping[5000] = 1
        after = _known(known, memoryview(mapping))
        os._exit(0 if (before, after) == (DIGEST, None) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert _known(known, memoryview(mapping)) == DIGEST
    mapping[5000] = 1
    child = os.fork()
    if child == 0:
        os._exit(0 if _known(known, memoryview(mapping)) is None else 1)
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
                found = _known(known, memoryview(mapping))
                if found not in (digest, None):  # None: another thread is just placing it
                    wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lightwork
from lightwork.errors import EntryMissing
from lightwork.hashing.digests import Algorithm
from lightwork.memory import Memory

COUNT = 1 << 18  # doubles: 2 MiB, a blob of its own


def ramp(first: float) -> Any:
    return first + np.arange(COUNT, dtype=float)


def total(values: Any) -> float:
    return float(values.sum())


def column(first: float) -> Any:
    return pd.Series(ramp(first), name="x")


def frame(first: float) -> Any:
    return pd.DataFrame({"a": ramp(first), "b": ramp(first + 1)}).copy()


def total_of_frame(values: Any) -> float:
    return float(values.to_numpy().sum())


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the large buffers that are hashed from now on."""
    sizes: list[int] = []
    buffer = Algorithm.buffer

    def spy(self: Algorithm, view: memoryview) -> bytes:
        if view.nbytes >= 1 << 20:
            sizes.append(view.nbytes)
        return buffer(self, view)

    monkeypatch.setattr(Algorithm, "buffer", spy)
    return sizes


@pytest.mark.skipif(not os.access("/proc/self/pagemap", os.R_OK), reason="nothing proves pages clean here")
@pytest.mark.parametrize("function", [ramp, column])
def test_a_chain_of_hits_hashes_nothing(memory: Memory, unread: list[int], function: Any) -> None:
    """The result of one cached function is not read to make the key of the next."""
    make, use = memory.cache(function), memory.cache(total)
    use(make(1.0))
    del unread[:]
    assert use(make(1.0)) == total(ramp(1.0))
    assert unread == []
    assert use.stats()[:2] == (1, 1)


@pytest.mark.skipif(not os.access("/proc/self/pagemap", os.R_OK), reason="nothing proves pages clean here")
def test_columns_of_a_frame_are_hashed_once_in_a_process(memory: Memory, unread: list[int]) -> None:
    """They are parts of one blob; a later hit maps it elsewhere, and they are known there too."""
    make, use = memory.cache(frame), memory.cache(total_of_frame)
    first = use(make(1.0))
    del unread[:]
    assert use(make(1.0)) == first
    assert unread != []
    del unread[:]
    assert use(make(1.0)) == first
    assert unread == []
    changed = make(1.0)
    changed.loc[5, "b"] += 1
    assert use(changed) == first + 1


def test_the_known_digest_gives_the_key_of_the_content(memory: Memory) -> None:
    """A mapped result and the same array made anew have one key, with any digest."""
    make = memory.cache(ramp)
    make(2.0)
    kept = make(2.0)
    assert lightwork.hash(kept) == lightwork.hash(ramp(2.0))
    assert lightwork.hash(kept, "sha256") == lightwork.hash(ramp(2.0), "sha256")
    assert lightwork.hash(kept.reshape(512, -1)) == lightwork.hash(ramp(2.0).reshape(512, -1))
    assert lightwork.hash(kept.view("i8")) == lightwork.hash(ramp(2.0).view("i8"))


def test_a_change_in_place_makes_another_call(memory: Memory) -> None:
    """One item that changed after a hit, and after a key was made of it, is a new argument."""
    make, use = memory.cache(ramp), memory.cache(total)
    make(3.0)
    kept = make(3.0)
    before = use(kept)
    kept[COUNT // 2] += 1
    assert use(kept) == before + 1
    kept[COUNT // 2] -= 1
    assert use(kept) == before
    assert use(make(3.0)) == before
    assert use.stats()[:2] == (2, 2)


def test_a_result_that_is_a_changed_argument_is_kept_as_it_is(memory: Memory) -> None:
    """What was mapped and changed is stored anew, beside the blob that it came from."""

    def raised(values: Any) -> Any:
        values += 1
        return values

    make, change = memory.cache(ramp), memory.cache(raised)
    make(4.0)
    assert change(make(4.0))[0] == 5.0
    assert change(make(4.0))[0] == 5.0
    assert make(4.0)[0] == 4.0


def test_a_child_process_answers_for_its_own_memory(memory: Memory) -> None:
    """A change that a forked child makes is seen there, and not in the parent."""
    make = memory.cache(ramp)
    make(5.0)
    kept = make(5.0)
    key = lightwork.hash(kept)
    child = os.fork()
    if child == 0:
        kept[7] = 0.0
        os._exit(0 if lightwork.hash(kept) not in (key, None) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert lightwork.hash(kept) == key


def test_a_result_stays_known_when_it_is_evicted(memory: Memory) -> None:
    """Its mapping and its key outlive the file."""
    make = memory.cache(ramp)
    make(6.0)
    kept = make(6.0)
    key = lightwork.hash(kept)
    memory.clear(warn=False)
    assert lightwork.hash(kept) == key == lightwork.hash(ramp(6.0))


def test_a_reference_is_known_by_its_value(memory: Memory, tmp_path: Path) -> None:
    """Equal references make one call, wherever they are kept; a value computed anew makes another one."""

    def read(reference: Any) -> float:
        return total(reference.get())

    factor = [1.0]

    def scaled(first: float) -> Any:
        return factor[0] * ramp(first)

    use = memory.cache(read)
    make = memory.cache(scaled, track="none", version=1)
    elsewhere = Memory(tmp_path / "elsewhere").cache(scaled, track="none", version=1)
    first = use(make.call_and_shelve(7.0))
    assert use(elsewhere.call_and_shelve(7.0)) == first
    assert use.stats()[:2] == (1, 1)
    factor[0] = 2.0
    reference = make.call_and_shelve(7.0)
    make.call(7.0)  # keeps another value under the same key
    assert use(reference) == 2 * first


def test_a_reference_and_its_value_are_different_arguments(memory: Memory) -> None:
    """A function may tell them apart, so their keys differ."""
    make = memory.cache(ramp)
    kind = memory.cache(lambda value: type(value).__name__)
    assert kind(make.call_and_shelve(8.0)) == "MemorizedResult"
    assert kind(make(8.0)) == "ndarray"


def test_a_reference_to_nothing_has_no_key(memory: Memory) -> None:
    """It is told, not taken for another one."""
    make, use = memory.cache(ramp), memory.cache(lambda reference: reference.get())
    reference = make.call_and_shelve(9.0)
    reference.clear()
    with pytest.raises(EntryMissing, match="may have been cleared"):
        use(reference)

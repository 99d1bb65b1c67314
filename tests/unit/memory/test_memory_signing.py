import pickle
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blake3 import blake3

from lightwork.errors import CacheWarning, EntryMissing, InvalidOption
from lightwork.memory import Memory
from lightwork.memory.signing import SignedStore
from lightwork.protocols import Record, Store, SupportsLease, SupportsLimits, SupportsNotes
from lightwork.stores import SqliteStore, TransientStore

SECRET = b"0123456789abcdef"
OTHER = b"fedcba9876543210"


def ramp(count: int) -> Any:
    return np.arange(count, dtype=float)


def double(x: int) -> int:
    return 2 * x


def _replace(store: Store, record: Record) -> bytes:
    """Put a record in the place of the only one, as somebody who has no secret could."""
    (entry,) = store.scan()
    store.put(entry.key, record)
    return entry.key


def test_signed_results_are_hits(tmp_path: Path) -> None:
    """Of every size, also in another process and by references; arrays stay writable."""
    memory = Memory(tmp_path, sign=SECRET)
    make, twice = memory.cache(ramp), memory.cache(double)
    for count in (10, 20_000, 300_000):
        make(count)
        again = make(count)
        again[0] = 7.0
        assert make.call_and_shelve(count).get()[0] == 0.0
    assert [twice(4), twice(4)] == [8, 8]
    assert make.stats()[:2] == (6, 3)
    opened = f"Memory({str(tmp_path)!r}, sign={SECRET!r})"
    code = f"from lightwork.memory import Memory; print(len({opened}.entries()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "4\n"


def test_text_and_bytes_are_one_secret(tmp_path: Path) -> None:
    """The text in UTF-8."""
    Memory(tmp_path, sign=SECRET).cache(double)(1)
    cached = Memory(tmp_path, sign=SECRET.decode()).cache(double)
    cached(1)
    assert cached.stats().hits == 1


@pytest.mark.parametrize("sign", [None, OTHER])
def test_what_was_not_kept_with_the_secret_is_a_reported_miss(tmp_path: Path, sign: bytes | None) -> None:
    """Results without a signature, or with that of somebody else, are computed again; told once."""
    Memory(tmp_path, sign=sign).cache(double)(1)
    cached = Memory(tmp_path, sign=SECRET).cache(double)
    with pytest.warns(CacheWarning, match="not signed with the secret") as caught:
        assert cached(1) == 2
    assert len(caught) == 1
    assert "0123456789abcdef" not in str(caught[0].message)
    assert cached(1) == 2
    assert cached.stats()[:2] == (1, 1)


@pytest.mark.filterwarnings("ignore::lightwork.errors.CacheWarning")
@pytest.mark.parametrize("part", ["skeleton", "buffers", "facts", "key"])
def test_no_part_can_be_changed(part: str) -> None:
    """Neither pickle nor buffers nor facts; nor can a record be moved to another call."""
    store = TransientStore()
    memory = Memory(store=store, sign=SECRET)
    cached = memory.cache(ramp)
    cached(20_000)
    (entry,) = store.scan()
    record = store.get(entry.key)
    assert record is not None
    changed = {
        "skeleton": record._replace(skeleton=record.skeleton.replace(b"array_type", b"array_typo")),
        "buffers": record._replace(buffers=[b"\1" + bytes(buffer)[1:] for buffer in record.buffers]),
        "facts": record._replace(facts=record.facts.replace(b"duration", b"durasion")),
        "key": record,
    }[part]
    if part == "key":
        cached.forget(20_000)
        cached(19_999)
    key = _replace(store, changed)
    assert memory.store is not None
    assert memory.store.get(key) is None


def test_a_forged_pickle_is_never_run(tmp_path: Path) -> None:
    """What stands in it would run code of the forger."""
    store = SqliteStore(tmp_path)
    cached = Memory(store=store, sign=SECRET).cache(double)
    cached(1)
    mark = tmp_path / "mark"
    _replace(store, Record(b"cos\nmkdir\n(V%s\ntR." % bytes(mark), (), b"{}"))
    with pytest.warns(CacheWarning, match="not signed"):
        assert cached(1) == 2
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore::lightwork.errors.CacheWarning")
def test_a_forged_result_counts_as_missing_everywhere(tmp_path: Path) -> None:
    """It is not reported as kept, no reference reads it, and `verify` removes it."""
    store = SqliteStore(tmp_path)
    memory = Memory(store=store, sign=SECRET)
    cached = memory.cache(double)
    reference = cached.call_and_shelve(1)
    _replace(store, Record(pickle.dumps(5), (), b"{}"))
    assert not cached.check_call_in_cache(1)
    assert not cached.explain(1).is_hit
    with pytest.raises(EntryMissing):
        reference.get()
    assert len(memory.verify().damaged) == 1
    assert memory.entries() == []
    assert cached.call_and_shelve(1).get() == 2


@pytest.mark.parametrize(("parts", "nbytes"), [(1 << 31, 8), (2, 8), (2, (1 << 64) - 1), (2, 1 << 46)])
def test_a_row_that_does_not_add_up_is_a_miss(tmp_path: Path, parts: int, nbytes: int) -> None:
    """Its check, which anybody can make, is right; its numbers of parts and bytes are not."""
    store = SqliteStore(tmp_path)
    cached = Memory(store=store, sign=SECRET).cache(double)
    cached(1)
    (entry,) = store.scan()
    store.close()
    rest = struct.pack("<IIII", 0, 0, parts, 0) + struct.pack("<IQQ", 0xFFFFFFFF, 0, nbytes) * 2
    body = blake3(entry.key + rest).digest()[:8] + rest
    (database,) = (path for path in tmp_path.rglob("*") if path.suffix == ".sqlite")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE records SET body = ?", (body,))
    with pytest.warns(CacheWarning, match="not signed"):
        assert cached(1) == 2


def test_a_changed_blob_is_noticed_on_the_next_hit(tmp_path: Path) -> None:
    """Signing implies that every byte is checked on each hit."""
    cached = Memory(tmp_path, sign=SECRET).cache(ramp)
    cached(300_000)
    (blob,) = (path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size == 2_400_000)
    with blob.open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff")
    with pytest.warns(CacheWarning, match="not signed"):
        assert cached(300_000)[125] == 125.0


def test_a_hit_does_not_change_with_its_file(tmp_path: Path) -> None:
    """What was checked is what is used: a later change of the file reaches no array."""
    cached = Memory(tmp_path, sign=SECRET).cache(ramp)
    cached(300_000)
    kept = cached(300_000)
    (blob,) = (path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size == 2_400_000)
    blob.write_bytes(bytes(2_400_000))
    assert kept[299_999] == 299_999.0


def test_explain_and_plans_work_with_signatures(tmp_path: Path) -> None:
    """Facts are read behind the signature, and a signed store can do what its inner one can."""
    memory = Memory(tmp_path, sign=SECRET)
    cached = memory.cache(double)
    cached(1)
    assert cached.explain(1).is_hit
    assert cached.explain(2).changes == ("argument 'x' differs",)
    assert [entry.call for entry in memory.entries()] == ["double(1)"]
    for ability in (SupportsLease, SupportsLimits, SupportsNotes):
        assert isinstance(memory.store, ability)
    memory.reduce_size(items_limit=0)
    assert memory.entries() == []


def test_secrets_travel_with_what_is_pickled(tmp_path: Path) -> None:
    """A worker that gets a cached function finds its results; one location and secret is one store."""
    memory = Memory(tmp_path, sign=SECRET)
    again = pickle.loads(pickle.dumps(memory))
    assert again.store is memory.store
    assert pickle.loads(pickle.dumps(memory.store)) is memory.store
    assert isinstance(memory.store, SignedStore)
    assert Memory(tmp_path, sign=OTHER).store is not memory.store
    assert SECRET.decode() not in repr(memory.store) + repr(memory)


@pytest.mark.parametrize("sign", [b"short", "", 5, bytearray(32)])
def test_what_is_no_secret_is_refused(tmp_path: Path, sign: Any) -> None:
    """Before anything happens, and without showing it."""
    with pytest.raises(InvalidOption, match="sign= ") as caught:
        Memory(tmp_path / "cache", sign=sign)
    assert "short" not in str(caught.value)
    with pytest.raises(InvalidOption, match="sign= "):
        Memory(None, sign=sign)


def test_limits_and_signatures_go_together(tmp_path: Path) -> None:
    """What is kept within limits is signed too."""
    cached = Memory(tmp_path, sign=SECRET, max_items=2).cache(double)
    assert [cached(n) for n in (1, 2, 3, 3)] == [2, 4, 6, 6]
    assert cached.stats().hits == 1
    again = Memory(tmp_path, sign=SECRET).cache(double)
    assert again.check_call_in_cache(3)
    assert sum(again.check_call_in_cache(n) for n in (1, 2, 3)) == 2

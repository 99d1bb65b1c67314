import errno
import gc
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.protocols import Limits, Record
from lightwork.stores import SqliteStore, open_store
from lightwork.system.mapped import MappingBudget
from lightwork.testing.stores import key_of, plain

MIB = 1 << 20
SMALL = Record(b"small", (), b"{}")
LARGE = Record(b"s", [b"l" * (2 * MIB), b"tail"], b"{}")


@pytest.fixture
def location(tmp_path: Path) -> Path:
    return tmp_path / "new" / "cache"


@pytest.fixture
def store(location: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(location)
    yield store
    store.close()


def _blobs(location: Path) -> list[Path]:
    return sorted((location / "lightwork-1" / "blobs").iterdir())


def _files(location: Path, name: str) -> list[str]:
    return sorted(os.listdir(location / "lightwork-1" / name))


def test_asking_makes_nothing(location: Path, store: SqliteStore) -> None:
    """Neither making a store nor reading, listing, clearing and trimming it creates a file."""
    assert store.get(key_of(1)) is None
    assert list(store.scan()) == []
    assert (store.clear(), store.trim(max_items=0), store.drop([key_of(1)])) == (0, 0, 0)
    assert store.totals() == (0, 0)
    assert not location.parent.exists()


def test_the_new_folder_is_private_and_marked(location: Path, store: SqliteStore) -> None:
    """Only the owner may look into it, version control ignores it and backups may leave it out."""
    store.put(key_of(1), SMALL)
    folder = location / "lightwork-1"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (location / ".gitignore").read_text().endswith("\n*\n")
    assert (folder / ".gitignore").read_text().endswith("\n*\n")
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_a_project_folder_is_not_hidden(location: Path, store: SqliteStore) -> None:
    """A location that holds other files gets no .gitignore that would hide them, and loses none."""
    location.mkdir(parents=True)
    (location / "thesis.tex").touch()
    store.put(key_of(1), SMALL)
    assert sorted(os.listdir(location)) == ["lightwork-1", "thesis.tex"]
    assert (location / "lightwork-1" / ".gitignore").exists()


def test_equal_buffers_share_one_file(location: Path, store: SqliteStore) -> None:
    """Large buffers are named by their content: the same content takes its space once."""
    store.put(key_of(1), LARGE)
    store.put(key_of(2), LARGE)
    assert len(_blobs(location)) == 1
    assert store.totals().nbytes < 3 * MIB
    store.drop([key_of(1)])
    assert len(_blobs(location)) == 1
    store.drop([key_of(2)])
    assert _blobs(location) == []
    assert _files(location, "tmp") == _files(location, "trash") == []


def test_a_thousand_small_buffers_take_one_file(location: Path, store: SqliteStore) -> None:
    """What is not large enough for a file of its own shares one."""
    record = Record(b"s", [bytes([n % 256]) * 2000 for n in range(1000)], b"")
    store.put(key_of(1), record)
    assert len(_blobs(location)) == 1
    assert plain(store.get(key_of(1))) == plain(record)


def test_a_cut_off_blob_is_a_miss(location: Path, store: SqliteStore) -> None:
    """The length of a blob is compared on each hit; the next put mends it."""
    store.put(key_of(1), LARGE)
    os.truncate(_blobs(location)[0], MIB)
    assert store.get(key_of(1)) is None
    store.put(key_of(1), LARGE)
    assert plain(store.get(key_of(1))) == plain(LARGE)


def test_a_missing_blob_is_a_miss(location: Path, store: SqliteStore) -> None:
    """Whoever deletes files of a cache costs a computation, not an error."""
    store.put(key_of(1), LARGE)
    _blobs(location)[0].unlink()
    assert store.get(key_of(1)) is None
    store.put(key_of(1), LARGE)
    assert plain(store.get(key_of(1))) == plain(LARGE)


@pytest.mark.parametrize("record", [LARGE, Record(b"k" * 300_000, [b"x" * 1000], b"")])
def test_a_blob_of_another_boot_is_verified_once(location: Path, record: Record) -> None:
    """After a crash of the machine a blob may hold anything: what does not have its digest is a miss."""
    before = SqliteStore(location, boot="before")
    before.put(key_of(1), record)
    before.close()
    with _blobs(location)[0].open("r+b") as blob:
        blob.seek(12345)
        blob.write(b"?")
    after = SqliteStore(location, boot="after")
    assert after.get(key_of(1)) is None
    after.put(key_of(1), record)
    assert plain(after.get(key_of(1))) == plain(record)
    after.close()
    third = SqliteStore(location, boot="third")
    assert plain(third.get(key_of(1))) == plain(record)  # verified, and noted as such
    with sqlite3.connect(location / "lightwork-1" / "records.sqlite") as connection:
        assert connection.execute("SELECT DISTINCT boot FROM blobs").fetchall() == [("third",)]
    connection.close()
    third.close()


def test_a_changed_row_is_a_miss(location: Path, store: SqliteStore) -> None:
    """Each body carries a check over key and content."""
    store.put(key_of(1), SMALL)
    store.put(key_of(2), SMALL)
    store.close()
    connection = sqlite3.connect(location / "lightwork-1" / "records.sqlite", isolation_level=None)
    connection.execute(
        "UPDATE records SET body = replace(body, X'736D', X'736E') WHERE key = ?", (key_of(1),)
    )
    connection.execute("UPDATE records SET key = ? WHERE key = ?", (key_of(3), key_of(2)))
    connection.close()
    assert store.get(key_of(1)) is None
    assert store.get(key_of(3)) is None


@pytest.mark.parametrize("damage", [b"this is no database" * 500, b""])
def test_a_damaged_database_is_set_aside(location: Path, damage: bytes) -> None:
    """Foreign or destroyed bytes in its place cost the records, and neither an error nor the evidence."""
    first = SqliteStore(location)
    first.put(key_of(1), LARGE)
    first.close()
    database = location / "lightwork-1" / "records.sqlite"
    database.write_bytes(damage)
    store = SqliteStore(location)
    assert store.get(key_of(1)) is None
    for _ in range(2):
        try:
            store.put(key_of(1), LARGE)
        except StoreUnavailable:
            continue
    assert plain(store.get(key_of(1))) == plain(LARGE)
    assert (location / "lightwork-1" / "damaged-records.sqlite").read_bytes()[:10] == damage[:10]
    store.close()


def test_a_deleted_folder_comes_back(location: Path, store: SqliteStore) -> None:
    """Deleting the cache while it is open empties it; the next put makes it anew."""
    store.put(key_of(1), SMALL)
    shutil.rmtree(location)
    store.put(key_of(2), LARGE)
    assert store.get(key_of(1)) is None
    assert plain(store.get(key_of(2))) == plain(LARGE)


def test_what_a_killed_process_left_is_swept(location: Path) -> None:
    """Temporary files, and blobs that no row knows, go at the next start; those of the living stay."""
    first = SqliteStore(location)
    first.put(key_of(1), LARGE)
    folder = location / "lightwork-1"
    kept = _blobs(location)[0].name
    orphan = "ab" * 32
    for name in (f"{12345:016x}-{orphan}-0", f"{12345:016x}-{kept}-1", f"{12345:016x}-new-2", "foreign"):
        (folder / "tmp" / name).write_bytes(b"x")
    (folder / "blobs" / orphan).write_bytes(b"x")
    (folder / "trash" / "old").write_bytes(b"x")
    code = (
        "import sys; from lightwork.stores import SqliteStore\n"
        "assert SqliteStore(sys.argv[1]).get(bytes(31) + b'\\1') is not None\n"
    )
    subprocess.run([sys.executable, "-c", code, str(location)], check=True)
    assert _files(location, "tmp") == ["foreign"]
    assert _files(location, "trash") == []
    assert [path.name for path in _blobs(location)] == [kept]
    first.close()


def test_a_network_file_system_is_refused(
    location: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where maps and locks cannot be trusted nothing is written, and the error says why."""
    monkeypatch.setattr("lightwork.stores.sqlite.database.is_local", lambda path: False)
    monkeypatch.setattr("lightwork.stores.sqlite.database.file_system", lambda path: "nfs4")
    with pytest.raises(StoreUnavailable, match="nfs4"):
        store.put(key_of(1), SMALL)
    assert store.get(key_of(1)) is None
    assert not location.exists()


def test_an_error_tells_its_number(location: Path, store: SqliteStore) -> None:
    """A location below a file cannot be made: the error is an OSError with the number of its cause."""
    location.parent.mkdir()
    location.touch()
    with pytest.raises(StoreUnavailable) as caught:
        store.put(key_of(1), SMALL)
    assert caught.value.errno in (errno.ENOTDIR, errno.EEXIST)
    assert store.get(key_of(1)) is None


def test_hits_are_remembered_across_processes(location: Path) -> None:
    """The times of access are written at the latest when the store is closed."""
    store = SqliteStore(location)
    for number in range(3):
        store.put(key_of(number), SMALL)
    store.get(key_of(0))
    store.close()
    other = SqliteStore(location)
    assert other.trim(max_items=1) == 2
    assert [entry.key for entry in other.scan()] == [key_of(0)]
    other.close()


def test_sharing_records_are_trimmed_until_the_limit_holds(location: Path, store: SqliteStore) -> None:
    """Records that share a blob free nothing one by one: trimming goes on until the size is right."""
    for number in range(4):
        store.put(key_of(number), LARGE)
    store.put(key_of(9), SMALL)
    assert store.trim(max_bytes=MIB) == 4
    assert [entry.key for entry in store.scan()] == [key_of(9)]


def test_beyond_the_map_budget_values_are_read(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Holding more large results than may be mapped works, and they are as private and writable."""
    store.put(key_of(1), LARGE)
    monkeypatch.setattr("lightwork.stores.sqlite.blobs.MAPPINGS", MappingBudget(0))
    found = store.get(key_of(1))
    assert plain(found) == plain(LARGE)
    assert found is not None
    memoryview(found.buffers[0])[0] = 0


def test_equal_locations_share_a_store(location: Path) -> None:
    """A store that travels to a process that has it open already is that store."""
    store = open_store(location)
    assert open_store(str(location)) is store
    assert pickle.loads(pickle.dumps(store)) is store


def test_a_collected_store_closes_its_files(location: Path) -> None:
    """Dropping a store leaves no descriptor behind."""
    before = set(os.listdir("/proc/self/fd"))
    store: SqliteStore | None = SqliteStore(location)
    assert store is not None
    store.put(key_of(1), LARGE)
    store = None
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) <= before


def test_leases_are_between_processes(location: Path, store: SqliteStore) -> None:
    """A process that has a lease is not in its own way; another one is told so."""
    assert store.lease(key_of(1))
    code = (
        "import sys; from lightwork.stores import SqliteStore; s = SqliteStore(sys.argv[1])\n"
        "print(s.lease(bytes(31) + b'\\1'), s.lease(bytes(31) + b'\\2'))\n"
    )
    command = [sys.executable, "-c", code, str(location)]
    assert subprocess.run(command, capture_output=True, text=True).stdout.split() == ["False", "True"]
    mark = store.failures(key_of(1))
    store.release(key_of(1), failed=True)
    assert store.failures(key_of(1)) != mark
    assert subprocess.run(command, capture_output=True, text=True).stdout.split() == ["True", "True"]


def test_a_store_that_was_emptied_goes_on(tmp_path: Path) -> None:
    """To remove everything takes no table, count or blob along: other connections go on, and so do limits."""
    store, other = SqliteStore(tmp_path), SqliteStore(tmp_path)
    ways: list[Callable[[], int]] = [
        store.clear,
        lambda: store.trim(max_items=0),
        lambda: store.trim(max_bytes=0),
    ]
    for empty in ways:
        for number in range(3):
            store.put(key_of(number), Record(b"%d" % number, [bytes(2 << 20)], b"{}"))
        assert other.get(key_of(1)) is not None
        assert empty() == 3
        assert other.get(key_of(1)) is None
        assert store.totals() == other.totals() == (0, 0)
        assert os.listdir(tmp_path / "lightwork-1" / "blobs") == []
        assert os.listdir(tmp_path / "lightwork-1" / "trash") == []
        other.put_within(key_of(9), Record(b"", (), b""), seconds=0.0, limits=Limits(max_items=1))
        assert store.drop([key_of(9)]) == 1
        assert store.totals() == (0, 0)
    store.close()
    other.close()

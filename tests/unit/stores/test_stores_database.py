import functools
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lightwork.protocols import Record
from lightwork.stores import SqliteStore
from lightwork.stores.folder import VERSION
from lightwork.testing.stores import key_of

SMALL = Record(b"small", (), b"{}")
LARGE = Record(b"large", [bytearray(b"a" * (1 << 20))], b"{}")
OTHER = Record(b"other", [bytearray(b"b" * (1 << 20))], b"{}")


def _code_of_child(action: Callable[[], bool]) -> int:
    """Fork, run `action`, and return 0 if it was true, 1 if false, 2 after an error, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            signal.alarm(20)
            code = 0 if action() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _open_files(location: Path) -> list[str]:
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return [link for link in links if link.startswith(str(location)) and "sqlite" in link]


def test_no_connection_crosses_a_fork(tmp_path: Path) -> None:
    """A child inherits no open file of SQLite, and neither side loses anything."""
    store = SqliteStore(tmp_path)
    store.put(key_of(1), SMALL)
    assert _open_files(tmp_path)

    def look() -> bool:
        inherited = _open_files(tmp_path)
        answer = store.get(key_of(1))
        store.put(key_of(2), SMALL)
        return not inherited and answer == SMALL

    assert _code_of_child(look) == 0
    assert store.get(key_of(1)) == SMALL
    assert store.get(key_of(2)) == SMALL
    store.close()


def test_a_fork_waits_for_threads_inside_sqlite(tmp_path: Path) -> None:
    """Forking while other threads put and get: every child finds a sound cache, and all threads go on."""
    store = SqliteStore(tmp_path)
    store.put(key_of(0), SMALL)
    stop = threading.Event()
    wrong: list[BaseException] = []

    def work(function: int) -> None:
        number = 0
        try:
            while not stop.wait(0.001):  # leaves the others a chance to write within their second
                number += 1
                store.put(key_of(number % 50, function=function), SMALL)
                assert store.get(key_of(number % 50, function=function)) == SMALL
        except BaseException as exc:  # told below
            wrong.append(exc)
            raise

    threads = [threading.Thread(target=work, args=(function,)) for function in (1, 2)]
    for thread in threads:
        thread.start()

    def use(number: int) -> bool:
        store.put(key_of(number, function=3), SMALL)
        return store.get(key_of(0)) == SMALL

    try:
        codes = [_code_of_child(functools.partial(use, number)) for number in range(20)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert codes == [0] * 20
    assert wrong == []
    assert len(list(store.scan((3).to_bytes(8, "big")))) == 20
    store.close()


def test_seats_of_ended_threads_are_cleared(tmp_path: Path) -> None:
    """A thousand short threads leave a handful of connections, not a thousand."""
    store = SqliteStore(tmp_path)
    store.put(key_of(0), SMALL)
    for _ in range(40):
        thread = threading.Thread(target=store.get, args=(key_of(0),))
        thread.start()
        thread.join()
    assert len([path for path in _open_files(tmp_path) if path.endswith(".sqlite")]) <= 3
    store.close()
    assert _open_files(tmp_path) == []


@pytest.mark.parametrize("name", ["a?b#c", "50%20 off", "café ☕", os.fsdecode(b"not utf-8: \xff")])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    """SQLite gets the path as a URI, where some characters mean something else."""
    location = tmp_path / name
    SqliteStore(location).put(key_of(1), SMALL)
    assert SqliteStore(location).get(key_of(1)) is not None
    assert os.listdir(tmp_path) == [name]
    assert "records.sqlite" in os.listdir(location / "lightwork-1")


@pytest.mark.parametrize("missing", ["tmp", "trash"])
def test_a_cache_that_lost_empty_folders_is_whole(tmp_path: Path, missing: str) -> None:
    """Archives and cleaners drop empty folders; the cache is read and written as before."""
    store = SqliteStore(tmp_path)
    store.put(key_of(1), LARGE)
    store.close()
    (tmp_path / VERSION / missing).rmdir()
    again = SqliteStore(tmp_path)
    assert again.get(key_of(1)) == LARGE
    again.put(key_of(2), OTHER)
    assert again.get(key_of(2)) == OTHER


@pytest.mark.parametrize("missing", ["tmp", "blobs"])
def test_folders_that_vanish_under_an_open_store_are_made_again(tmp_path: Path, missing: str) -> None:
    """A store that is in use goes on keeping results."""
    store = SqliteStore(tmp_path)
    store.put(key_of(1), LARGE)
    shutil.rmtree(tmp_path / VERSION / missing)
    store.put(key_of(2), OTHER)
    assert store.get(key_of(2)) == OTHER


def test_the_blobs_of_a_damaged_database_are_removed(tmp_path: Path) -> None:
    """They go to the trash, which the next process empties whole."""
    store = SqliteStore(tmp_path)
    store.put(key_of(1), LARGE)
    store.close()
    database = tmp_path / VERSION / "records.sqlite"
    database.write_bytes(bytes(database.stat().st_size))
    assert store.get(key_of(1)) is None
    trash = tmp_path / VERSION / "trash"
    assert list(trash.iterdir())
    SqliteStore(tmp_path).put(key_of(1), SMALL)
    assert not list(trash.iterdir())


def test_a_folder_that_was_made_anew_has_locks_of_its_own(tmp_path: Path) -> None:
    """After ``rm -r`` under a running process, its leases keep other processes away again."""
    store = SqliteStore(tmp_path)
    store.put(key_of(1), SMALL)
    assert store.lease(key_of(1))
    shutil.rmtree(tmp_path / VERSION)
    store.put(key_of(2), SMALL)
    assert store.lease(key_of(2))
    assert _code_of_child(lambda: not SqliteStore(tmp_path).lease(key_of(2))) == 0

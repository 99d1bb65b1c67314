import functools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from lightwork.protocols import Record
from lightwork.stores import SqliteStore
from lightwork.testing.stores import key_of

SMALL = Record(b"small", (), b"{}")


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

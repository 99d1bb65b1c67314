"""Ctrl-C at any moment of a cached call."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lightwork.protocols import Record
from lightwork.stores import SqliteStore

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="interval timers"),
]


_INTERRUPTED = """
import random, signal, sys
from lightwork.memory import Memory
from lightwork.protocols import Record
def interrupt(*_): raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
memory, chance, count = Memory(sys.argv[1]), random.Random(1), 0
@memory.cache
def work(number): return bytearray(10 if number % 4 else 200_000)
for number in range(600):
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(5e-5, 1.5e-3))
        work(number)
    except KeyboardInterrupt:
        count += 1
    try:
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        pass
    if number % 50 == 0:
        work(number)
print(count)
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.mark.slow
def test_interrupts_leave_no_transaction_open(tmp_path: Path) -> None:
    """Ctrl-C at any moment: later calls are kept, and an idle process keeps nobody from writing."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _INTERRUPTED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 20
        SqliteStore(tmp_path).put(bytes(32), Record(b"", (), b""))
        with closing(sqlite3.connect(tmp_path / "lightwork-1" / "records.sqlite")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        process.communicate("")

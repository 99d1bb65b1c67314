"""Everything that can be written to or read from serves as a file, in one forward pass."""

import bz2
import gzip
import io
import lzma
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from lightwork import dump, dumps, load

VALUE = {"large": np.arange(60_000.0), "small": np.arange(3), "text": "x" * 100_000}


def agree(found: Any) -> bool:
    return (
        bool((found["large"] == VALUE["large"]).all())
        and found["small"].tolist() == [0, 1, 2]
        and found["text"] == VALUE["text"]
    )


@pytest.mark.parametrize("library", [gzip, bz2, lzma], ids=lambda module: module.__name__)
def test_compressing_files(library: Any, tmp_path: Path) -> None:
    """They cannot be mapped or sought cheaply; several values follow each other."""
    with library.open(tmp_path / "x", "wb") as file:
        dump(VALUE, file)
        dump(2, file)
    with library.open(tmp_path / "x", "rb") as file:
        assert agree(load(file))
        assert load(file) == 2


@pytest.mark.parametrize("kind", ["memory", "local", "gzip"])
def test_files_of_fsspec(kind: str, tmp_path: Path) -> None:
    """Memory, local and compressed ones."""
    url = "memory://lightwork/x" if kind == "memory" else f"file://{tmp_path}/x"
    compression = "gzip" if kind == "gzip" else None
    with fsspec.open(url, "wb", compression=compression) as file:
        dump(VALUE, file)
    with fsspec.open(url, "rb", compression=compression) as file:
        assert agree(load(file))


@pytest.mark.parametrize("buffering", [-1, 0])
def test_both_ends_of_a_socket(buffering: int) -> None:
    """Buffered or not, several values one after the other."""
    left, right = socket.socketpair()

    def send() -> None:
        with left, left.makefile("wb", buffering=buffering) as file:
            dump(VALUE, file)
            dump(2, file)

    sender = threading.Thread(target=send)
    sender.start()
    with right, right.makefile("rb", buffering=buffering) as file:
        assert agree(load(file))
        assert load(file) == 2
    sender.join()


@pytest.mark.slow
def test_a_pipe_between_two_processes() -> None:
    """One process writes, the other reads; neither can seek."""
    code = (
        "import sys, numpy as np, lightwork\n"
        "value = lightwork.load(sys.stdin.buffer)\n"
        "value['large'] += 1\n"
        "lightwork.dump(value, sys.stdout.buffer)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        dump(VALUE, child.stdin)
        child.stdin.close()
        found = load(child.stdout)
    found["large"] -= 1
    assert agree(found)


class Partly:
    """Takes a part of what it is given, and sometimes all without saying so."""

    def __init__(self) -> None:
        self.content = bytearray()
        self._calls = 0

    def write(self, data: Any) -> int | None:
        self._calls += 1
        taken = len(data) if self._calls % 3 == 0 else min(len(data), 7777)
        self.content += bytes(data[:taken])
        return None if self._calls % 3 == 0 else taken


class Reader:
    """Gives less than it is asked for, in a type of its own choice, and has no ``readinto``."""

    def __init__(self, content: bytes, kind: Callable[[bytes], Any] = bytes) -> None:
        self._inside = io.BytesIO(content)
        self._kind = kind

    def read(self, size: int) -> Any:
        return self._kind(self._inside.read(min(size, 999)))


def test_a_sink_may_take_a_part_or_tell_nothing() -> None:
    """What was not taken is offered again."""
    sink = Partly()
    dump(VALUE, sink)
    assert agree(load(io.BytesIO(sink.content)))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_reader_may_give_any_bytes(kind: Any) -> None:
    """``bytes``, ``bytearray`` and memoryviews are all bytes."""
    assert agree(load(Reader(dumps(VALUE), kind)))


def test_a_reader_may_have_a_readinto_that_does_not_work() -> None:
    """Classes derived from those of `io` have the method; what counts is that it works."""

    class Derived(Reader):
        def readinto(self, out: Any) -> int:
            raise io.UnsupportedOperation("readinto")

    assert agree(load(Derived(dumps(VALUE))))


def test_an_empty_pipe_that_does_not_wait_is_named() -> None:
    """A file in non-blocking mode has nothing to give yet: that is not a damaged file."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with (
        open(writing, "wb", buffering=0),
        open(reading, "rb", buffering=0) as file,
        pytest.raises(BlockingIOError, match="set_blocking"),
    ):
        load(file)


def test_a_sink_that_takes_nothing_is_an_error() -> None:
    """It would be offered the same bytes for ever."""

    class Full:
        def write(self, data: Any) -> int:
            return 0

    with pytest.raises(OSError, match="took 0 of"):
        dump(VALUE, Full())

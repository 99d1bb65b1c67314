"""Bad arguments, bad values, bad files: one clear error, and nothing written."""

import codecs
import errno
import gzip
import importlib
import io
import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import dump, dumps, inspect, load, loads
from lightwork.errors import CorruptFileError, InvalidOption, UnknownFormatError, UnpicklableError


@pytest.mark.parametrize(
    ("compress", "message"),
    [
        (10, 'Non valid compress level given: "10"'),
        (-1, 'Non valid compress level given: "-1"'),
        (2.5, "Non valid compress level"),
        (("zstd", "high"), "Non valid compress level"),
        (("zstd", 1, 2), "Compress argument tuple should contain exactly 2 elements"),
        ("snappy", 'Non valid compression method given: "snappy"'),
        ((3, 3), "Non valid compression method"),
        ([], "exactly 2 elements"),
    ],
)
def test_compress_is_checked_before_anything_is_written(compress: Any, message: str, tmp_path: Path) -> None:
    """The message says what is possible; the file is not even begun."""
    with pytest.raises(InvalidOption, match=message.replace("(", r"\(")):
        dump(1, tmp_path / "x", compress=compress)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "compress", [0, False, None, True, 3, ("zstd", 0), ("zstd", None), "zstd", ["zlib", 2]]
)
def test_every_form_of_compress_is_understood(compress: Any) -> None:
    """joblib's forms, with zstd as the default method."""
    assert loads(dumps([1, "x"], compress)) == [1, "x"]


def test_level_zero_is_no_compression() -> None:
    """``(method, 0)`` writes what ``0`` writes."""
    value = np.zeros(100_000)
    assert len(dumps(value, ("zstd", 0))) == len(dumps(value, 0)) > value.nbytes


@pytest.mark.parametrize("protocol", [0, 2, 4, 6, "5"])
def test_other_protocols_are_refused(protocol: Any) -> None:
    """The format has one protocol."""
    with pytest.raises(InvalidOption, match=r"protocol=.* pickle protocol 5"):
        dump(1, io.BytesIO(), protocol=protocol)


@pytest.mark.parametrize("protocol", [None, 5, -1])
def test_the_protocol_of_the_format_is_accepted(protocol: Any) -> None:
    """Old calls that ask for the highest protocol go on working."""
    file = io.BytesIO()
    dump(1, file, 0, protocol)
    assert loads(file.getvalue()) == 1


def test_unknown_picklers_are_refused() -> None:
    """Only cloudpickle has a name."""
    with pytest.raises(InvalidOption, match="pickler='dill'"):
        dumps(1, pickler="dill")  # type: ignore[arg-type]  # that is the point


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """joblib's text, with the value and its type."""
    with pytest.raises(InvalidOption, match=r"Second argument should be a filename or a file-like object"):
        dump(1, 17)  # type: ignore[call-overload]  # that is the point
    with pytest.raises(InvalidOption, match=r"17 \(type <class 'int'>\)"):
        load(17)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(InvalidOption, match="loads needs bytes"):
        loads("text")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(InvalidOption, match="inspect needs a path"):
        inspect(io.BytesIO())  # type: ignore[arg-type]  # that is the point

    class BytesPath(os.PathLike[bytes]):
        def __fspath__(self) -> bytes:
            return b"x"

    with pytest.raises(InvalidOption, match="fsdecode"):
        dump(1, BytesPath())  # type: ignore[arg-type]  # that is the point


def test_files_in_the_wrong_state_are_refused(tmp_path: Path) -> None:
    """Text files, closed files, files open the other way."""
    closed = io.BytesIO()
    closed.close()
    (tmp_path / "x").write_bytes(b"kept")
    with pytest.raises(InvalidOption, match="closed"):
        dump(1, closed)
    with pytest.raises(InvalidOption, match="closed"):
        load(closed)
    with pytest.raises(InvalidOption, match='open it with "wb"'):
        dump(1, io.StringIO())  # type: ignore[call-overload]  # that is the point
    with pytest.raises(InvalidOption, match='open it with "rb"'):
        load(io.StringIO())  # type: ignore[arg-type]  # that is the point
    with open(tmp_path / "x", "rb") as file, pytest.raises(InvalidOption, match="not open for writing"):
        dump(1, file)
    with open(tmp_path / "x", "r+b") as file, pytest.raises(InvalidOption, match="a stream cannot be mapped"):
        load(file, mmap_mode="c")
    with open(tmp_path / "y", "wb") as file, pytest.raises(InvalidOption, match="not open for reading"):
        load(file)
    assert (tmp_path / "x").read_bytes() == b"kept"


def test_unwritable_targets_are_named_as_they_were_given(tmp_path: Path) -> None:
    """A directory, a missing folder, a file in the place of a folder: the message has the user's path."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        dump(1, tmp_path)
    for folder in ("missing", "file"):
        with pytest.raises(
            FileNotFoundError, match=rf"cannot write '.*{folder}/x': its folder does not exist"
        ):
            dump(1, tmp_path / folder / "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_write_protected_targets_are_refused(tmp_path: Path) -> None:
    """A rename could replace a read-only file; that is not what its owner meant."""
    (tmp_path / "x").write_bytes(b"kept")
    (tmp_path / "x").chmod(0o400)
    with pytest.raises(PermissionError, match="write-protected"):
        dump(1, tmp_path / "x")
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="folder is write-protected"):
        dump(1, tmp_path / "y")
    tmp_path.chmod(0o700)
    assert (tmp_path / "x").read_bytes() == b"kept"


@pytest.mark.parametrize(
    "options", [{"mmap_mode": "x"}, {"mmap_mode": "rb"}, {"ensure_native_byte_order": 1}]
)
def test_options_of_load_are_checked_first(options: Any, tmp_path: Path) -> None:
    """Before the file is opened: it does not even exist."""
    with pytest.raises(InvalidOption, match=r"mmap_mode|ensure_native"):
        load(tmp_path / "missing", **options)


def test_native_order_and_mapping_exclude_each_other(tmp_path: Path) -> None:
    """joblib's text."""
    text = "Native byte ordering can only be enforced if 'mmap_mode' parameter is set to None"
    with pytest.raises(InvalidOption, match=text):
        load(tmp_path / "missing", mmap_mode="r", ensure_native_byte_order=True)


@pytest.mark.parametrize("compress", [0, True])
def test_an_unpicklable_part_leaves_the_old_file(compress: Any, tmp_path: Path) -> None:
    """The part is named; the file of that name is the one from before, and no other file is left."""
    path = tmp_path / "x"
    dump("old", path)
    with pytest.raises(UnpicklableError, match=r"cannot pickle value\[1\]\['lock'\]:"):
        dump([np.arange(50_000), {"lock": threading.Lock()}], path, compress)
    assert load(path) == "old"
    assert os.listdir(tmp_path) == ["x"]


def test_the_way_out_is_named_for_functions_without_a_name() -> None:
    """Whoever dumps a lambda learns of the pickler that takes it."""
    with pytest.raises(UnpicklableError) as caught:
        dumps([lambda: 1])
    assert "cloudpickle" in caught.value.__notes__[0]


def test_files_of_others_are_named_and_told_apart(tmp_path: Path) -> None:
    """A picture, a text and nothing at all are not ours; the path and the reason are in the message."""
    path = tmp_path / "x"
    for content, reason in [(b"\x89PNG\r\n", "PNG"), (b"text", "b'text'"), (b"", "empty")]:
        path.write_bytes(content)
        for function in (load, inspect):
            with pytest.raises(UnknownFormatError, match=f"cannot read '.*x': .*{reason}"):
                function(path)


def test_only_our_own_files_are_inspected(tmp_path: Path) -> None:
    """joblib's files and pickles tell nothing about themselves, compressed or not; they are named."""
    path = tmp_path / "x"
    for content, reason in [(pickle.dumps([1]), "pickle"), (gzip.compress(pickle.dumps([1])), "joblib")]:
        path.write_bytes(content)
        with pytest.raises(UnknownFormatError, match=f"cannot read '.*x': .*{reason}"):
            inspect(path)


def test_files_with_something_behind_their_end_are_corrupt(tmp_path: Path) -> None:
    """Two files in a row, or a torn copy."""
    path = tmp_path / "x"
    dump(1, path)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(CorruptFileError, match="4 bytes after its end"):
        load(path)
    with pytest.raises(CorruptFileError, match="4 bytes after its end"):
        load(path, mmap_mode="r")
    with pytest.raises(CorruptFileError, match="after its end"):
        loads(path.read_bytes())


def test_missing_files_and_folders_are_what_the_system_says(tmp_path: Path) -> None:
    """No error of ours stands in the way of ``except FileNotFoundError``."""
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_a_missing_module_comes_with_the_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is Python's own; the note tells what wrote the file and what is here."""
    (tmp_path / "vanishing.py").write_text("__version__ = '4.2'\nclass Thing: pass\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        vanishing = importlib.import_module("vanishing")
        data = dumps(vanishing.Thing())
        assert type(loads(data)) is vanishing.Thing
    del sys.modules["vanishing"]
    with pytest.raises(ModuleNotFoundError, match="vanishing") as caught:
        loads(data)
    (note,) = caught.value.__notes__
    assert "vanishing 4.2" in note
    assert "Python 3." in note


def test_errors_of_the_users_own_code_pass_unchanged() -> None:
    """What `__setstate__` raises is what the caller sees, with a note."""
    with pytest.raises(ZeroDivisionError, match="broken") as caught:
        loads(dumps(Breaks()))
    assert "was written by" in caught.value.__notes__[0]


class Breaks:
    """Can be dumped and not be loaded."""

    def __getstate__(self) -> Any:
        return {"a": 1}

    def __setstate__(self, state: Any) -> None:
        raise ZeroDivisionError("broken")


def test_a_full_pipe_that_does_not_block_is_an_error() -> None:
    """Such a file takes nothing and says ``None``; that must not count as written."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        with open(writing, "wb", buffering=0) as file, pytest.raises(BlockingIOError, match="set_blocking"):
            dump(np.zeros(1_000_000), file)
    finally:
        os.close(reading)


def test_errors_of_the_system_carry_its_number(tmp_path: Path) -> None:
    """As those of `open` do, for programs that ask for ``errno``."""
    with pytest.raises(FileNotFoundError) as missing:
        dump(1, tmp_path / "no" / "x.lw")
    with pytest.raises(IsADirectoryError) as folder:
        dump(1, tmp_path)
    assert (missing.value.errno, folder.value.errno) == (errno.ENOENT, errno.EISDIR)


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    """The temporary file beside it has a name of its own."""
    path = tmp_path / ("x" * 255)
    dump([1], path)
    assert load(path) == [1]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_disk_is_an_error_that_names_the_file() -> None:
    """The system's own error of a write knows no name."""
    with pytest.raises(OSError, match="/dev/full") as caught:
        dump([1], "/dev/full")
    assert caught.value.errno == errno.ENOSPC


def test_bytes_with_gaps_and_streams_of_text_are_refused() -> None:
    """They get one clear error, not one of the buffer or struct modules."""

    class Text:
        def read(self, size: int) -> str:
            return "text"

    with pytest.raises(InvalidOption, match="in one piece"):
        loads(memoryview(dumps([1]))[::2])
    with pytest.raises(InvalidOption, match="gives str, not bytes"):
        load(Text())  # type: ignore[arg-type]  # that is the point


def test_wrappers_of_text_files_are_refused(tmp_path: Path) -> None:
    """Temporary files and those of codecs are no text files by their class."""
    with tempfile.NamedTemporaryFile("w+") as file:
        for call in (lambda: dump(1, file), lambda: load(file)):
            with pytest.raises(InvalidOption, match=r'open for text; open it with "[wr]b"'):
                call()
    with (
        codecs.open(str(tmp_path / "x"), "w", "utf-8") as text,
        pytest.raises(InvalidOption, match="for text"),
    ):
        dump(1, text)
    assert (tmp_path / "x").read_bytes() == b""


def test_an_empty_path_is_told_as_one() -> None:
    """Not as the folder that it would be short for."""
    with pytest.raises(FileNotFoundError, match="the path is empty"):
        dump(1, "")


def test_a_reader_that_gives_too_much_is_named() -> None:
    """The bytes would be lost, or read twice."""

    class Generous:
        def read(self, size: int) -> bytes:
            return bytes(size + 1)

    with pytest.raises(InvalidOption, match=r"read\(1\) gives 2 bytes"):
        load(Generous())


@pytest.mark.parametrize("call", [lambda url: dump(1, url), load, inspect])
def test_a_url_is_refused_by_name(call: Callable[[str], object]) -> None:
    """It is no path, and no folder is missing."""
    with pytest.raises(InvalidOption, match=r"'s3://bucket/x' is a URL: give .* fsspec"):
        call("s3://bucket/x")

"""Files that are compressed as a whole, and compressors of users' own."""

import bz2
import gc
import gzip
import io
import lzma
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import numpy as np
import pytest

from lightwork import dump, dumps, inspect, load, loads, register_compressor
from lightwork.errors import (
    CorruptFileError,
    FileWarning,
    InvalidOption,
    MissingDependency,
    UnknownFormatError,
    UnpicklableError,
)
from lightwork.parcel.codecs import ZSTD_MODULE
from lightwork.persistence import CompressorWrapper
from lightwork.persistence.compressors.registry import COMPRESSORS
from lightwork.system.optional import require

VALUE = {"a": np.arange(20_000), "b": [1, "x", None]}
MAGIC = b"\x8aLW"
# How other programs open a file with this ending. Any: functions of untyped modules.
OPENERS: dict[str, Callable[[bytes], Any]] = {
    ".z": zlib.decompress,
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".lzma": lambda data: lzma.decompress(data, lzma.FORMAT_ALONE),
    ".xz": lambda data: lzma.decompress(data, lzma.FORMAT_XZ),
    ".lz4": lz4.frame.decompress,
    ".zst": require(ZSTD_MODULE, purpose="this test", extra="all").decompress,
}


def check(found: Any) -> None:
    assert (found["a"] == VALUE["a"]).all()
    assert found["b"] == VALUE["b"]
    found["a"] += 1


@pytest.mark.parametrize("ending", OPENERS)
@pytest.mark.parametrize("compress", [0, False, True, None, 2])
def test_a_name_with_an_ending_gets_what_it_promises(ending: str, compress: Any, tmp_path: Path) -> None:
    """Other programs open it, and find a container that `load` reads as well as the compressed file."""
    path = tmp_path / f"x{ending}"
    dump(VALUE, path, compress)
    plain = OPENERS[ending](path.read_bytes())
    assert plain.startswith(MAGIC)
    assert len(plain) > 160_000 > path.stat().st_size
    check(load(path))
    check(loads(plain))
    check(loads(path.read_bytes()))


def test_level_zero_with_a_method_is_no_compression(tmp_path: Path) -> None:
    """As in joblib, except where the name promises another file."""
    dump([1], tmp_path / "x", ("gzip", 0))
    assert (tmp_path / "x").read_bytes().startswith(MAGIC)


@pytest.mark.parametrize(
    ("name", "compress"),
    [("x.gz", "zlib"), ("x.csv.gz", ("zstd", 3)), ("x.xz", "lzma"), ("x.bz2", "gzip"), ("x.gz", ("gzip", 0))],
)
def test_a_name_that_promises_another_method_is_refused(tmp_path: Path, name: str, compress: Any) -> None:
    """Other programs go by the name. Nothing is written. Files for joblib are as joblib writes them."""
    with pytest.raises(
        InvalidOption, match=r"x[.].* promises a file of .* compress=.* give the file another name"
    ):
        dump([1], tmp_path / name, compress)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["x.joblib", "x.pkl", "x.pickle", "x.joblib.gz"])
def test_a_name_that_promises_another_format_warns(tmp_path: Path, name: str) -> None:
    """The way out is told, at the line of the caller; with it there is no warning."""
    with pytest.warns(
        FileWarning, match=rf"{name}' gets lightwork's own.* joblib cannot.*format=.joblib"
    ) as given:
        dump([1], tmp_path / name)
    assert [warning.filename for warning in given] == [__file__]
    assert load(tmp_path / name) == [1]
    dump([1], tmp_path / name, format="joblib")
    dump([1], tmp_path / "joblib")


@pytest.mark.parametrize(("method", "prefix"), [("gzip", b"\x1f\x8b"), ("xz", b"\xfd7zXZ")])
def test_methods_that_are_file_formats_compress_as_a_whole(
    method: str, prefix: bytes, tmp_path: Path
) -> None:
    """Whatever the name, and in file objects too."""
    dump(VALUE, tmp_path / "x", (method, 1))
    for content in ((tmp_path / "x").read_bytes(), dumps(VALUE, method)):
        assert content.startswith(prefix)
        check(loads(content))


@pytest.mark.parametrize("method", ["zstd", "lz4", "zlib", "bz2", "lzma"])
@pytest.mark.parametrize("level", [None, 1, 9])
def test_methods_of_blocks_stay_in_the_container(method: str, level: int | None, tmp_path: Path) -> None:
    """Each block with its checksum, unless the ending is their own."""
    dump(VALUE, tmp_path / "x.lw", (method, level))
    assert (tmp_path / "x.lw").read_bytes().startswith(MAGIC)
    assert inspect(tmp_path / "x.lw").segments[0].blocks
    check(load(tmp_path / "x.lw"))


@pytest.mark.parametrize("ending", OPENERS)
def test_damage_is_found(ending: str, tmp_path: Path) -> None:
    """Cut, with something behind its end, or changed: the error names the file."""
    path = tmp_path / f"x{ending}"
    dump(VALUE, path)
    content = path.read_bytes()
    changed = bytearray(content)
    changed[len(content) // 2] ^= 0xFF
    for damaged in (content[:-100], content[: len(content) // 2], bytes(changed), content + b"more"):
        path.write_bytes(damaged)
        with pytest.raises(CorruptFileError, match=rf"cannot read '.*x{ending}': "):
            load(path)


@pytest.mark.parametrize("ending", OPENERS)
def test_streams_of_one_file_may_be_several(ending: str) -> None:
    """What ``cat a.gz b.gz`` or a compressor with threads makes."""
    press = {
        ".z": zlib.compress,
        ".gz": gzip.compress,
        ".bz2": bz2.compress,
        ".lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
        ".xz": lzma.compress,
        ".lz4": lz4.frame.compress,
        ".zst": require(ZSTD_MODULE, purpose="this test", extra="all").compress,
    }[ending]
    plain = dumps(VALUE)
    check(loads(press(plain[:1000]) + press(plain[1000:])))


def test_compressed_files_cannot_be_mapped(tmp_path: Path) -> None:
    """The error names the file and the way out."""
    dump(VALUE, tmp_path / "x.gz")
    with pytest.raises(InvalidOption, match=r"cannot map '.*x\.gz': it is compressed; load it without"):
        load(tmp_path / "x.gz", mmap_mode="r")


def test_other_content_is_refused() -> None:
    """A text inside, and a file that is compressed twice."""
    with pytest.raises(UnknownFormatError, match="text"):
        loads(gzip.compress(b"text"))
    with pytest.raises(UnknownFormatError, match="compressed twice"):
        loads(gzip.compress(dumps(VALUE, "gzip")))
    with pytest.raises(UnknownFormatError, match="empty"):
        loads(gzip.compress(b""))


def test_lz4_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """Before anything is written, and when such a file is read."""
    (tmp_path / "y").write_bytes(dumps([1], ("lz4", 1), format="joblib"))
    dump(VALUE, tmp_path / "z", "lz4")
    code = (
        "import sys; sys.modules['cramjam'] = None\n"
        "from lightwork import dump, load\n"
        "from lightwork.errors import MissingDependency\n"
        "calls = (dump, 1, 'x.lz4'), (dump, 1, 'x', 'lz4'), (load, 'y'), (load, 'z')\n"
        "for function, *arguments in calls:\n"
        "    try: function(*arguments)\n"
        "    except MissingDependency as exc: assert 'lightwork[lz4]' in str(exc)\n"
        "    else: raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["y", "z"]
    assert issubclass(MissingDependency, ImportError)


@pytest.mark.parametrize("file_format", ["lightwork", "joblib"])
def test_the_memory_beside_a_compressed_array_is_a_few_pieces(file_format: Any) -> None:
    """Neither writing nor reading holds a second copy, however well it is compressed."""
    array = np.zeros(32 << 20, "u1")
    loads(dumps(array[:10], ("gzip", 1), format=file_format))
    tracemalloc.start()
    content = dumps(array, ("gzip", 1), format=file_format)
    _, writing = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    found = loads(content)
    _, reading = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert writing < 10 << 20
    assert reading < found.nbytes + (10 << 20)


@pytest.mark.parametrize("file_format", ["lightwork", "joblib"])
@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_files_of_the_standard_library_compress_too(module: Any, file_format: Any, tmp_path: Path) -> None:
    """They are file objects like any other; the path may be loaded as well."""
    with module.open(tmp_path / "x", "wb") as file:
        dump(VALUE, file, format=file_format)
    with module.open(tmp_path / "x", "rb") as file:
        check(load(file))
    check(load(tmp_path / "x"))


class Backwards(io.BytesIO):
    """A file object that "compresses" by a mark in front and all bytes turned round."""

    MARK = b"<-backwards"

    def __init__(self, fileobj: Any, mode: str, compresslevel: int = 5) -> None:
        super().__init__(fileobj.read()[:10:-1] if mode == "rb" else b"")
        self._target = fileobj if mode == "wb" else None
        self.level = compresslevel

    def close(self) -> None:
        if self._target is not None:
            self._target.write(self.MARK + self.getvalue()[::-1])
            self._target.close()
            self._target = None
        super().close()


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    # The registry lasts as long as the process; a test leaves it as it was.
    monkeypatch.setattr(COMPRESSORS, "_by_name", dict(COMPRESSORS._by_name))
    register_compressor(
        "backwards", CompressorWrapper(Backwards, prefix=Backwards.MARK, extension=".sdrawkcab")
    )


@pytest.mark.usefixtures("backwards")
@pytest.mark.parametrize("file_format", ["lightwork", "joblib"])
def test_a_registered_compressor_is_used_and_recognized(file_format: Any, tmp_path: Path) -> None:
    """By name, by ending, for paths and file objects; the file object stays open."""
    dump(VALUE, tmp_path / "x", ("backwards", 3), format=file_format)
    dump(VALUE, tmp_path / "x.sdrawkcab", format=file_format)
    file = io.BytesIO()
    dump(VALUE, file, "backwards", format=file_format)
    assert file.getvalue() == (tmp_path / "x").read_bytes() == (tmp_path / "x.sdrawkcab").read_bytes()
    assert file.getvalue().startswith(Backwards.MARK)
    check(load(tmp_path / "x"))
    check(load(io.BytesIO(file.getvalue())))


@pytest.mark.usefixtures("backwards")
def test_a_compressor_that_is_forgotten_after_an_error_writes_nothing(tmp_path: Path) -> None:
    """Its end would land in a file object that the caller goes on using."""
    file = io.BytesIO()
    with pytest.raises(UnpicklableError):
        dump([lambda: 1], file, "backwards")
    gc.collect()
    assert file.getvalue() == b""


@pytest.mark.usefixtures("backwards")
def test_a_name_is_registered_once() -> None:
    """Unless it is forced, which replaces our own as well."""
    wrapper = CompressorWrapper(Backwards, b"<-other", ".other")
    for name in ("backwards", "gzip"):
        with pytest.raises(InvalidOption, match=f"Compressor '{name}' already registered"):
            register_compressor(name, wrapper)
    register_compressor("zlib", wrapper, force=True)
    assert dumps([1], "zlib").startswith(Backwards.MARK)


@pytest.mark.parametrize(
    ("name", "compressor", "message"),
    [
        (1, None, "Compressor name should be a string"),
        ((), None, "Compressor name should be a string"),
        ("x", object(), "Compressor should implement the CompressorWrapper interface"),
        ("x", CompressorWrapper(object), "attribute should implement the file object interface"),
    ],
)
def test_what_is_no_compressor_is_refused(name: Any, compressor: Any, message: str) -> None:
    """joblib's texts."""
    with pytest.raises(InvalidOption, match=message):
        register_compressor(name, compressor)
    assert name not in COMPRESSORS

"""`File` and ``depends_on=``: files, functions and packages that keys depend on."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from lightwork import File
from lightwork import hash as key_of
from lightwork.errors import EntryMissing, InvalidOption
from lightwork.hashing.calls import CallKeys
from lightwork.hashing.digests import BLAKE3
from lightwork.hashing.files import By, ContentDigests, bytes_key, keeping

HOUR = 3600


def write(path: Path, content: bytes, *, age: float = HOUR) -> File:
    """A file whose last change is `age` seconds old; its status changed now, all the same."""
    path.write_bytes(content)
    status = path.stat()
    os.utime(path, (status.st_atime - age, status.st_mtime - age))
    return File(path)


def test_the_content_counts_and_not_the_time(tmp_path: Path) -> None:
    """Touched: the same key. Another byte at the same length and time: another."""
    file = write(tmp_path / "a", b"one")
    before, status = key_of(file), os.stat(file)
    os.utime(file, (1, 1))
    assert key_of(file) == before
    Path(file).write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert key_of(file) != before
    Path(file).write_bytes(b"one")
    assert key_of(file) == before


def test_by_stat_the_time_counts_and_nothing_is_read(tmp_path: Path) -> None:
    """Size and time of the last change are the key; the content may be anything."""
    write(tmp_path / "a", b"one")
    file = File(tmp_path / "a", by="stat")
    before, status = key_of(file), os.stat(file)
    Path(file).write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert key_of(file) == before
    os.utime(file, (1, 1))
    assert key_of(file) != before


def test_the_path_counts_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function may look at the name, so equal files of two names are two values; ``./`` is no name."""
    monkeypatch.chdir(tmp_path)
    key = key_of(write(tmp_path / "a", b"x")), key_of(write(tmp_path / "b", b"x"))
    assert len({*key, key_of(File("a"))}) == 3
    assert key_of(File("a")) == key_of(File("./a")) == key_of(File(".//a"))


def test_by_stat_the_path_counts_too(tmp_path: Path) -> None:
    """Size and time alone would take files for each other that were unpacked together."""
    for name in "ab":
        write(tmp_path / name, b"x")
        os.utime(tmp_path / name, (1, 1))
    assert key_of(File(tmp_path / "a", by="stat")) != key_of(File(tmp_path / "b", by="stat"))
    assert key_of(File(tmp_path / "a")) != key_of(File(tmp_path / "a", by="stat"))


@pytest.mark.parametrize("size", [0, 1, 5 << 20, 16 << 20, (17 << 20) + 3])
def test_the_digest_is_that_of_the_bytes(tmp_path: Path, size: int) -> None:
    """Read in pieces, over several threads, it is the digest that a buffer of these bytes has."""
    content = os.urandom(1 << 20) * (size >> 20) + os.urandom(size % (1 << 20))
    write(tmp_path / "a", content)
    assert ContentDigests().of(str(tmp_path / "a")) == BLAKE3.buffer(memoryview(content))


@pytest.mark.parametrize("size", [0, 3, (64 << 10) - 1, 64 << 10, 1 << 20, (16 << 20) + 1])
@pytest.mark.parametrize("hash_name", ["blake3", "sha256"])
def test_the_key_of_the_bytes_of_a_file(tmp_path: Path, size: int, hash_name: str) -> None:
    """It is that of the bytes as a value, and needs only a part of them at a time."""
    path = tmp_path / "a"
    path.write_bytes(os.urandom(size))
    assert bytes_key(path, hash_name) == key_of(path.read_bytes(), hash_name)


def test_an_unchanged_file_is_read_once(tmp_path: Path) -> None:
    """Its digest is remembered once its last change is older than time stamps are coarse."""
    path = tmp_path / "a"
    write(path, b"one")
    now = os.stat(path).st_ctime
    fresh, settled = ContentDigests(lambda: now + 1), ContentDigests(lambda: now + 10)
    first = fresh.of(str(path)), settled.of(str(path))
    assert first[0] == first[1]
    # Nothing can change a file and leave its status as it was, but for a change within one time stamp. What
    # that looks like: the same file under a status that is forged.
    status = os.stat(path)
    path.write_bytes(b"two")

    def forged(_: Any) -> os.stat_result:
        return status

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", forged)
        assert settled.of(str(path)) == first[1]
        assert fresh.of(str(path)) != first[0]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Missing files, folders and pipes are errors of the system when a key is made."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError, match="missing"):
        key_of(File(tmp_path / "missing"))
    bys: list[By] = ["content", "stat"]
    for by in bys:
        with pytest.raises(OSError, match="it is a folder"):
            key_of([File(tmp_path, by=by)])
        with pytest.raises(OSError, match="no ordinary file"):
            key_of(File(tmp_path / "pipe", by=by))


@pytest.mark.parametrize(
    ("path", "by"), [(3, "content"), (b"a", "content"), (None, "content"), ("a", "size"), ("a", None)]
)
def test_a_wrong_argument_is_refused(path: Any, by: Any) -> None:
    """Before anything is looked at, naming the value."""
    with pytest.raises(InvalidOption, match="File"):
        File(path, by)


def test_it_is_a_path_and_travels(tmp_path: Path) -> None:
    """`open` takes it; copies are equal, and made without a look at the file."""
    file = write(tmp_path / "a", b"text")
    with open(file, "rb") as opened:
        assert opened.read() == b"text"
    missing = File("missing", by="stat")
    assert pickle.loads(pickle.dumps(missing)) == missing != File("missing")
    assert {missing, pickle.loads(pickle.dumps(missing))} == {missing}
    assert repr(missing) == "File('missing', by='stat')"


def test_a_kept_file_is_good_while_it_is_as_it_was(tmp_path: Path) -> None:
    """Inside a kept result it remembers its state, and says so when that is gone."""
    file = write(tmp_path / "a", b"one")
    with keeping():
        kept = pickle.dumps([file])
    assert pickle.loads(kept) == [file]
    Path(file).write_bytes(b"two")
    with pytest.raises(EntryMissing, match="has changed"):
        pickle.loads(kept)
    os.unlink(file)
    with pytest.raises(EntryMissing, match="cannot be read"):
        pickle.loads(kept)


# ---- depends_on ----


def plain(x: int) -> int:
    return x


def helper() -> int:
    return 1


def test_a_file_in_depends_on_counts_at_each_call(tmp_path: Path) -> None:
    """Its state at the time of the call is part of the key, with ``track="none"`` too."""
    file = write(tmp_path / "config", b"one")
    for track in ("deep", "none"):
        keys = CallKeys(plain, depends_on=[file], track=track)
        write(tmp_path / "config", b"one")
        before = keys.key((1,), {})
        write(tmp_path / "config", b"two")
        assert keys.key((1,), {}) != before
        write(tmp_path / "config", b"one", age=5)
        assert keys.key((1,), {}) == before
        assert f"{file.path} (a file, by content)" in keys.dependencies().tracked
    os.unlink(file)
    with pytest.raises(FileNotFoundError, match="config"):
        keys.key((1,), {})


def test_a_function_in_depends_on_counts_by_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever `track` says; the order of the list means nothing."""
    keys = CallKeys(plain, depends_on=[helper, len], track="self")
    again = CallKeys(plain, depends_on=[len, helper], track="self")
    before = keys.key((1,), {})
    assert again.key((1,), {}) == before != CallKeys(plain, track="self").key((1,), {})
    monkeypatch.setattr(helper, "__code__", (lambda: 2).__code__)
    assert keys.key((1,), {}) != before
    assert any("helper" in line for line in keys.dependencies().tracked)


def test_a_package_in_depends_on_counts_by_its_version() -> None:
    """The distribution must be installed; its version is read when the function is decorated."""
    keys = CallKeys(plain, depends_on=["numpy"])
    assert keys.key((1,), {}) != CallKeys(plain).key((1,), {})
    assert any(line.startswith("numpy ") for line in keys.dependencies().tracked)
    with pytest.raises(InvalidOption, match=r"config\.yaml"):
        CallKeys(plain, depends_on=["config.yaml"])
    with pytest.raises(InvalidOption, match="depends_on has 3"):
        CallKeys(plain, depends_on=[3])  # type: ignore[list-item]


def test_it_travels_with_the_keys(tmp_path: Path) -> None:
    """A copy in another process makes the same keys."""
    keys = CallKeys(plain, depends_on=[write(tmp_path / "a", b"x"), helper, "numpy"])
    assert pickle.loads(pickle.dumps(keys)).key((1,), {}) == keys.key((1,), {})


@pytest.mark.slow
def test_reading_takes_no_more_memory_than_a_few_blocks(tmp_path: Path) -> None:
    """A file of 64 MB is never held as a whole."""
    import tracemalloc

    write(tmp_path / "a", bytes(64 << 20))
    digests = ContentDigests()
    tracemalloc.start()
    try:
        digests.of(str(tmp_path / "a"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20

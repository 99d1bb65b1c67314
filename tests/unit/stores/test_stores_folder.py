import os
from pathlib import Path

import pytest

from lightwork.errors import CacheWarning, StoreUnavailable
from lightwork.memory import Memory
from lightwork.protocols import Record
from lightwork.stores import FileStore, SqliteStore, has_store
from lightwork.testing.stores import key_of

SMALL = Record(b"small", (), b"{}")
KINDS = pytest.mark.parametrize("kind", [SqliteStore, FileStore])


def half(x: int) -> float:
    return x / 2


def _made_by(kind: type[SqliteStore] | type[FileStore], location: Path) -> Path:
    """The folder of a cache that holds a record."""
    store = kind(location)
    store.put(key_of(1), SMALL)
    store.close()
    return location / "lightwork-1"


@KINDS
def test_a_new_folder_is_private_and_marked(
    tmp_path: Path, kind: type[SqliteStore] | type[FileStore]
) -> None:
    """Only the owner may look into it, version control ignores it and backups may leave it out."""
    folder = _made_by(kind, tmp_path / "cache")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert (folder / ".gitignore").read_text().endswith("\n*\n")
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


@KINDS
def test_a_folder_that_everybody_may_write_to_is_refused(
    tmp_path: Path, kind: type[SqliteStore] | type[FileStore]
) -> None:
    """Nothing is read from it, nothing written, unless it is trusted."""
    _made_by(kind, tmp_path).chmod(0o777)
    store, trusting = kind(tmp_path), kind(tmp_path, trusted=True)
    assert store.get(key_of(1)) is None
    with pytest.raises(StoreUnavailable, match=r"everybody.*trust_folder=True"):
        store.put(key_of(2), SMALL)
    assert trusting.get(key_of(1)) is not None
    assert trusting.get(key_of(2)) is None
    for each in (store, trusting):
        each.close()


@KINDS
def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, kind: type[SqliteStore] | type[FileStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its results could be anything."""
    folder = _made_by(kind, tmp_path)
    if os.geteuid() == 0:
        os.chown(folder, 12345, -1)
    else:
        monkeypatch.setattr("os.geteuid", lambda: 12345)
    store = kind(tmp_path)
    assert store.get(key_of(1)) is None
    with pytest.raises(StoreUnavailable, match="belongs to user"):
        store.put(key_of(2), SMALL)
    store.close()


def test_a_refused_folder_costs_a_warning(tmp_path: Path) -> None:
    """The program goes on without a cache, and is told once why; who trusts the folder uses it."""
    (tmp_path / "lightwork-1").mkdir()
    (tmp_path / "lightwork-1").chmod(0o777)
    cached = Memory(tmp_path).cache(half)
    with pytest.warns(CacheWarning, match="everybody") as caught:
        assert [cached(3), cached(5)] == [1.5, 2.5]
    assert len(caught) == 1
    assert os.listdir(tmp_path / "lightwork-1") == []
    trusting = Memory(tmp_path, trust_folder=True).cache(half)
    assert trusting(3) == 1.5
    assert trusting.check_call_in_cache(3)


@pytest.mark.parametrize("kind", [SqliteStore, FileStore])
def test_a_folder_tells_whether_anything_was_kept_there(tmp_path: Path, kind: type[SqliteStore]) -> None:
    """Asking makes nothing."""
    location = tmp_path / "cache"
    assert not has_store(location)
    assert not location.exists()
    kind(location).put(key_of(1), Record(b"x", [], b"{}"))
    assert has_store(location)

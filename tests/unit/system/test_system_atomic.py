import os
from pathlib import Path

import pytest

from lightwork.system.atomic import atomic_writer


def _write(path: Path, content: bytes) -> None:
    with atomic_writer(path) as file:
        file.write(content)


def test_content_appears_when_the_block_ends(tmp_path: Path) -> None:
    """Until then the old content is what readers see, and no temporary file remains after."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with atomic_writer(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("sync", [True, False])
def test_a_large_content_arrives_whole(sync: bool, tmp_path: Path) -> None:
    """Bytes that began to go to the disk before the sync are neither lost nor doubled."""
    path = tmp_path / "x"
    parts = [os.urandom(3 << 20) for _ in range(7)]
    with atomic_writer(path, sync=sync) as file:
        for part in parts:
            assert file.write(part) == len(part)
    assert path.read_bytes() == b"".join(parts)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    """Any exception, Ctrl-C included, undoes the write."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_writer(path) as file:
        file.write(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_permissions_of_an_existing_file_stay(tmp_path: Path) -> None:
    """Replacing a file does not open it to others."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o640)
    _write(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed(tmp_path: Path) -> None:
    """Writing through a symbolic link replaces what it points to, not the link."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    _write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    """The name of a directory is an error at once."""
    with pytest.raises(IsADirectoryError):
        _write(tmp_path, b"")
    assert os.listdir(tmp_path) == []

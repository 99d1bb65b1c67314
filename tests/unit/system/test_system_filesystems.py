from pathlib import Path

import pytest

from lightwork.system.filesystems import LOCAL, Mount, file_system, is_local, mounts

_TABLE = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:38 / /home rw shared:3 master:1 - nfs4 server:/home rw,vers=4.2
41 40 0:39 / /home/a\\040b rw - tmpfs tmpfs rw
nonsense
"""


def test_mount_lines_are_read() -> None:
    """Optional fields, escaped blanks and foreign lines do not confuse the reading."""
    assert list(mounts(_TABLE)) == [Mount("/", "ext4"), Mount("/home", "nfs4"), Mount("/home/a b", "tmpfs")]


def test_the_innermost_mount_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path belongs to the mount with the longest point; the later one if two share a point."""
    table = tmp_path / "mountinfo"
    table.write_text(
        f"{_TABLE}42 27 0:40 / {tmp_path}/in rw - xfs x rw\n43 27 0:41 / {tmp_path}/in rw - 9p y rw\n"
    )
    monkeypatch.setattr("lightwork.system.filesystems.MOUNT_TABLE", table)
    assert file_system(tmp_path / "in" / "deep" / "not-there") == "9p"
    assert file_system(tmp_path / "inside") == "ext4"
    assert file_system("/home/x") == "nfs4"
    assert not is_local("/home/x")
    assert is_local(tmp_path)


def test_an_unknown_file_system_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a mount table nothing is known, and nothing is taken for local."""
    monkeypatch.setattr("lightwork.system.filesystems.MOUNT_TABLE", tmp_path / "none")
    assert file_system(tmp_path) is None
    assert not is_local(tmp_path)


def test_network_file_systems_are_not_on_the_list() -> None:
    """What several kernels write to is never mapped."""
    assert not {"nfs", "nfs4", "cifs", "9p", "virtiofs", "fuse", "fuse.sshfs", "lustre", "drvfs"} & LOCAL

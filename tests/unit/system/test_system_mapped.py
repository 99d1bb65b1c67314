import os
from pathlib import Path

import pytest

from lightwork.system.mapped import MappingBudget, read_into_memory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 64)
    return path


def test_a_mapping_is_private_and_writable(file: Path) -> None:
    """What is written into it is seen by nobody else."""
    descriptor = os.open(file, os.O_RDONLY)
    mapping = MappingBudget().map(descriptor, 4096)
    os.close(descriptor)
    assert mapping is not None
    mapping[0] = 99
    assert file.read_bytes()[0] == 0
    assert mapping[:3] == b"\x63\x01\x02"


def test_the_budget_is_kept_and_given_back(file: Path) -> None:
    """Beyond the limit nothing is mapped; a mapping counts until its last view is gone."""
    budget = MappingBudget(2)
    descriptor = os.open(file, os.O_RDONLY)
    first, second = budget.map(descriptor, 16), budget.map(descriptor, 16)
    assert first is not None
    view = memoryview(first)
    assert budget.map(descriptor, 16) is None
    assert budget.count == 2
    del first
    assert budget.count == 2
    del view
    assert budget.count == 1
    third = budget.map(descriptor, 16)
    assert third is not None
    assert second is not None
    os.close(descriptor)


def test_a_short_file_is_not_mapped(file: Path) -> None:
    """A mapping beyond the end of a file would end the process when it is read there."""
    descriptor = os.open(file, os.O_RDONLY)
    with pytest.raises((ValueError, OSError)):
        MappingBudget().map(descriptor, 1 << 20)
    os.close(descriptor)


@pytest.mark.parametrize("nbytes", [0, 1, 16384, 1 << 20, (1 << 20) + 3])
def test_bytes_are_read_into_writable_memory(tmp_path: Path, nbytes: int) -> None:
    """Beyond the budget values are read, whatever their size."""
    content = os.urandom(nbytes)
    path = tmp_path / "content"
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    if nbytes:
        assert bytes(memoryview(read_into_memory(descriptor, nbytes))) == content
    assert not memoryview(read_into_memory(descriptor, nbytes)).readonly
    with pytest.raises(EOFError, match="expected"):
        read_into_memory(descriptor, nbytes + 1)
    os.close(descriptor)


def test_the_budget_of_a_process_leaves_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the usual limit of 1,024 open files a quarter is used at most."""
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    monkeypatch.setattr("sys.version_info", (3, 11))
    assert MappingBudget().most == 25


@pytest.mark.parametrize("nbytes", [100, 1 << 20])
def test_memory_that_was_read_is_private_to_each_process(tmp_path: Path, nbytes: int) -> None:
    """What a forked child writes into it is not seen by its parent."""
    path = tmp_path / "file"
    path.write_bytes(bytes(nbytes))
    descriptor = os.open(path, os.O_RDONLY)
    memory = read_into_memory(descriptor, nbytes)
    os.close(descriptor)
    pid = os.fork()
    if pid == 0:
        memory[0] = 1
        os._exit(0)
    os.waitpid(pid, 0)
    assert memory[0] == 0

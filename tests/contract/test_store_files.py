from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.protocols import Store
from lightwork.stores import FileStore
from lightwork.testing.stores import StoreSuite


class TestFileStore(StoreSuite):
    """The store for network disks passes the exam."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = FileStore(tmp_path / "cache")
        yield store
        store.close()

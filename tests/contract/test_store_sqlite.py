from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.protocols import Store
from lightwork.stores import SqliteStore
from lightwork.testing.stores import StoreSuite


class TestSqliteStore(StoreSuite):
    """The default store passes the exam."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = SqliteStore(tmp_path / "cache")
        yield store
        store.close()

from pathlib import Path

import pytest

from lightwork.memory.signing import SignedStore
from lightwork.stores import SqliteStore
from lightwork.testing.stores import StoreSuite


class TestSignedStore(StoreSuite):
    """A store that signs is a store like any other."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> SignedStore:
        return SignedStore(SqliteStore(tmp_path), bytes(32))

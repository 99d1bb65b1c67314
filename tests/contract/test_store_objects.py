import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.memory.signing import SignedStore
from lightwork.protocols import IsRemote, Store
from lightwork.stores import ObjectStore, SqliteStore, TieredStore
from lightwork.testing.stores import StoreSuite
from tests.s3_server import S3Server

pytest.importorskip("obstore", reason="object stores are reached through obstore")

NUMBERS = itertools.count()


@pytest.fixture
def far(server: S3Server) -> Iterator[ObjectStore]:
    store = ObjectStore(server.url(f"contract/{next(NUMBERS)}"), **server.options)
    yield store
    store.close()


class TestObjectStore(StoreSuite):
    """The store that many hosts share passes the exam, against a server that speaks S3."""

    @pytest.fixture
    def store(self, far: ObjectStore) -> Store:
        return far


class TestTieredStore(StoreSuite):
    """So it does with local copies."""

    @pytest.fixture
    def store(self, far: ObjectStore, tmp_path: Path) -> Iterator[Store]:
        store = TieredStore(SqliteStore(tmp_path), far, fresh=60.0)
        yield store
        store.close()


class TestTieredStoreThatAlwaysAsks(StoreSuite):
    """And so it does if no copy is good without asking."""

    @pytest.fixture
    def store(self, far: ObjectStore, tmp_path: Path) -> Iterator[Store]:
        store = TieredStore(SqliteStore(tmp_path), far, fresh=0.0)
        yield store
        store.close()


class TestSignedObjects(StoreSuite):
    """And with signatures around all that."""

    @pytest.fixture
    def store(self, far: ObjectStore, tmp_path: Path) -> Iterator[Store]:
        store = SignedStore(TieredStore(SqliteStore(tmp_path), far), bytes(32))
        assert isinstance(store, IsRemote)
        yield store
        store.close()


class TestObjectsInAFolder(StoreSuite):
    """A shared folder is an object store too."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = ObjectStore(f"file://{tmp_path}/new/folder")
        yield store
        store.close()

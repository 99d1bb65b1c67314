import pytest

from lightwork.protocols import Store
from lightwork.stores import TransientStore
from lightwork.testing.stores import StoreSuite


class TestTransientStore(StoreSuite):
    """The fake passes the same exam as the real thing."""

    @pytest.fixture
    def store(self) -> Store:
        return TransientStore()

"""Clusters of Dask pass the exam that every engine has to pass: a real one, of two processes."""

from collections.abc import Iterator
from typing import Any

import pytest

from lightwork.engines.futures.dask import DaskEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite

distributed = pytest.importorskip("distributed", reason="distributed is not installed (lightwork[dask])")


@pytest.fixture(scope="module", params=[1, 2], ids=["one thread each", "two threads each"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The caller's own client; not the current one, so that an engine without it would not find it."""
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=request.param, processes=True, dashboard_address=":0"
    )
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield client


class TestDaskEngine(EngineSuite):
    @pytest.fixture
    def engine(self, client: Any) -> Engine:
        return DaskEngine(client=client)

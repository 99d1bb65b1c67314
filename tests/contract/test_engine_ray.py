"""Ray passes the exam that every engine has to pass: a real one, with two workers."""

from collections.abc import Iterator

import pytest

from lightwork.engines.futures.ray import RayEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite

ray = pytest.importorskip("ray", reason="ray is not installed (lightwork[ray])")


@pytest.fixture(scope="module")
def running() -> Iterator[None]:
    """The caller's own ray."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "RAY_AUTH_MODE", "disabled"
        )  # or it writes a token into the home of whoever runs the tests
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


@pytest.mark.timeout(240)
class TestRayEngine(EngineSuite):
    @pytest.fixture
    def engine(self, running: None) -> Engine:
        return RayEngine()

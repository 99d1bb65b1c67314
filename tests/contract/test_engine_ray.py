"""Ray passes the exam that every engine has to pass: a real one, with two workers."""

import pytest

from lightwork.engines.futures.ray import RayEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite

pytest.importorskip("ray", reason="ray is not installed (lightwork[ray])")


@pytest.mark.timeout(240)
class TestRayEngine(EngineSuite):
    @pytest.fixture
    def engine(self, own_ray: None) -> Engine:
        return RayEngine()

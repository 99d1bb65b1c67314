"""What holds for all tests."""

import builtins
import copyreg
from collections.abc import Iterator

import pytest

from tests.s3_server import S3Server


@pytest.fixture(autouse=True)
def plain_exceptions() -> None:
    """Exceptions are pickled as Python does it.

    Dask, once it is imported, has those of the whole process pickled by tblib, which loses what some of them
    hold (the code of a `SystemExit`). That is for the tests of Dask alone, in the workers, where it matters.
    """
    for kind, reduce in list(copyreg.dispatch_table.items()):
        if getattr(reduce, "__module__", "").partition(".")[0] == "tblib":
            del copyreg.dispatch_table[kind]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    """A server that speaks the protocol of S3, for tests that leave it alone."""
    pytest.importorskip("moto", reason="the server that speaks the protocol of S3 is moto's")
    server = S3Server()
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def own_ray() -> Iterator[None]:
    """A ray of the caller's own, with two workers."""
    ray = pytest.importorskip("ray", reason="ray is not installed (lightwork[ray])")
    with pytest.MonkeyPatch.context() as patch:
        # Or it writes a token into the home of whoever runs the tests.
        patch.setenv("RAY_AUTH_MODE", "disabled")
        # Ray puts its own in the place of `print` when a worker has died; afterwards it is Python's again.
        patch.setattr(builtins, "print", print)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()

"""Servers for the tests of this folder, which `make clouds` runs and no other target."""

from collections.abc import Iterator

import pytest

from tests.clouds.servers import AzureServer, GoogleServer


@pytest.fixture(scope="session")
def azure() -> Iterator[AzureServer]:
    """A server that speaks the protocol of Azure's blobs, for tests that leave it alone."""
    server = AzureServer()
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def google() -> Iterator[GoogleServer]:
    """A server that speaks a part of the protocol of Google's storage, for tests that leave it alone."""
    server = GoogleServer()
    try:
        server.start()
        yield server
    finally:
        server.kill()

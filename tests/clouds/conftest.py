"""Servers for the tests of this folder, which `make clouds` runs and no other target."""

from collections.abc import Iterator

import pytest

from tests.clouds.servers import AzureServer, GoogleServer, TranslatedServer


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
def translated() -> Iterator[TranslatedServer]:
    """A server that can be written to as Google's storage is, for tests that leave it alone."""
    server = TranslatedServer()
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(params=["azure", "translated"])
def cloud(request: pytest.FixtureRequest) -> AzureServer | TranslatedServer:
    """Each server that can be written to."""
    server: AzureServer | TranslatedServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session")
def google() -> Iterator[GoogleServer]:
    """A server that speaks a part of the protocol of Google's storage, for tests that leave it alone."""
    server = GoogleServer()
    try:
        server.start()
        yield server
    finally:
        server.kill()

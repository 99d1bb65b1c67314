"""Who is let in at Azure's, against Azurite."""

import itertools

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.protocols import Record
from lightwork.stores import ObjectStore
from lightwork.testing.stores import key_of, plain
from tests.clouds.servers import AzureServer

NUMBERS = itertools.count()
MIB = 1 << 20
LARGE = Record(b"s", [b"l" * MIB, b"tail", b"m" * (2 * MIB)], b"{}")


def test_a_shared_access_signature_is_enough(azure: AzureServer) -> None:
    """To read, write, list and remove; one that allows less says so, and is shown to nobody."""
    url = azure.url(f"signature/{next(NUMBERS)}")
    all_of_it = ObjectStore(url, **azure.as_somebody(sas_key=azure.signature("rwdl")))
    all_of_it.put(key_of(1), LARGE)
    signature = azure.signature("r")
    reader = ObjectStore(url, **azure.as_somebody(sas_key=signature))
    assert plain(reader.get(key_of(1))) == plain(LARGE)
    with pytest.raises(StoreUnavailable, match="AuthorizationPermissionMismatch") as caught:
        reader.put(key_of(2), LARGE)
    assert "sig=" not in str(caught.value)
    assert all_of_it.clear() == 1


def test_a_wrong_key_is_told(azure: AzureServer) -> None:
    """Reading finds nothing, writing says why."""
    store = ObjectStore(azure.url("x"), **azure.as_somebody(account_key="d3Jvbmc="))
    assert store.get(key_of(1)) is None
    with pytest.raises(StoreUnavailable, match="AuthorizationFailure"):
        store.put(key_of(1), LARGE)
